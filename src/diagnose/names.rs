//! Which names are given to secrets.

/// Parts of names, without anything but letters and digits between.
const PARTS: [&str; 15] = [
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "jaas",
    "clientkeydata",
    "dockercfg",
    "dockerconfigjson",
    "authorization",
];
/// Whole words of names.
const WORDS: [&str; 7] = ["pass", "pwd", "pw", "auth", "psk", "cookie", "passwords"];
/// Ends of names of what is said about a secret: where it is, how it is made.
const HARMLESS: [&str; 31] = [
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
];

/// Whether a value of this name is to be blanked: `sasl.jaas.config`, `DB_PASS`, `clientSecret`.
pub fn is_secret(name: &str) -> bool {
    let words: Vec<String> = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let squashed = words.concat();
    let named = PARTS.iter().any(|part| squashed.contains(part))
        || words.iter().any(|word| WORDS.contains(&word.as_str()));
    named && !HARMLESS.iter().any(|end| squashed.ends_with(end))
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
            "sasl.oauthbearer.token.endpoint.url",
            "ssl.key.password.type",
            "",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
