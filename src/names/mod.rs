//! Validated names and versions. Each parses from the command line (`FromStr`), is rejected with the rule that it
//! violates and the nearest valid name, and once built is safe in an argv: none can begin with a dash or contain a
//! slash, a space or a control character.

pub(crate) mod acl;
mod component;
mod context;
pub(crate) mod image;
pub(crate) mod machine;
mod setting;
mod tool;
mod version;

use std::fmt;
use std::str::FromStr;

pub use component::ComponentName;
pub(crate) use context::{ContextName, is_context};
pub use machine::memory_mb;
use serde::{Deserialize, Serialize};
pub(crate) use setting::{Setting, plain};
pub use tool::{Tool, ToolSpec};
pub use version::{KubernetesVersion, Minor, Version};

/// Why a name was rejected: one sentence with the rule and, if there is one, a valid name close to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    what: &'static str,
    given: String,
    rule: &'static str,
    suggestion: Option<String>,
}

impl NameError {
    /// A valid name close to the rejected one.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug quoting: a rejected name may contain terminal control characters.
        write!(f, "{:?} is not a valid {}: {}", shorten(&self.given), self.what, self.rule)?;
        match &self.suggestion {
            Some(name) => write!(f, "; try {name:?}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for NameError {}

fn shorten(given: &str) -> String {
    const SHOWN: usize = 80;
    if given.chars().count() <= SHOWN {
        return given.to_owned();
    }
    given.chars().take(SHOWN).chain("...".chars()).collect()
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:expr, $valid:path, $suggest:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// The rule, for help texts and errors.
            pub const RULE: &'static str = $rule;

            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(given: &str) -> Result<Self, NameError> {
                if $valid(given) {
                    return Ok(Self(given.to_owned()));
                }
                let suggestion = Some($suggest(given)).filter(|suggested| $valid(suggested));
                Err(NameError { what: $what, given: given.to_owned(), rule: $rule, suggestion })
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;

            fn try_from(given: String) -> Result<Self, NameError> {
                given.parse()
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// A minikube profile, which is also the context's, the node's and the container's name. minikube's rule
    /// (`ProfileNameValid` in its `pkg/minikube/config/profile.go`): labels of letters, digits and inner dashes
    /// joined by dots, two characters or more. At most 63 here, the limit of the node's host name.
    ProfileName, "minikube profile",
    "2 to 63 letters, digits, '-' and '.', each part between dots beginning and ending with a letter or digit",
    profile_ok, suggest_profile
}

name! {
    /// A DNS-1123 label: for example a namespace.
    DnsLabel, "name",
    "1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit (DNS-1123 label)",
    label_ok, suggest_label
}

name! {
    /// A snapshot of a profile, which is also the name of its file.
    SnapshotName, "snapshot name",
    "1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit",
    label_ok, suggest_label
}

name! {
    /// A Kafka cluster (the `Kafka` resource's name). Strimzi creates Services named after it, which are DNS-1035
    /// labels: they start with a letter, and the longest, `NAME-zookeeper-client`, must fit in 63 characters.
    ClusterName, "Kafka cluster name",
    "1 to 46 lower-case letters, digits and '-', beginning with a letter and ending with a letter or digit \
     (Strimzi appends up to 17 characters for its Services, which may have 63)",
    cluster_ok, suggest_cluster
}

name! {
    /// A Kafka topic, by Kafka's own rule (`org.apache.kafka.common.internals.Topic`), except those that begin with a
    /// dash, which no command line accepts.
    TopicName, "topic name",
    "1 to 249 ASCII letters, digits, '.', '_' and '-', not beginning with '-', and neither '.' nor '..'",
    topic_ok, suggest_topic
}

/// Whether Kafka or Strimzi's topic operator uses this topic itself. The topic operator of Strimzi 0.40 and before
/// creates `KafkaTopic`s for them.
pub(crate) fn is_internal_topic(topic: &str) -> bool {
    const KAFKAS: [&str; 5] = [
        "__consumer_offsets",
        "__transaction_state",
        "__share_group_state",
        "__cluster_metadata",
        "__remote_log_metadata",
    ];
    KAFKAS.contains(&topic)
        || topic == "__strimzi_store_topic"
        || topic.starts_with("__strimzi-topic-operator-kstreams-")
}

name! {
    /// A Kafka user (the `KafkaUser` resource's name): a DNS-1123 subdomain of at most 64 characters, the limit of a
    /// certificate's common name.
    UserName, "user name",
    "1 to 64 lower-case letters, digits, '-' and '.', each part between dots beginning and ending with a letter or digit",
    user_ok, suggest_user
}

name! {
    /// The size of a volume as a Kubernetes quantity: `100Gi`.
    StorageSize, "storage size",
    "a number with one of Mi, Gi, Ti, M, G or T, such as 100Gi",
    storage_ok, suggest_storage
}

name! {
    /// The registry of images, instead of their own: `registry.example:5000/mirror`.
    ImageRegistry, "image registry",
    "a host with a dot or a port (or localhost) and perhaps a path, such as registry.example:5000/mirror, \
     without https://",
    image::registry_ok, image::suggest_registry
}

name! {
    /// An image: `quay.io/strimzi/operator:1.2.0`.
    ImageName, "image name",
    "an image such as quay.io/strimzi/operator:1.2.0",
    image::image_ok, image::suggest_image
}

name! {
    /// A Kubernetes Secret.
    SecretName, "name of a Secret",
    "1 to 253 lower-case letters, digits, '-' and '.', each part between dots beginning and ending with a \
     letter or digit (DNS-1123 subdomain)",
    image::secret_ok, image::suggest_secret
}

fn storage_ok(size: &str) -> bool {
    let digits = size.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let positive = digits.len() <= 9 && digits.parse::<u32>().is_ok_and(|n| n > 0);
    positive
        && digits.bytes().all(|b| b.is_ascii_digit())
        && ["Mi", "Gi", "Ti", "M", "G", "T"].contains(&&size[digits.len()..])
}

fn suggest_storage(size: &str) -> String {
    let digits: String = size.trim().chars().take_while(char::is_ascii_digit).collect();
    format!("{digits}Gi")
}

fn alnum(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn profile_ok(name: &str) -> bool {
    let part =
        |p: &str| p.starts_with(alnum) && p.ends_with(alnum) && p.chars().all(|c| alnum(c) || c == '-');
    (2..=63).contains(&name.len()) && name.split('.').all(part)
}

fn label_ok(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.starts_with(lower)
        && name.ends_with(lower)
        && name.chars().all(|c| lower(c) || c == '-')
}

/// The longest suffix that Strimzi appends to the cluster's name for a Service.
const LONGEST_SERVICE_SUFFIX: usize = "-zookeeper-client".len();

fn cluster_ok(name: &str) -> bool {
    label_ok(name)
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 63 - LONGEST_SERVICE_SUFFIX
}

fn topic_ok(name: &str) -> bool {
    (1..=249).contains(&name.len())
        && !name.starts_with('-')
        && name != "."
        && name != ".."
        && name.chars().all(|c| alnum(c) || "._-".contains(c))
}

/// Replace characters that `keep` rejects with dashes, collapse and trim those, and truncate at `max`.
fn suggest(name: &str, keep: impl Fn(char) -> bool, max: usize) -> String {
    let mut suggested = String::new();
    for c in name.trim().chars().map(|c| if keep(c) { c } else { '-' }) {
        if !(c == '-' && suggested.ends_with(['-', '.'])) && suggested.len() < max {
            suggested.push(c);
        }
    }
    suggested.trim_matches(['-', '.', '_']).to_owned()
}

fn suggest_profile(name: &str) -> String {
    let suggested = suggest(name, |c| alnum(c) || c == '.', 63).replace("-.", ".").replace("..", ".");
    if suggested.len() == 1 { format!("{suggested}{suggested}") } else { suggested }
}

fn user_ok(name: &str) -> bool {
    name.len() <= 64 && name.split('.').all(label_ok)
}

fn suggest_user(name: &str) -> String {
    suggest(&name.to_ascii_lowercase(), |c| lower(c) || c == '.', 64).replace("-.", ".").replace("..", ".")
}

fn suggest_label(name: &str) -> String {
    suggest(&name.to_ascii_lowercase(), lower, 63)
}

fn suggest_cluster(name: &str) -> String {
    let lowered = name.to_ascii_lowercase();
    let from_letter = lowered.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    suggest(from_letter, lower, 63 - LONGEST_SERVICE_SUFFIX)
}

fn suggest_topic(name: &str) -> String {
    suggest(name, |c| alnum(c) || "._".contains(c), 249)
}

impl TopicName {
    /// The name of the `KafkaTopic` resource for it: the topic's own if Kubernetes allows it (DNS-1123 subdomain, at
    /// most 253 characters), otherwise a corrected one with eight digits of a hash, so that `a_b` and `a-b` differ.
    /// `spec.topicName` then contains the topic.
    pub fn resource_name(&self) -> String {
        let valid = self.0.split('.').all(|part| {
            part.starts_with(lower) && part.ends_with(lower) && part.chars().all(|c| lower(c) || c == '-')
        });
        if valid {
            return self.0.clone();
        }
        let digest = crate::sha256::of(self.0.as_bytes());
        let tail = &digest[..8];
        let head = suggest(&self.0.to_ascii_lowercase(), lower, 200);
        if head.is_empty() { format!("topic-{tail}") } else { format!("{head}-{tail}") }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused<T: FromStr<Err = NameError> + fmt::Debug>(given: &str) -> String {
        given.parse::<T>().expect_err("must be refused").to_string()
    }

    #[test]
    fn profiles_follow_minikubes_own_examples() {
        // The cases of minikube's TestProfileNameValid.
        for good in ["profile", "pro-file", "profile1", "1st-2nd-3rd-profile", "12567", "a.b", "kstrim"] {
            assert!(good.parse::<ProfileName>().is_ok(), "{good}");
        }
        for bad in [
            "1",
            "n",
            "pro file",
            "pro-file-",
            "-profile",
            "meaningful_name",
            "_name",
            "N__a.M--E12567",
            "",
            "a..b",
        ] {
            assert!(bad.parse::<ProfileName>().is_err(), "{bad}");
        }
        assert!("a".repeat(64).parse::<ProfileName>().is_err());
    }

    #[test]
    fn a_rejection_names_the_rule_and_a_similar_name() {
        insta::assert_snapshot!(refused::<DnsLabel>("My_Kafka"), @r#""My_Kafka" is not a valid name: 1 to 63 lower-case letters, digits and '-', beginning and ending with a letter or digit (DNS-1123 label); try "my-kafka""#);
        insta::assert_snapshot!(refused::<ProfileName>("--force"), @r#""--force" is not a valid minikube profile: 2 to 63 letters, digits, '-' and '.', each part between dots beginning and ending with a letter or digit; try "force""#);
        insta::assert_snapshot!(refused::<Version>("1.2"), @r#""1.2" is not a valid version: three numbers with dots, such as 1.2.0"#);
        assert!(refused::<TopicName>("a\u{1b}[31m").contains("\\u{1b}"));
    }

    #[test]
    fn a_cluster_leaves_room_for_its_services() {
        let longest = "a".repeat(46);
        assert!(longest.parse::<ClusterName>().is_ok());
        assert!(format!("{longest}-zookeeper-client").parse::<DnsLabel>().is_ok());
        assert!("a".repeat(47).parse::<ClusterName>().is_err());
        assert!("1st".parse::<ClusterName>().is_err(), "a Service begins with a letter");
    }

    #[test]
    fn topics_get_a_resource_name() {
        let name = |topic: &str| topic.parse::<TopicName>().unwrap().resource_name();
        assert_eq!(name("my-topic"), "my-topic");
        assert_eq!(name("a.b"), "a.b");
        assert_ne!(name("a_b"), name("A_b"));
        assert!(name("__consumer_offsets").starts_with("consumer-offsets-"));
        assert!(name("___").starts_with("topic-"));
        for bad in [".", "..", "a b", "ü", &"t".repeat(250)] {
            assert!(bad.parse::<TopicName>().is_err());
        }
    }

    #[test]
    fn users_are_subdomains() {
        for good in ["app", "a.b", "cn-1", &"u".repeat(63)] {
            assert!(good.parse::<UserName>().is_ok(), "{good}");
        }
        for bad in ["", "App", "a_b", "a..b", "-a", "CN=app", &"a.".repeat(40)] {
            assert!(bad.parse::<UserName>().is_err(), "{bad}");
        }
        assert!(refused::<UserName>("My_App").ends_with("try \"my-app\""));
    }

    #[test]
    fn sizes_are_quantities() {
        assert!("100Gi".parse::<StorageSize>().is_ok() && "512Mi".parse::<StorageSize>().is_ok());
        assert!(refused::<StorageSize>("20 GB").ends_with("try \"20Gi\""));
        for bad in ["", "Gi", "0Gi", "-1Gi", "1e3", "+1Gi", "10gi", "1Gi "] {
            assert!(bad.parse::<StorageSize>().is_err(), "{bad}");
        }
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        let v = |text: &str| text.parse::<Version>().unwrap();
        assert!(v("0.9.0") < v("0.30.0") && v("v1.38.1") > v("1.9.0"));
        assert!(v("1.22.2-rc.0") < v("1.22.2"));
        for bad in ["1", "1.2.3.4", "1.-2.3", "1.2.x", "", "1.2.3-", "01.2.3", "99999999999.0.0", "latest"] {
            assert!(bad.parse::<Version>().is_err(), "{bad}");
        }
        assert_eq!("1.34".parse::<KubernetesVersion>().unwrap().minor(), v("1.34.9").minor());
    }

    proptest! {
        #[test]
        fn random_input_does_not_panic_and_suggestions_are_valid(text in "\\PC{0,300}") {
            if let Err(e) = text.parse::<ProfileName>() && let Some(s) = e.suggestion() {
                prop_assert!(s.parse::<ProfileName>().is_ok());
            }
            if let Err(e) = text.parse::<ClusterName>() && let Some(s) = e.suggestion() {
                prop_assert!(s.parse::<ClusterName>().is_ok());
            }
            let _ = (text.parse::<Version>(), text.parse::<Minor>(), text.parse::<KubernetesVersion>());
            if let Ok(topic) = text.parse::<TopicName>() {
                prop_assert!(topic.resource_name().len() <= 253);
            }
        }

        #[test]
        fn resource_names_are_dns_subdomains(topic in "[a-zA-Z0-9._][a-zA-Z0-9._-]{0,248}") {
            prop_assume!(topic != "." && topic != "..");
            let name = topic.parse::<TopicName>().unwrap().resource_name();
            let fine = name.split('.').all(|p| p.starts_with(lower) && p.ends_with(lower) && p.chars().all(|c| lower(c) || c == '-'));
            prop_assert!(fine, "{}", name);
        }
    }
}
