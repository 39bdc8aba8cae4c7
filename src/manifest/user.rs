//! A user's resource, and what a Kafka needs so that users can come.

use serde_json::{Value, json};

use super::Object;
use super::listener;
use super::render::{CLUSTER_LABEL, place, template};
use crate::catalogue::Release;
use crate::names::acl::{Quota, Rule};
use crate::names::{ClusterName, DnsLabel, UserName, Version};

/// How a user proves who it is.
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

    /// From that `type`.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Tls, Self::Scram].into_iter().find(|a| a.strimzi() == text)
    }

    /// The listener that kstrim adds for it. The presets' own listeners stay as they are: whoever
    /// uses them needs no credentials.
    pub fn listener(self) -> Value {
        let (name, port) = match self {
            Self::Tls => ("mtls", 9095),
            Self::Scram => ("scram", 9096),
        };
        json!({"name": name, "port": port, "type": "internal", "tls": true,
            "authentication": {"type": self.strimzi()}})
    }
}

/// What to render a user for.
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
    /// How it proves who it is.
    pub authentication: Authentication,
    /// What it may do; without any nothing is said about it.
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

/// A rule as the release writes it: before 0.32.0 each has one `operation`.
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

/// The listener of a Kafka that takes users of this kind inside the cluster, if it has one: of its spec.
pub fn listener_for(kafka: &Value, authentication: Authentication) -> Option<&Value> {
    listener_where(kafka, authentication, |l| !listener::is_host(l))
}

/// The same of those listeners that are `fit`.
pub fn listener_where(
    kafka: &Value,
    authentication: Authentication,
    fit: impl Fn(&Value) -> bool,
) -> Option<&Value> {
    let listeners = kafka.pointer("/spec/kafka/listeners")?.as_array()?;
    let how = |l: &Value| l.pointer("/authentication/type").and_then(Value::as_str).map(str::to_owned);
    listeners.iter().find(|l| how(l).as_deref() == Some(authentication.strimzi()) && fit(l))
}

/// Whether a Kafka heeds access rules at all.
pub fn authorizes(kafka: &Value) -> bool {
    kafka.pointer("/spec/kafka/authorization/type").is_some_and(Value::is_string)
}

/// What has to be merged into a Kafka's spec so that it takes such a user, with a sentence for each
/// part. `None` if nothing is missing.
pub fn preparation(
    kafka: &Value,
    authentication: Authentication,
    acls: bool,
) -> Option<(Value, Vec<String>)> {
    let mut patch = json!({});
    let mut said = Vec::new();
    if listener_for(kafka, authentication).is_none() {
        let new = authentication.listener();
        let mut listeners = kafka.pointer("/spec/kafka/listeners").and_then(Value::as_array).cloned();
        let all = listeners.get_or_insert_default();
        all.retain(|l| l["name"] != new["name"]);
        all.push(new.clone());
        patch["spec"]["kafka"]["listeners"] = json!(all);
        said.push(format!(
            "a listener {} on port {} with {}",
            new["name"].as_str().unwrap_or_default(),
            new["port"],
            authentication.strimzi()
        ));
    }
    if acls && !authorizes(kafka) {
        // Whoever comes over a listener without authentication is ANONYMOUS: as a super user it may
        // do what it could before, and the presets' plain listener keeps working.
        patch["spec"]["kafka"]["authorization"] = json!({"type": "simple", "superUsers": ["ANONYMOUS"]});
        said.push(
            "authorization; who comes over a listener without authentication may do everything, as before"
                .into(),
        );
    }
    (!said.is_empty()).then_some((patch, said))
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
    fn a_user_has_what_was_asked_for_and_no_more() {
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

    #[test]
    fn a_kafka_gets_only_what_it_lacks() {
        let plain = json!({"name": "plain", "port": 9092, "type": "internal", "tls": false});
        let kafka = json!({"spec": {"kafka": {"listeners": [plain]}}});
        let (patch, said) = preparation(&kafka, Authentication::Tls, true).unwrap();
        let listeners = patch["spec"]["kafka"]["listeners"].as_array().unwrap();
        assert_eq!(listeners[0], plain);
        assert_eq!(listeners[1]["authentication"]["type"], "tls");
        assert_eq!(patch["spec"]["kafka"]["authorization"]["superUsers"], json!(["ANONYMOUS"]));
        assert_eq!(said.len(), 2);
        let has = json!({"spec": {"kafka": {"listeners": listeners, "authorization": {"type": "opa"}}}});
        assert_eq!(preparation(&has, Authentication::Tls, true), None);
        let (patch, _) = preparation(&has, Authentication::Scram, false).unwrap();
        assert_eq!(patch["spec"]["kafka"]["listeners"].as_array().unwrap().len(), 3);
        assert!(patch["spec"]["kafka"]["authorization"].is_null());
    }
}
