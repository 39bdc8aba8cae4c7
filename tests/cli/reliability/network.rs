//! The network of this machine and of the node, proxies and downloads.

use serde_json::json;

use super::{End::Named, Fault, Left, World, break_call, fault, kubectl_says, minikube_fails};
use crate::harness::{Action, Registry, Test};

fn registry(test: &mut Test, registry: Registry) {
    test.change_scenario(|s| s.registry = registry);
}

pub fn faults() -> Vec<Fault> {
    use Left::{All, Kafka, Nothing};
    use World::{Fresh, Ready};
    vec![
        fault(
            "dns",
            "minikube cannot resolve any name",
            Fresh,
            |t| {
                let words = "Get \"https://dl.k8s.io/release/stable.txt\": dial tcp: lookup dl.k8s.io on 10.0.0.1:53: no such host";
                minikube_fails(t, "INET_LOOKUP_HOST", 48, words);
            },
            Named("KS-NETWORK-DNS", 3),
            Nothing,
        ),
        fault(
            "offline",
            "minikube cannot download",
            Fresh,
            |t| {
                let words = "downloading binaries: Get \"https://dl.k8s.io/v1.34.4/bin/linux/amd64/kubelet\": dial tcp 1.2.3.4:443: connect: network is unreachable";
                minikube_fails(t, "INET_CACHE_KUBECTL", 40, words);
            },
            Named("KS-NETWORK", 3),
            Nothing,
        ),
        fault(
            "subnets",
            "no private address range is free",
            Fresh,
            |t| {
                let words = "Failed to start host: create: un-retryable: no free private network subnets found with given parameters (start: \"192.168.9.0\", step: 9, tries: 20)";
                minikube_fails(t, "IF_SSH_AGENT", 35, words);
            },
            Named("KS-NETWORK-SUBNET", 3),
            Nothing,
        ),
        fault(
            "registry-dns",
            "the node cannot resolve the registry's name",
            Fresh,
            |t| registry(t, Registry::Unreachable),
            Named("KS-NETWORK-DNS", 1),
            Kafka,
        ),
        fault(
            "api-gone",
            "the API server stops responding",
            Ready,
            |t| {
                let words = "The connection to the server 192.168.49.2:8443 was refused - did you specify the right host or port?";
                kubectl_says(t, "customresourcedefinitions", None, words);
            },
            Named("KS-API-UNREACHABLE", 1),
            All,
        ),
        fault(
            "registry-silent",
            "the registry cannot be reached from the node",
            Fresh,
            |t| registry(t, Registry::Silent),
            Named("KS-NETWORK-REGISTRY", 1),
            Kafka,
        ),
        fault(
            "registry-intercepted",
            "TLS to the registry is intercepted",
            Fresh,
            |t| registry(t, Registry::Intercepted),
            Named("KS-NETWORK-TLS", 1),
            Kafka,
        ),
        fault(
            "registry-denied",
            "the registry requires a login",
            Fresh,
            |t| registry(t, Registry::Denied),
            Named("KS-REGISTRY-DENIED", 1),
            Kafka,
        ),
        fault(
            "registry-limited",
            "the registry's rate limit is reached",
            Fresh,
            |t| registry(t, Registry::Limited),
            Named("KS-REGISTRY-LIMIT", 1),
            Kafka,
        ),
        fault(
            "tls-intercepted",
            "TLS is intercepted when minikube downloads",
            Fresh,
            |t| {
                let words = "downloading binaries: Get \"https://dl.k8s.io/v1.34.4/bin/linux/amd64/kubelet.sha256\": tls: failed to verify certificate: x509: certificate signed by unknown authority";
                minikube_fails(t, "INET_CACHE_KUBECTL", 40, words);
            },
            Named("KS-NETWORK-TLS", 3),
            Nothing,
        ),
        fault(
            "proxy-ranges",
            "the proxy variables do not exclude the cluster's addresses: minikube cannot reach the node",
            Fresh,
            |t| {
                let remark = json!({"type": "io.k8s.sigs.minikube.warning", "data": {"message":
                    "You appear to be using a proxy, but your NO_PROXY environment does not include the minikube IP (192.168.49.2)."}});
                let error = json!({"type": "io.k8s.sigs.minikube.error", "data": {"name": "K8S_APISERVER_MISSING",
                    "exitcode": "105", "message": "wait 6m0s for node: wait for apiserver proc: apiserver process never appeared"}});
                let stdout = format!("{remark}\n{error}\n");
                let action = Action::Exit { code: 105, stdout, stderr: String::new() };
                break_call(t, "minikube", "start -o json", None, action);
            },
            Named("KS-PROXY-RANGES", 3),
            Nothing,
        ),
        fault(
            "proxy-asked-for-the-cluster",
            "the same, and kubectl sends requests for the API server to the proxy",
            Ready,
            |t| kubectl_says(t, "--context", None, "Unable to connect to the server: Bad Gateway"),
            Named("KS-PROXY-RANGES", 3),
            All,
        ),
        fault(
            "manifest-refused",
            "nothing listens at the manifest's address",
            Ready,
            |_| {},
            Named("KS-DOWNLOAD-CONNECTION", 1),
            All,
        )
        .by(&["up", "--manifests", "http://127.0.0.1:1/strimzi.yaml"]),
        fault(
            "manifest-missing",
            "the manifest file does not exist",
            Fresh,
            |_| {},
            Named("KS-MANIFEST-UNREADABLE", 2),
            Nothing,
        )
        .by(&["up", "--manifests", "missing.yaml"]),
    ]
}
