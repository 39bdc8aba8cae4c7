//! The output of `kstrim connect`: addresses of the brokers, and configuration to copy.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cluster::listener::{HOST, host_defaults};
use crate::cmd::living::Living;
use crate::cmd::user::{self, User, export};
use crate::config::Target;
use crate::event::SmokeReport;
use crate::failure::Result;
use crate::manifest::user::Authentication;

/// How to connect to the brokers. It contains no secrets.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Connected {
    /// Bootstrap address: the first broker.
    pub bootstrap: String,
    /// Name of the listener in the Kafka resource.
    pub listener: String,
    /// Kafka's security protocol: PLAINTEXT, SSL or SASL_SSL.
    pub security_protocol: String,
    /// The authenticated user; null without authentication.
    pub user: Option<String>,
    /// All brokers, by id.
    pub brokers: Vec<Broker>,
    /// Files that --export wrote: certificates and keys, and client.properties.
    pub files: Vec<String>,
    /// Configuration to copy. None contains a password: programs read it from KAFKA_PASSWORD.
    pub snippets: Snippets,
    /// Result of --check; null without it.
    pub checked: Option<Checked>,
    #[serde(skip)]
    how: Option<Authentication>,
    #[serde(skip)]
    target: Target,
}

/// A broker as it advertises itself to programs on this machine.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Broker {
    /// Its node id.
    pub id: i32,
    /// Its current pod.
    pub pod: Option<String>,
    /// Its address.
    pub address: String,
}

impl Broker {
    pub(super) fn new(id: i32, pod: Option<String>, port: u16) -> Self {
        Self { id, pod, address: format!("{HOST}:{port}") }
    }
}

/// Configuration for programs, in four forms.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub(crate) struct Snippets {
    /// For Kafka's own tools and Java clients: a properties file.
    pub properties: String,
    /// For librdkafka and programs based on it: kcat and the clients of most languages.
    pub librdkafka: String,
    /// A Java program.
    pub java: String,
    /// A Python program, with confluent-kafka.
    pub python: String,
}

/// Result of a check.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct Checked {
    /// The topic.
    pub topic: String,
    /// Messages that were produced and consumed unchanged.
    pub messages: u64,
    /// Time to produce, in milliseconds.
    pub produce_ms: u64,
    /// Time to consume, in milliseconds.
    pub consume_ms: u64,
}

impl Checked {
    pub(super) fn of(report: &SmokeReport) -> Self {
        let (produce_ms, consume_ms) = (report.produce_ms, report.consume_ms);
        Self { topic: report.topic.clone(), messages: report.verified, produce_ms, consume_ms }
    }
}

impl Connected {
    /// The addresses of brokers with these ports.
    pub(super) fn new(
        ports: &BTreeMap<i32, u16>,
        user: Option<&str>,
        how: Option<Authentication>,
        target: &Target,
    ) -> Self {
        // The lowest port, which remains that of the first broker when others are added.
        let first = ports.values().min().copied().unwrap_or_default();
        let protocol = match how {
            None => "PLAINTEXT",
            Some(Authentication::Tls) => "SSL",
            Some(Authentication::Scram) => "SASL_SSL",
        };
        let mut made = Self {
            bootstrap: format!("{HOST}:{first}"),
            listener: host_defaults(how).0.to_owned(),
            security_protocol: protocol.to_owned(),
            user: user.map(str::to_owned),
            brokers: Vec::new(),
            files: Vec::new(),
            snippets: Snippets::default(),
            checked: None,
            how,
            target: target.clone(),
        };
        made.snippets = made.snippets_for(Path::new("DIR"));
        made
    }

    /// Write the client's files, if a directory was specified, and refer to it in the snippets.
    pub(super) async fn export(&mut self, living: &Living, user: &User, folder: Option<&Path>) -> Result<()> {
        let (Some(folder), Some(how)) = (folder, self.how) else { return Ok(()) };
        let secrets = user::secrets(living, user).await?;
        let note = "# This address is on this machine, and is open while kstrim connect is running.";
        let target = export::Target { how, tls: true, bootstrap: &self.bootstrap, note };
        self.files = export::files(folder, living, user, &secrets, &target).await?;
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        self.snippets = self.snippets_for(&folder);
        Ok(())
    }

    fn snippets_for(&self, folder: &Path) -> Snippets {
        let file = |name: &str| folder.join(name).display().to_string();
        let user = self.user.as_deref().unwrap_or_default();
        let mut properties = vec![("security.protocol", self.security_protocol.clone())];
        let mut rdkafka = properties.clone();
        if self.how.is_some() {
            properties.push(("ssl.truststore.type", "PEM".into()));
            properties.push(("ssl.truststore.location", file("ca.crt")));
            rdkafka.push(("ssl.ca.location", file("ca.crt")));
        }
        match self.how {
            None => {}
            Some(Authentication::Tls) => {
                properties.push(("ssl.keystore.type", "PEM".into()));
                properties.push(("ssl.keystore.location", file("user.pem")));
                rdkafka.push(("ssl.certificate.location", file("user.crt")));
                rdkafka.push(("ssl.key.location", file("user.key")));
            }
            Some(Authentication::Scram) => {
                properties.push(("sasl.mechanism", "SCRAM-SHA-512".into()));
                rdkafka.push(("sasl.mechanism", "SCRAM-SHA-512".into()));
                rdkafka.push(("sasl.username", user.to_owned()));
            }
        }
        let line = |(key, value): &(&str, String)| format!("{key}={value}\n");
        let servers = format!("bootstrap.servers={}\n", self.bootstrap);
        let mut snippets = Snippets {
            properties: servers.clone() + &properties.iter().map(line).collect::<String>(),
            librdkafka: servers + &rdkafka.iter().map(line).collect::<String>(),
            ..Snippets::default()
        };
        let java =
            |(key, value): &(&str, String)| format!("props.put({}, {});\n", quoted(key), quoted(value));
        snippets.java = format!(
            "Properties props = new Properties();\nprops.put(\"bootstrap.servers\", {});\n{}",
            quoted(&self.bootstrap),
            properties.iter().map(java).collect::<String>()
        );
        let python = |(key, value): &(&str, String)| format!("    {}: {},\n", quoted(key), quoted(value));
        snippets.python = format!(
            "conf = {{\n    \"bootstrap.servers\": {},\n{}",
            quoted(&self.bootstrap),
            rdkafka.iter().map(python).collect::<String>()
        );
        if self.how == Some(Authentication::Scram) {
            let login = "org.apache.kafka.common.security.scram.ScramLoginModule required";
            snippets.properties += &format!(
                "sasl.jaas.config={login} username=\"{user}\" password=\"(the password, see {})\";\n",
                file("client.properties")
            );
            snippets.librdkafka += "sasl.password=(the password)\n";
            snippets.java += &format!(
                "props.put(\"sasl.jaas.config\", \"{login} username=\\\"{user}\\\" password=\\\"\"\n    \
                 + System.getenv(\"KAFKA_PASSWORD\") + \"\\\";\");\n"
            );
            snippets.python += "    \"sasl.password\": os.environ[\"KAFKA_PASSWORD\"],\n";
        }
        snippets.python += "}\n";
        snippets
    }

    /// The text output.
    pub(super) fn text(&self) -> String {
        let mut text = format!("bootstrap.servers  {}\n", self.bootstrap);
        for broker in &self.brokers {
            let pod = broker.pod.as_deref().unwrap_or("no pod");
            text += &format!("broker {:<11} {}  {pod}\n", broker.id, broker.address);
        }
        for file in &self.files {
            text += &format!("written            {file}\n");
        }
        if let Some(checked) = &self.checked {
            text += &format!(
                "checked            {} messages verified on {}: produced in {} ms, consumed in {} ms\n",
                checked.messages, checked.topic, checked.produce_ms, checked.consume_ms
            );
            return text;
        }
        if let Some(user) = &self.user {
            if self.files.is_empty() {
                let export = self.target.kstrim("connect --user").arg(user).args(["--export", "DIR"]);
                text += &format!("\n# to write the files of the user {user} to DIR: {export}\n");
            }
            if self.how == Some(Authentication::Scram) {
                let show = self.target.kstrim("user show --reveal -o json").arg(user);
                text += &format!(
                    "# KAFKA_PASSWORD: export KAFKA_PASSWORD=\"$({show} | jq -r .secrets.password)\"\n"
                );
            }
        }
        let Snippets { properties, librdkafka, java, python } = &self.snippets;
        let parts = [
            ("Kafka's own tools, Java: a properties file", properties),
            ("librdkafka, kcat", librdkafka),
            ("Java", java),
            ("Python, confluent-kafka", python),
        ];
        for (title, part) in parts {
            text += &format!("\n# {title}\n{part}");
        }
        text
    }
}

/// A string literal of Java and Python.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(how: Option<Authentication>) -> Connected {
        let ports = [(3, 9094), (4, 9095)].into_iter().collect();
        Connected::new(&ports, how.map(|_| "app"), how, &Target::default())
    }

    #[test]
    fn snippets_have_the_formats_of_clients() {
        insta::assert_snapshot!("plain", way(None).text());
        insta::assert_snapshot!("certificate", way(Some(Authentication::Tls)).text());
        insta::assert_snapshot!("password", way(Some(Authentication::Scram)).text());
    }
}
