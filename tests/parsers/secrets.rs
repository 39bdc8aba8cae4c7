//! Redaction of random input: a secret under any name of a secret, in any form that logs, commands and objects use.

use kstrim::internals::redact::{self, Redactor};
use proptest::prelude::*;
use serde_json::json;

/// Names of secrets, composed as programs compose them.
fn name() -> impl Strategy<Value = String> {
    let last = prop::sample::select(vec![
        vec!["password"],
        vec!["secret"],
        vec!["token"],
        vec!["account", "key"],
        vec!["access", "key"],
        vec!["api", "key"],
        vec!["storage", "key"],
        vec!["encryption", "key"],
        vec!["credential"],
        vec!["credentials"],
        vec!["passphrase"],
        vec!["sasl", "jaas", "config"],
        vec!["connection", "string"],
        vec!["auth"],
        vec!["sas"],
    ]);
    let first =
        prop::collection::vec(prop::sample::select(vec!["azblob", "db", "my", "s3", "ssl", "x1"]), 0..3);
    let style = prop::sample::select(vec!["dots", "dashes", "snake", "upper", "camel"]);
    (first, last, style).prop_map(|(first, last, style)| {
        let words: Vec<&str> = first.into_iter().chain(last).collect();
        match style {
            "dots" => words.join("."),
            "dashes" => words.join("-"),
            "snake" => words.join("_"),
            "upper" => words.join("_").to_uppercase(),
            _ => words
                .iter()
                .enumerate()
                .map(
                    |(at, word)| {
                        if at == 0 { (*word).to_owned() } else { word[..1].to_uppercase() + &word[1..] }
                    },
                )
                .collect(),
        }
    })
}

/// Values of secrets: of any form, and never part of the text around them.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof!["Z[a-z0-9]{7,20}Q", "Z[A-Za-z0-9+/]{20,40}Q=?", "Z[a-z0-9_.-]{7,20}Q"]
}

proptest! {
    #[test]
    fn a_named_secret_is_redacted(name in name(), secret in secret(), form in 0_usize..12) {
        let text = match form {
            0 => format!("{name}={secret}"),
            1 => format!("{name}: {secret}\nuser: ada"),
            2 => format!("\t{name} = {secret}\n"),
            3 => format!("{{\"user\":\"ada\",\"{name}\":\"{secret}\"}}"),
            4 => format!("said {{\\\"{name}\\\":\\\"{secret}\\\"}}"),
            5 => format!("run --{name} {secret} --user ada"),
            6 => format!("run --{name}={secret}"),
            7 => format!("- name: {name}\n  value: {secret}\n"),
            8 => format!("export {name}='{secret}'"),
            9 => format!("start --docker-env={name}={secret}"),
            10 => format!("GET http://host/x?{name}={secret} failed"),
            _ => format!("{{{name} => '{secret}'}}"),
        };
        let shown = redact::text(&text);
        prop_assert!(!shown.contains(&secret), "{} became {}", text, shown);
        prop_assert_eq!(redact::text(&shown), shown.clone());
    }

    #[test]
    fn a_named_secret_in_an_object_is_redacted(name in name(), secret in secret(), form in 0_usize..5) {
        let mut object = match form {
            0 => json!({"spec": {"config": {&name: &secret, "x": 1}}}),
            1 => json!({"env": [{"name": &name, "value": &secret}]}),
            2 => json!({"args": [format!("--{name}"), &secret, "x"]}),
            3 => json!({"kind": "Secret", "data": {"anything": &secret}}),
            _ => json!({"message": format!("{name}={secret}")}),
        };
        Redactor::default().value(&mut object);
        prop_assert!(!object.to_string().contains(&secret), "{}", object);
    }

    #[test]
    fn a_login_in_a_url_is_redacted(scheme in "[a-z]{2,6}", user in "[a-z]{1,5}", secret in "Z[a-z0-9!$@:_~.-]{6,20}Q") {
        for text in [
            format!("--docker-env=HTTPS_PROXY={scheme}://{user}:{secret}@proxy:3128"),
            format!("see {scheme}://{user}:{secret}@host/path"),
        ] {
            prop_assert!(!redact::text(&text).contains(&secret), "{}", text);
            let line = json!({"line": text}).to_string();
            let shown = redact::shapes(&line);
            prop_assert!(!shown.contains(&secret), "{}", shown);
            prop_assert!(shown.parse::<serde_json::Value>().is_ok(), "{}", shown);
        }
    }

    /// JSON stays valid JSON, whatever is in it, and text that is not a secret stays readable.
    #[test]
    fn shapes_keep_json(text in "\\PC{0,60}|([a-z:/@\"\\\\ ]{0,30})") {
        let line = json!({"type": "command", "line": text}).to_string();
        prop_assert!(redact::shapes(&line).parse::<serde_json::Value>().is_ok(), "{}", line);
        for plain in ["kubectl get pods -n kafka", "minikube start -p kstrim --memory=4096"] {
            prop_assert_eq!(redact::text(plain), plain);
        }
    }
}
