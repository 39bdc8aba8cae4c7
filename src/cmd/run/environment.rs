//! The environment of the command: addresses, names, and the paths of files with credentials. No variable contains a
//! secret: other programs of this user can read a process's environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::access::Access;
use crate::cli::{Global, NeededTopic};
use crate::cmd::living::Living;
use crate::cmd::user::{self, User, export};
use crate::failure::{Failure, Kind, Result};
use crate::manifest::user::Authentication;
use crate::names::TopicName;
use crate::paths::{private_dir, unwritable, write_private};

/// Variables that kstrim sets or removes: an inherited value could refer the command to another cluster.
const CLEARED: [&str; 15] = [
    "KAFKA_BOOTSTRAP_SERVERS",
    "KAFKA_SECURITY_PROTOCOL",
    "KAFKA_SSL_CA_FILE",
    "KAFKA_SSL_CERTIFICATE_FILE",
    "KAFKA_SSL_KEY_FILE",
    "KAFKA_SASL_MECHANISM",
    "KAFKA_SASL_USERNAME",
    "KAFKA_SASL_PASSWORD_FILE",
    "KSTRIM_CLIENT_PROPERTIES",
    "KSTRIM_LIBRDKAFKA_PROPERTIES",
    "KSTRIM_PROFILE",
    "KSTRIM_CONTEXT",
    "KSTRIM_PREFIX",
    "KSTRIM_NAMESPACE",
    "KSTRIM_CLUSTER",
];

/// The environment of the command, in addition to kstrim's own.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// Variables and their values.
    pub set: BTreeMap<String, OsString>,
}

impl Environment {
    fn put(&mut self, name: &str, value: impl Into<OsString>) {
        self.set.insert(name.to_owned(), value.into());
    }

    /// Variables that the command does not inherit.
    pub(crate) fn without() -> &'static [&'static str] {
        &CLEARED
    }

    /// The cluster, the run and its topics.
    pub(crate) fn of_run(global: &Global, id: &str, prefix: Option<&str>, topics: &[Topic]) -> Self {
        let mut made = Self::default();
        match &global.context {
            // The profile is a stand-in for the context; both together would be a contradiction.
            Some(context) => made.put("KSTRIM_CONTEXT", context.to_string()),
            None => made.put("KSTRIM_PROFILE", global.profile.to_string()),
        }
        made.put("KSTRIM_NAMESPACE", global.namespace.to_string());
        made.put("KSTRIM_CLUSTER", global.cluster.to_string());
        made.put("KSTRIM_RUN_ID", id);
        if let Some(prefix) = prefix {
            made.put("KSTRIM_PREFIX", prefix);
        }
        for topic in topics {
            made.put(&topic.variable, topic.name.to_string());
        }
        made
    }

    /// How to connect: variables, and files below `folder`, the directory of the run.
    pub(crate) async fn connect(
        &mut self,
        living: &Living,
        access: &Access,
        user: Option<(&User, Authentication)>,
        folder: &Path,
    ) -> Result<()> {
        let folder = folder.join("client");
        private_dir(&folder).map_err(|e| Box::new(unwritable(&folder, &e)))?;
        let (servers, file) = (access.servers(), |name: &str| folder.join(name));
        self.put("KAFKA_BOOTSTRAP_SERVERS", &servers);
        self.put("KSTRIM_CLIENT_PROPERTIES", file("client.properties"));
        self.put("KSTRIM_LIBRDKAFKA_PROPERTIES", file("librdkafka.properties"));
        let mut rdkafka = vec![("bootstrap.servers", servers.clone())];
        let Some((user, how)) = user else {
            self.put("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT");
            rdkafka.push(("security.protocol", "PLAINTEXT".to_owned()));
            write(&file("client.properties"), &properties(&rdkafka))?;
            return write(&file("librdkafka.properties"), &properties(&rdkafka));
        };
        let secrets = user::secrets(living, user).await?;
        let note =
            "# This address is on this machine, and is open while the command of kstrim run is running.";
        let target = export::Target { how, tls: true, bootstrap: &servers, note };
        export::files(&folder, living, user, &secrets, &target).await?;
        let shown = |path: PathBuf| path.display().to_string();
        let protocol = match how {
            Authentication::Tls => "SSL",
            Authentication::Scram => "SASL_SSL",
        };
        self.put("KAFKA_SECURITY_PROTOCOL", protocol);
        self.put("KAFKA_SSL_CA_FILE", file("ca.crt"));
        rdkafka.push(("security.protocol", protocol.to_owned()));
        rdkafka.push(("ssl.ca.location", shown(file("ca.crt"))));
        match how {
            Authentication::Tls => {
                self.put("KAFKA_SSL_CERTIFICATE_FILE", file("user.crt"));
                self.put("KAFKA_SSL_KEY_FILE", file("user.key"));
                rdkafka.push(("ssl.certificate.location", shown(file("user.crt"))));
                rdkafka.push(("ssl.key.location", shown(file("user.key"))));
            }
            Authentication::Scram => {
                let password = secrets.get("password").cloned().unwrap_or_default();
                write(&file("password"), &password)?;
                self.put("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512");
                self.put("KAFKA_SASL_USERNAME", user.user.clone());
                self.put("KAFKA_SASL_PASSWORD_FILE", file("password"));
                rdkafka.push(("sasl.mechanism", "SCRAM-SHA-512".to_owned()));
                rdkafka.push(("sasl.username", user.user.clone()));
                rdkafka.push(("sasl.password", password));
            }
        }
        write(&file("librdkafka.properties"), &properties(&rdkafka))
    }
}

fn properties(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn write(path: &Path, text: &str) -> Result<()> {
    write_private(path, text.as_bytes()).map_err(|e| Box::new(unwritable(path, &e)))
}

/// A topic that the command needs, with its name in Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    /// What was requested.
    pub needed: NeededTopic,
    /// Its name in Kafka.
    pub name: TopicName,
    /// The variable with this name: `KSTRIM_TOPIC_ORDERS`.
    pub variable: String,
}

/// The topics with their names in Kafka.
///
/// # Errors
/// `KS-USAGE` if two topics have the same variable, or a name with its prefix is too long.
pub(crate) fn topics(needed: &[NeededTopic], prefix: Option<&str>) -> Result<Vec<Topic>> {
    let refused = |message: String| Box::new(Failure::new(crate::errors::USAGE, Kind::Usage, message));
    let mut topics: Vec<Topic> = Vec::new();
    for needed in needed {
        let real = format!("{}{}", prefix.unwrap_or_default(), needed.name);
        let name = real.parse().map_err(|e| {
            refused(format!("the topic {} cannot have the prefix of --isolate", needed.name)).because(e)
        })?;
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let variable =
            format!("KSTRIM_TOPIC_{}", needed.name.as_str().chars().map(letter).collect::<String>());
        if let Some(other) = topics.iter().find(|topic| topic.variable == variable) {
            let names = format!("the topics {} and {}", other.needed.name, needed.name);
            return Err(refused(format!("{names} cannot be used together: both would be in {variable}")));
        }
        topics.push(Topic { needed: needed.clone(), name, variable });
    }
    Ok(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_topic_has_a_variable_with_its_name() {
        let needed =
            |names: &[&str]| names.iter().map(|n| n.parse().expect("valid")).collect::<Vec<NeededTopic>>();
        let named = topics(&needed(&["orders:3", "Audit.log-1"]), Some("run-1-")).expect("valid");
        let pairs: Vec<_> = named.iter().map(|t| (t.variable.as_str(), t.name.as_str())).collect();
        assert_eq!(
            pairs,
            [("KSTRIM_TOPIC_ORDERS", "run-1-orders"), ("KSTRIM_TOPIC_AUDIT_LOG_1", "run-1-Audit.log-1")]
        );
        assert!(topics(&needed(&["a-b", "a.b"]), None).is_err());
        assert!(topics(&needed(&["a", "a:3"]), None).is_err());
        let long = "x".repeat(245);
        assert!(
            topics(&needed(&[&long]), None).is_ok() && topics(&needed(&[&long]), Some("run-1-")).is_err()
        );
    }
}
