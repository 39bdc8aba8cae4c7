//! The resource of a user.

use serde_json::{Value, json};

use super::Object;
use super::render::{CLUSTER_LABEL, place, template};
use crate::catalogue::Release;
use crate::names::acl::{Quota, Rule};
use crate::names::{ClusterName, DnsLabel, UserName, Version};

/// How a user authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// By a client certificate.
    Tls,
    /// By a password, SCRAM-SHA-512.
    Scram,
}

impl Authentication {
    /// `type` of an authentication, in users and in listeners.
    pub const fn strimzi(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Scram => "scram-sha-512",
        }
    }

    /// The authentication with this `type`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Tls, Self::Scram].into_iter().find(|a| a.strimzi() == text)
    }

    /// Name and port of the listener that kstrim adds for it, if both are free.
    pub const fn listener_defaults(self) -> (&'static str, u16) {
        match self {
            Self::Tls => ("mtls", 9095),
            Self::Scram => ("scram", 9096),
        }
    }

    /// The listener that kstrim adds for it. The presets' own listeners are not changed: their clients need no
    /// credentials.
    pub fn listener(self, name: &str, port: u16) -> Value {
        json!({"name": name, "port": port, "type": "internal", "tls": true,
            "authentication": {"type": self.strimzi()}})
    }
}

/// The input for rendering a user.
#[derive(Debug, Clone)]
pub struct UserInput<'a> {
    /// The Strimzi release.
    pub release: &'a Release,
    /// The namespace.
    pub namespace: &'a DnsLabel,
    /// The Kafka cluster's name.
    pub cluster: &'a ClusterName,
    /// The user's name.
    pub user: &'a UserName,
    /// Its authentication.
    pub authentication: Authentication,
    /// Its permissions; if there are none, the resource does not mention them.
    pub acls: &'a [Rule],
    /// Its limits.
    pub quotas: &'a [Quota],
}

/// The user's resource.
pub fn user(input: &UserInput<'_>) -> Object {
    let mut object = template(include_str!("../../templates/user.yaml"));
    place(&mut object, input.release, input.namespace, input.user.as_str());
    object.set(&["metadata", "labels", CLUSTER_LABEL], input.cluster.as_str());
    object.set(&["spec", "authentication", "type"], input.authentication.strimzi());
    if !input.acls.is_empty() {
        let acls: Vec<Value> = input.acls.iter().flat_map(|rule| acls(rule, input.release)).collect();
        object.set(&["spec", "authorization"], json!({"type": "simple", "acls": acls}));
    }
    for quota in input.quotas {
        let (field, limit) = quota.entry();
        object.set(&["spec", "quotas", field], limit);
    }
    object
}

/// The first release whose rules have a list of operations.
fn many_operations() -> Version {
    "0.32.0".parse().unwrap_or_else(|_| unreachable!("a valid version"))
}

/// A rule in the form of the release: before 0.32.0 each has one `operation`.
fn acls(rule: &Rule, release: &Release) -> Vec<Value> {
    let rule = rule.value();
    if release.version >= many_operations() {
        return vec![rule];
    }
    let single = |operation: &Value| {
        let mut single = rule.clone();
        if let Some(fields) = single.as_object_mut() {
            fields.remove("operations");
            fields.insert("operation".to_owned(), operation.clone());
        }
        single
    };
    rule["operations"].as_array().into_iter().flatten().map(single).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{find, releases};

    fn input<'a>(
        release: &'a Release,
        names: &'a (DnsLabel, ClusterName, UserName),
        acls: &'a [Rule],
        quotas: &'a [Quota],
    ) -> UserInput<'a> {
        UserInput {
            release,
            namespace: &names.0,
            cluster: &names.1,
            user: &names.2,
            authentication: Authentication::Scram,
            acls,
            quotas,
        }
    }

    #[test]
    fn a_user_has_only_what_was_requested() {
        let names = ("kafka".parse().unwrap(), "my-cluster".parse().unwrap(), "app".parse().unwrap());
        let release = find(&"1.2.0".parse().unwrap()).unwrap();
        let plain = user(&input(release, &names, &[], &[]));
        assert_eq!(plain.get("/spec").unwrap(), &json!({"authentication": {"type": "scram-sha-512"}}));
        let acls = ["topic:orders:read".parse().unwrap()];
        let quotas = ["produce=1m".parse().unwrap(), "request=25".parse().unwrap()];
        let full = user(&input(release, &names, &acls, &quotas));
        assert_eq!(
            full.get("/spec").unwrap(),
            &json!({"authentication": {"type": "scram-sha-512"},
                "authorization": {"type": "simple", "acls": [{"resource":
                    {"type": "topic", "name": "orders", "patternType": "literal"}, "operations": ["Read"]}]},
                "quotas": {"producerByteRate": 1_048_576, "requestPercentage": 25}})
        );
        assert_eq!(full.get("/metadata/labels/strimzi.io~1cluster").unwrap(), "my-cluster");
        for release in releases() {
            assert_eq!(user(&input(release, &names, &acls, &[])).api_version(), release.api_version());
        }
    }
}
