//! The configuration of a client on disk: a properties file for Kafka's own clients and tools, and the PEM files that
//! it refers to.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{NO_CREDENTIALS, PLURAL, User, obstacle};
use crate::cluster::credentials::{cluster_ca, entries, entry};
use crate::cluster::listener;
use crate::cmd::living::{self, Living};
use crate::cmd::login;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::Kafka;
use crate::manifest::user::Authentication;

/// The first line of the properties file, by which a later export recognizes it.
const MARK: &str = "# Written by kstrim user show --export";
const PROPERTIES: &str = "client.properties";

/// The address for clients of this user, according to the status of the Kafka resource.
pub(super) fn bootstrap(kafka: &Kafka<'_>, user: &User) -> Option<String> {
    let listener = listener::for_users(kafka, user.listener()?)?;
    kafka.bootstrap(&listener).map(str::to_owned)
}

/// The entries of the user's Secret, decoded. Certificates and keys in binary formats are left out. A user whose
/// credentials are not created by Strimzi has no such Secret.
pub(in crate::cmd) async fn secrets(living: &Living, user: &User) -> Result<BTreeMap<String, String>> {
    login::authentication(user)?;
    let name = user.secret.as_deref().unwrap_or(&user.user);
    match entries(&living.cx, name).await? {
        Some(entries) => Ok(entries),
        None => Err(without_credentials(living, user, name).await?),
    }
}

/// Why a user has no credentials: what prevents it, or that they do not exist yet.
async fn without_credentials(living: &Living, user: &User, secret: &str) -> Result<Box<Failure>> {
    let cx = &living.cx;
    let found = cx.kubectl.find(&living::path(cx, PLURAL, Some(&user.user))).await;
    let found = found.map_err(|e| cx.api_failure("read the user", &e))?;
    let kept = found.and_then(|json| obstacle(living, &json, &NO_CREDENTIALS));
    Ok(kept.unwrap_or_else(|| {
        Box::new(
            Failure::new(
                errors::USER_LATE,
                Kind::Task,
                format!("the user {} has no credentials yet", user.user),
            )
            .because(user.reason.clone().unwrap_or_else(|| format!("the Secret {secret} does not exist"))),
        )
    }))
}

/// The failure for a user that no listener accepts.
pub(in crate::cmd) fn no_listener(living: &Living, user: &str, how: Authentication) -> Box<Failure> {
    let cx = &living.cx;
    let target = &cx.target;
    Box::new(
        Failure::new(
            errors::USER_NO_LISTENER,
            Kind::Prerequisite,
            format!("no listener of the Kafka cluster {} accepts the user {user}", cx.cluster()),
        )
        .because(format!("none has {} authentication", how.strimzi()))
        .hint(format!(
            "add one: {}",
            target
                .kstrim("user create")
                .arg(user)
                .arg("--authentication")
                .arg(if how == Authentication::Scram { "scram" } else { "tls" })
                .arg("--prepare-kafka")
        )),
    )
}

/// Write everything; returns the paths.
pub(super) async fn write(
    folder: &Path,
    living: &Living,
    user: &User,
    secrets: &BTreeMap<String, String>,
) -> Result<Vec<String>> {
    let kafka = living.kafka();
    let found = user.how().and_then(|how| Some((how, listener::for_users(&kafka, how)?)));
    let (Some((how, listener)), Some(bootstrap)) = (found, bootstrap(&kafka, user)) else {
        return Err(no_listener(living, &user.user, user.how().unwrap_or(Authentication::Tls)));
    };
    let tls = listener.tls();
    let note = "# This address is valid inside the Kubernetes cluster.";
    files(folder, living, user, secrets, &Target { how, tls, bootstrap: &bootstrap, note }).await
}

/// The listener that a client's configuration is for.
pub(in crate::cmd) struct Target<'a> {
    /// The listener's authentication.
    pub how: Authentication,
    /// Whether it uses TLS.
    pub tls: bool,
    /// The bootstrap servers.
    pub bootstrap: &'a str,
    /// A comment about that address.
    pub note: &'a str,
}

/// Write the files of a client; returns their paths.
pub(in crate::cmd) async fn files(
    folder: &Path,
    living: &Living,
    user: &User,
    secrets: &BTreeMap<String, String>,
    target: &Target<'_>,
) -> Result<Vec<String>> {
    let Target { how, tls, .. } = *target;
    let mut files: Vec<(&str, String)> = Vec::new();
    if tls {
        files.push(("ca.crt", cluster_ca(&living.cx).await?));
    }
    if how == Authentication::Tls {
        let (key, cert) = ("the user's key", "the user's certificate");
        let (key, cert) = (entry(Some(secrets), "user.key", key)?, entry(Some(secrets), "user.crt", cert)?);
        // Kafka reads key and certificate from one file.
        files.push(("user.pem", format!("{}\n{}\n", key.trim_end(), cert.trim_end())));
        files.push(("user.key", key));
        files.push(("user.crt", cert));
    }
    let folder = prepare(folder)?;
    let password = match how {
        Authentication::Scram => Some(entry(Some(secrets), "password", "the user's password")?),
        Authentication::Tls => None,
    };
    let text = properties(&folder, target, &user.user, password.as_deref());
    files.push((PROPERTIES, text));
    let mut written = Vec::new();
    for (name, text) in files {
        let path = folder.join(name);
        secret_file(&path, &text).map_err(|e| unwritable(&path, &e))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}

/// The properties of Kafka's Java clients; they support PEM stores since Kafka 2.7.
fn properties(folder: &Path, target: &Target<'_>, user: &str, password: Option<&str>) -> String {
    let Target { tls, bootstrap, note, .. } = *target;
    // In a properties file, a backslash starts an escape sequence.
    let path = |name: &str| folder.join(name).display().to_string().replace('\\', "\\\\");
    let mut lines = vec![MARK.to_owned(), note.to_owned(), format!("bootstrap.servers={bootstrap}")];
    let protocol = match (tls, password.is_some()) {
        (true, true) => "SASL_SSL",
        (true, false) => "SSL",
        (false, true) => "SASL_PLAINTEXT",
        (false, false) => "PLAINTEXT",
    };
    lines.push(format!("security.protocol={protocol}"));
    if tls {
        lines.push("ssl.truststore.type=PEM".to_owned());
        lines.push(format!("ssl.truststore.location={}", path("ca.crt")));
    }
    match password {
        Some(password) => {
            // Escaped for the quotes of the JAAS line, and for the properties file around it.
            let quoted = password.replace('\\', "\\\\\\\\").replace('"', "\\\\\"");
            lines.push("sasl.mechanism=SCRAM-SHA-512".to_owned());
            lines.push(format!(
                "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
                 username=\"{user}\" password=\"{quoted}\";"
            ));
        }
        None if tls => {
            lines.push("ssl.keystore.type=PEM".to_owned());
            lines.push(format!("ssl.keystore.location={}", path("user.pem")));
        }
        None => {}
    }
    lines.join("\n") + "\n"
}

/// Create the directory, readable only by its owner. An existing one must be empty or contain an earlier export.
fn prepare(folder: &Path) -> Result<std::path::PathBuf> {
    let refused = |e: std::io::Error| unwritable(folder, &e);
    match fs::read_dir(folder) {
        Ok(mut entries) => {
            let head = fs::read_to_string(folder.join(PROPERTIES)).unwrap_or_default();
            if entries.next().is_some() && !head.starts_with(MARK) {
                return Err(Box::new(
                    Failure::new(
                        errors::EXPORT_NOT_EMPTY,
                        Kind::Usage,
                        format!("{} already contains something else", folder.display()),
                    )
                    .hint("specify a directory that is empty or does not exist"),
                ));
            }
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => fs::create_dir_all(folder).map_err(refused)?,
        Err(e) => return Err(refused(e)),
    }
    fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(refused)?;
    folder.canonicalize().map_err(refused)
}

/// Write a file that only its owner can ever read: to a temporary file, which is then renamed.
fn secret_file(path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let _ = fs::remove_file(&temporary);
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)
}

fn unwritable(path: &Path, error: &std::io::Error) -> Box<Failure> {
    Box::new(
        Failure::new(errors::EXPORT_UNWRITABLE, Kind::Usage, format!("{} cannot be written", path.display()))
            .because(error),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(bootstrap: &str, tls: bool) -> Target<'_> {
        let note = "# This address is valid inside the Kubernetes cluster.";
        Target { how: Authentication::Tls, tls, bootstrap, note }
    }

    #[test]
    fn properties_are_those_of_kafkas_clients() {
        let folder = Path::new("/c");
        insta::assert_snapshot!(properties(folder, &target("b:9095", true), "app", None), @r"
        # Written by kstrim user show --export
        # This address is valid inside the Kubernetes cluster.
        bootstrap.servers=b:9095
        security.protocol=SSL
        ssl.truststore.type=PEM
        ssl.truststore.location=/c/ca.crt
        ssl.keystore.type=PEM
        ssl.keystore.location=/c/user.pem
        ");
        let scram = properties(folder, &target("b:9096", false), "app", Some("p"));
        assert!(scram.contains("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n"));
        assert!(scram.ends_with("required username=\"app\" password=\"p\";\n"));
    }

    #[test]
    fn only_an_earlier_export_is_overwritten() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("a/b");
        let made = prepare(&folder).unwrap();
        assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
        secret_file(&made.join("user.key"), "k").unwrap();
        assert_eq!(fs::metadata(made.join("user.key")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(prepare(&folder).unwrap_err().id, errors::EXPORT_NOT_EMPTY);
        secret_file(&made.join(PROPERTIES), MARK).unwrap();
        assert!(prepare(&folder).is_ok());
        assert_eq!(fs::read_dir(&made).unwrap().count(), 2, "nothing temporary stays");
    }
}
