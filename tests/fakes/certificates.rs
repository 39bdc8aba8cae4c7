//! Certificates: those of Strimzi's in Secrets, those of minikube's in its folder.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::desired::{labels, of_kafka};
use crate::kinds::builtin;
use crate::scenario::Scenario;

const OLD: &str = include_str!("../fixtures/ended-2021.crt");
const SIGNER: &str = include_str!("../fixtures/tls/ca.crt");
const NEW: &str = include_str!("../fixtures/until-2120.crt");

fn of(scenario: &Scenario, whose: &str) -> &'static str {
    if scenario.expired.iter().any(|e| e == whose) { OLD } else { NEW }
}

/// The authorities of a Kafka cluster.
pub fn secrets(c: &mut Cluster, kafka: &Value) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    for suffix in ["cluster-ca-cert", "clients-ca-cert"] {
        let name = format!("{cluster}-{suffix}");
        if c.get(&format!("secrets/{ns}/{name}")).is_some() {
            continue;
        }
        // The brokers' certificates are signed by this one.
        let good = !c.scenario.expired.iter().any(|e| e == "strimzi");
        let certificate = STANDARD.encode(if good { SIGNER } else { OLD });
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": ns, "labels": labels(cluster, "kafka", "certificate-authority"),
                "ownerReferences": [of_kafka(kafka)]},
            "data": {"ca.crt": certificate, "ca.password": STANDARD.encode("planted-password")}});
        c.create(&builtin("secrets"), secret);
    }
}

/// Both authorities' certificates in one Secret, for whatever trusts them, and who may come to the brokers.
pub fn trust(c: &mut Cluster, kafka: &Value) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    let name = format!("{cluster}-trustbundle");
    if c.get(&format!("secrets/{ns}/{name}")).is_none() {
        let bundle = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": ns, "labels": labels(cluster, "trust-bundle", "trust-bundle"),
                "ownerReferences": [of_kafka(kafka)]},
            "data": {"cluster-ca.crt": STANDARD.encode(SIGNER), "clients-ca.crt": STANDARD.encode(SIGNER)}});
        c.create(&builtin("secrets"), bundle);
    }
    let name = format!("{cluster}-network-policy-kafka");
    if c.get(&format!("networkpolicies.networking.k8s.io/{ns}/{name}")).is_none() {
        let policy = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": ns, "labels": labels(cluster, "kafka", "kafka"),
                "ownerReferences": [of_kafka(kafka)]},
            "spec": {"podSelector": {"matchLabels": {"strimzi.io/cluster": cluster, "strimzi.io/kind": "Kafka",
                    "strimzi.io/name": format!("{cluster}-kafka")}},
                "policyTypes": ["Ingress"],
                "ingress": [{"ports": [{"port": 9092, "protocol": "TCP"}]}]}});
        c.create(&builtin("networkpolicies"), policy);
    }
}

/// What `-o go-template={{index .data "KEY" | base64decode}}` makes of a Secret.
pub fn template(secret: &Value, template: &str) -> Option<String> {
    let key = template.strip_prefix(r#"{{index .data ""#)?.strip_suffix(r#"" | base64decode}}"#)?;
    let bytes = STANDARD.decode(secret["data"][key].as_str()?).ok()?;
    String::from_utf8(bytes).ok()
}

/// The files that a start leaves in minikube's folder.
pub fn files(scenario: &Scenario, profile: &str) {
    let home = crate::minikube::home();
    let folder = format!("{home}/profiles/{profile}");
    let _ = std::fs::create_dir_all(&folder);
    let _ = std::fs::write(format!("{home}/ca.crt"), NEW);
    for name in ["client.crt", "apiserver.crt"] {
        let _ = std::fs::write(format!("{folder}/{name}"), of(scenario, "minikube"));
    }
}
