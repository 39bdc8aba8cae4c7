//! Names that indicate secrets.

/// Parts of names, compared without separators.
const PARTS: [&str; 18] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "privatekey",
    "credential",
    "jaas",
    "clientkeydata",
    "connectionstring",
    "dockercfg",
    "dockerconfigjson",
    "authorization",
    "sessionid",
];
/// Whole words of names.
const WORDS: [&str; 17] = [
    "pass",
    "pwd",
    "pw",
    "auth",
    "psk",
    "cookie",
    "passwords",
    "sas",
    "sig",
    "signature",
    "dsn",
    "jwt",
    "otp",
    "hmac",
    "bearer",
    "apitoken",
    "keypass",
];
/// A name whose last word is `key` names a secret (`azblob.account.key`, `ENCRYPTION_KEY`), unless one of these
/// words precedes it: keys of an object, a message or a table. `key` alone does not.
const OPEN_KEYS: [&str; 27] = [
    "public",
    "topology",
    "label",
    "annotation",
    "partition",
    "partitioning",
    "message",
    "record",
    "event",
    "primary",
    "foreign",
    "unique",
    "sort",
    "cache",
    "routing",
    "group",
    "grouping",
    "map",
    "object",
    "config",
    "configmap",
    "header",
    "row",
    "index",
    "lookup",
    "a",
    "the",
];
/// Suffixes of names that describe a secret: where it is, how it is created.
const HARMLESS: [&str; 33] = [
    "name",
    "names",
    "namespace",
    "ref",
    "refs",
    "class",
    "type",
    "types",
    "path",
    "file",
    "files",
    "dir",
    "location",
    "ms",
    "seconds",
    "count",
    "size",
    "bytes",
    "algorithm",
    "provider",
    "version",
    "enabled",
    "length",
    "interval",
    "kind",
    "mechanism",
    "mechanisms",
    "period",
    "url",
    "uri",
    "endpoint",
    "imagepullsecret",
    "imagepullsecrets",
];

/// Whether a value of this name is redacted: `sasl.jaas.config`, `DB_PASS`, `clientSecret`,
/// `azblob.account.key`.
pub(crate) fn is_secret(name: &str) -> bool {
    let words = words(name);
    let squashed = words.concat();
    let named = PARTS.iter().any(|part| squashed.contains(part))
        || words.iter().any(|word| WORDS.contains(&word.as_str()))
        || is_key(&words);
    named && !HARMLESS.iter().any(|end| squashed.ends_with(end))
}

/// The words of a name, lower case: split at punctuation, and where an upper-case letter follows a lower-case one.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for c in name.chars() {
        let cut = !c.is_ascii_alphanumeric() || small && c.is_ascii_uppercase();
        if cut && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_lowercase());
        }
        small = c.is_ascii_lowercase() || c.is_ascii_digit();
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_key(words: &[String]) -> bool {
    match words {
        [.., before, last] => {
            matches!(last.as_str(), "key" | "keys") && !OPEN_KEYS.contains(&before.as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in [
            "password",
            "ssl.keystore.password",
            "DB_PASS",
            "clientSecret",
            "client_secret",
            "sasl.jaas.config",
            "API-KEY",
            "AWS_SECRET_ACCESS_KEY",
            "GITHUB_TOKEN",
            "accessToken",
            "client-key-data",
            "auth",
            ".dockerconfigjson",
            "Authorization",
            "passwd",
            "_auth",
            "private.key",
            "azblob.account.key",
            "azure.storage.account.keys",
            "AccountKey",
            "SharedAccessKey",
            "ENCRYPTION_KEY",
            "ssl.keystore.key",
            "signing-key",
            "licenseKey",
            "sas",
            "sig",
            "connection.string",
            "ConnectionString",
            "gcs.credentials.json",
            "session_id",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "name",
            "secretName",
            "tokenExpirationSeconds",
            "passwordFile",
            "secretKeyRef",
            "compass",
            "authentication",
            "author",
            "bypass",
            "delegation.token.expiry.time.ms",
            "kubernetes",
            "key",
            "keys",
            "monkey",
            "topologyKey",
            "public-key",
            "message.key",
            "key.serializer",
            "key.converter",
            "configMapKey",
            "sasl.oauthbearer.token.endpoint.url",
            "ssl.key.password.type",
            "signal",
            "image-pull-secret",
            "imagePullSecrets",
            "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
