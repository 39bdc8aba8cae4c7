//! Certificates: Strimzi's in Secrets, minikube's in its directory.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::desired::{labels, of_kafka};
use crate::scenario::Scenario;

const OLD: &str = include_str!("../fixtures/ended-2021.crt");
const SIGNER: &str = include_str!("../fixtures/tls/ca.crt");
const NEW: &str = include_str!("../fixtures/until-2120.crt");

fn of(scenario: &Scenario, whose: &str) -> &'static str {
    if scenario.expired.iter().any(|e| e == whose) { OLD } else { NEW }
}

/// The authorities of a Kafka cluster.
pub fn secrets(c: &mut Cluster, kafka: &Value) {
    // The brokers' certificates are signed by this one.
    let good = !c.scenario.expired.iter().any(|e| e == "strimzi");
    let data = json!({"ca.crt": STANDARD.encode(if good { SIGNER } else { OLD }),
        "ca.password": STANDARD.encode("planted-password")});
    for name in ["cluster-ca-cert", "clients-ca-cert"] {
        secret(c, kafka, name, "kafka", "certificate-authority", &data);
    }
}

fn secret(c: &mut Cluster, kafka: &Value, suffix: &str, name: &str, component: &str, data: &Value) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    c.ensure(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": data,
        "metadata": {"name": format!("{cluster}-{suffix}"), "namespace": ns,
            "labels": labels(cluster, name, component), "ownerReferences": [of_kafka(kafka)]}}));
}

/// Both authorities' certificates in one Secret, for clients, and the NetworkPolicy of the brokers.
pub fn trust(c: &mut Cluster, kafka: &Value) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    let signer = STANDARD.encode(SIGNER);
    let bundle = json!({"cluster-ca.crt": signer, "clients-ca.crt": signer});
    secret(c, kafka, "trustbundle", "trust-bundle", "trust-bundle", &bundle);
    c.ensure(json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
        "metadata": {"name": format!("{cluster}-network-policy-kafka"), "namespace": ns,
            "labels": labels(cluster, "kafka", "kafka"), "ownerReferences": [of_kafka(kafka)]},
        "spec": {"podSelector": {"matchLabels": {"strimzi.io/cluster": cluster, "strimzi.io/kind": "Kafka",
                "strimzi.io/name": format!("{cluster}-kafka")}},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": 9092, "protocol": "TCP"}]}]}}));
}

/// The output of `-o go-template={{index .data "KEY" | base64decode}}` for a Secret.
pub fn template(secret: &Value, template: &str) -> Option<String> {
    let key = template.strip_prefix(r#"{{index .data ""#)?.strip_suffix(r#"" | base64decode}}"#)?;
    let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

/// The certificate authority of minikube, as namespaces publish it.
pub fn authority() -> String {
    std::fs::read_to_string(format!("{}/ca.crt", crate::minikube::home()))
        .unwrap_or_else(|_| "REDACTED".into())
}

/// The files that a start leaves in minikube's directory.
pub fn files(scenario: &Scenario, profile: &str) {
    let home = crate::minikube::home();
    let folder = format!("{home}/profiles/{profile}");
    let _ = std::fs::create_dir_all(&folder);
    let _ = std::fs::write(format!("{home}/ca.crt"), NEW);
    for name in ["client.crt", "apiserver.crt"] {
        let _ = std::fs::write(format!("{folder}/{name}"), of(scenario, "minikube"));
    }
}
