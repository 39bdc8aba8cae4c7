//! Which versions of which kinds a release serves.
//!
//! Strimzi serves all its kinds in the same versions, with these exceptions, which `tests/supply` compares with the
//! definitions in every install manifest: topics and users were served in their first versions as long as in
//! `v1beta2`, node pools exist since 0.36.0, and MirrorMaker 1 existed as long as ZooKeeper was supported.

use super::Release;

/// The kinds of all releases that users write, as in the field `kind`.
pub const KINDS: [&str; 10] = [
    "Kafka",
    "KafkaNodePool",
    "KafkaTopic",
    "KafkaUser",
    "KafkaConnect",
    "KafkaConnector",
    "KafkaMirrorMaker2",
    "KafkaBridge",
    "KafkaRebalance",
    "KafkaMirrorMaker",
];

/// The first versions of topics and users.
const FIRST: [&str; 2] = ["v1beta1", "v1alpha1"];

impl Release {
    /// Whether a release serves a kind of the group `kafka.strimzi.io` in a version.
    pub fn serves(&self, kind: &str, version: &str) -> bool {
        let exists = match kind {
            "KafkaNodePool" => self.kraft.node_pools,
            "KafkaMirrorMaker" => self.zookeeper,
            kind => KINDS.contains(&kind),
        };
        let served = |version: &str| self.api_versions.iter().any(|served| served == version);
        let first =
            FIRST.contains(&version) && matches!(kind, "KafkaTopic" | "KafkaUser") && served("v1beta2");
        exists && (served(version) || first)
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::find;

    #[test]
    fn kinds_are_served_only_by_their_releases() {
        let serves = |release: &str, kind: &str, version: &str| {
            let release = find(&release.parse().expect("a version")).expect("a release");
            release.serves(kind, version)
        };
        assert!(serves("0.51.0", "Kafka", "v1beta2") && serves("0.51.0", "Kafka", "v1"));
        assert!(serves("1.0.0", "Kafka", "v1") && !serves("1.0.0", "Kafka", "v1beta2"));
        assert!(
            serves("0.36.0", "KafkaNodePool", "v1beta2") && !serves("0.35.1", "KafkaNodePool", "v1beta2")
        );
        assert!(
            serves("0.45.2", "KafkaMirrorMaker", "v1beta2")
                && !serves("0.46.0", "KafkaMirrorMaker", "v1beta2")
        );
        assert!(serves("0.51.0", "KafkaTopic", "v1alpha1") && !serves("1.0.0", "KafkaTopic", "v1alpha1"));
        assert!(!serves("0.51.0", "Kafka", "v1beta1") && !serves("1.2.0", "Deployment", "v1"));
    }
}
