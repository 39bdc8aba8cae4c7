//! The network of this machine and of the node, proxies and downloads.

use super::{End::Named, Fault, Left, World, fault, kubectl_says, minikube_fails};
use crate::harness::{Registry, Test};

fn registry(test: &mut Test, registry: Registry) {
    test.rescenario(|s| s.registry = registry);
}

pub fn faults() -> Vec<Fault> {
    use Left::{All, Kafka, Nothing};
    use World::{Fresh, Ready};
    vec![
        fault(
            "dns",
            "no name can be resolved when minikube asks",
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
            "every private range of addresses is taken",
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
            Named("KS-IMAGE-PULL", 1),
            Kafka,
        ),
        fault(
            "api-gone",
            "the API server goes away and stays away",
            Ready,
            |t| {
                let words = "The connection to the server 192.168.49.2:8443 was refused - did you specify the right host or port?";
                kubectl_says(t, "customresourcedefinitions", None, words);
            },
            Named("KS-API-UNREACHABLE", 1),
            All,
        ),
    ]
}
