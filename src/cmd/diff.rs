//! `kstrim diff`: what `up -f` would change in the cluster.

use std::process::ExitCode;
use std::rc::Rc;

use serde_json::{Value, json};
use similar::TextDiff;

use super::invocation::Invocation;
use super::up::{self, Wanted};
use crate::cli::{Diff, Global, OutputMode};
use crate::cluster::ownership;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::ApiErrorKind;
use crate::kube::object::remove_server_fields;
use crate::manifest::{self, Object};
use crate::quickstart::context::Context;
use crate::quickstart::user_objects::{collection, is_left_out, stale};

/// The annotation that client-side `kubectl apply` writes: the whole object, including the values of a Secret.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// Exit code if there are differences, as in `kubectl diff` and `diff`.
const DIFFERENT: u8 = 1;
/// Exit code of a failure whose code is otherwise [`DIFFERENT`]. That of no other kind of failure.
const FAILED: u8 = 8;

/// The exit code of a failure. Those of `kubectl diff` are above 1, too, so that a script that tests for differences
/// does not take a failure for one.
pub(crate) const fn exit_code(kind: Kind) -> u8 {
    match kind.exit_code() {
        DIFFERENT => FAILED,
        code => code,
    }
}

/// Print the difference between the cluster and the manifests; reads only.
pub(crate) async fn run(global: &Global, args: &Diff) -> Result<ExitCode> {
    if args.what.filename.is_empty() {
        let failure =
            Failure::new(errors::USAGE, Kind::Usage, "diff needs manifests to compare the cluster with");
        return Err(Box::new(failure.hint("specify them: --filename PATH")));
    }
    let Wanted { global, settings, choice, files } = up::wanted(global, &args.what).await?;
    let invocation = Invocation::begin(&global, "diff", OutputMode::Plain);
    let cx = Rc::new(up::context(&invocation, settings, choice)?.with_files(files));
    cx.ownership.read_only.set(true);
    super::connected(&cx).await?;
    ownership::determine(&cx, false).await?;
    ownership::installation(&cx).await?;
    let mut text = String::new();
    for object in cx.files.iter().flat_map(|files| files.all()) {
        if is_left_out(&cx, &object).await? {
            continue;
        }
        text.push_str(&diff_object(&cx, object).await?);
    }
    for item in stale(&cx).await? {
        let what = format!("{} {}", item.kind, item.name());
        text.push_str(&format!("# {what} is no longer in your files: up with --prune deletes it\n"));
    }
    super::print(&text);
    if text.is_empty() {
        super::complain("no differences\n");
    }
    Ok(if text.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(DIFFERENT) })
}

/// The difference of one object as a unified diff; empty if it does not differ.
async fn diff_object(cx: &Context, object: Object) -> Result<String> {
    let (kind, name) = (object.kind().to_owned(), object.name().to_owned());
    let failed = |e| cx.api_failure(&format!("compare {kind} {name}"), &e);
    // If the cluster does not serve the kind yet, there are no objects.
    let live = match collection(cx, object.api_version(), &kind).await {
        Ok(collection) => cx.kubectl.find(&format!("{collection}/{name}")).await.map_err(failed)?,
        Err(failure) if failure.id == errors::KIND_MISSING => None,
        Err(failure) => return Err(failure),
    };
    if live.as_ref().is_some_and(|live| !cx.owns(live)) {
        return Ok(format!(
            "# {kind} {name} was not created by kstrim: up refuses it, or uses it unchanged with --adopt\n"
        ));
    }
    let labelled = cx.labelled(vec![object.clone()]);
    let after = match cx.kubectl.preview(&manifest::to_yaml(&labelled), true).await {
        Ok(after) => after.into_iter().next().unwrap_or_default(),
        // The namespace or the definition does not exist yet: the object will be as it is in the file.
        Err(error) if matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::NoSuchKind) => {
            labelled.first().map_or(Value::Null, |object| object.value().clone())
        }
        Err(error) => return Err(failed(error)),
    };
    let (before, after) = masked(&kind, shown(live.unwrap_or_default()), shown(after));
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        value => serde_yaml::to_string(value).unwrap_or_default(),
    };
    let (before, after) = (text(&before), text(&after));
    if before == after {
        return Ok(String::new());
    }
    let diff = TextDiff::from_lines(&before, &after);
    Ok(diff
        .unified_diff()
        .header(&format!("cluster/{kind}/{name}"), &format!("files/{kind}/{name}"))
        .to_string())
}

/// An object without what the API server and kstrim write into it, with sorted keys.
fn shown(mut object: Value) -> Value {
    if object.is_null() {
        return object;
    }
    remove_server_fields(&mut object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for (part, own) in [("annotations", "kstrim/"), ("labels", "kstrim.io/")] {
            if let Some(entries) = metadata.get_mut(part).and_then(Value::as_object_mut) {
                entries.retain(|key, _| {
                    !key.starts_with(own) && key != manifest::label::MANAGED_BY && key != LAST_APPLIED
                });
                if entries.is_empty() {
                    metadata.remove(part);
                }
            }
        }
    }
    object.sort_all_objects();
    object
}

/// The values of Secrets are not printed, only whether they differ.
fn masked(kind: &str, mut before: Value, mut after: Value) -> (Value, Value) {
    if kind != "Secret" {
        return (before, after);
    }
    for object in [&mut before, &mut after] {
        // Annotations may contain a copy of the values.
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("annotations");
        }
    }
    let old = before.clone();
    cover(&mut before, None);
    cover(&mut after, Some(&old));
    (before, after)
}

/// The fields of a Secret that contain no secret.
const OPEN: [&str; 5] = ["apiVersion", "kind", "metadata", "type", "immutable"];

/// Replace the values of a Secret, whatever fields it has. `old` is the Secret to compare with.
fn cover(secret: &mut Value, old: Option<&Value>) {
    let word = |old: Option<Option<&Value>>, value: &Value| match old {
        Some(old) if old != Some(value) => json!("*** (changed)"),
        _ => json!("***"),
    };
    let fields = secret.as_object_mut().into_iter().flatten();
    for (name, field) in fields.filter(|(name, _)| !OPEN.contains(&name.as_str())) {
        let old = old.map(|old| old.get(name));
        match field {
            // The keys are shown.
            Value::Object(entries) => {
                for (key, value) in entries {
                    *value = word(old.map(|old| old.and_then(|old| old.get(key))), value);
                }
            }
            field => *field = word(old, field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_failure_has_the_exit_code_of_differences() {
        let kinds =
            [Kind::Task, Kind::Usage, Kind::Prerequisite, Kind::Timeout, Kind::Foreign, Kind::Interrupted];
        for kind in kinds {
            assert!(exit_code(kind) > DIFFERENT, "{kind:?}");
            assert_ne!(kind.exit_code(), FAILED, "{kind:?}");
        }
    }

    #[test]
    fn secrets_are_compared_and_not_shown() {
        let secret = |value: &str| json!({"kind": "Secret", "data": {"a": value, "b": "same"}});
        let (before, after) = masked("Secret", secret("one"), secret("two"));
        assert_eq!(before["data"], json!({"a": "***", "b": "***"}));
        assert_eq!(after["data"], json!({"a": "*** (changed)", "b": "***"}));
    }

    #[test]
    fn secrets_with_other_fields_are_not_shown_either() {
        let secret = |value: &str| {
            json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": value, "stringData": [value],
                "stringdata": {"a": value, "b": {"c": value}, "d": 1}, "note": value, "immutable": true})
        };
        let (before, after) = masked("Secret", secret("hunter2"), secret("hunter3"));
        assert!(!format!("{before}{after}").contains("hunter"), "{before} {after}");
        assert_eq!(after["stringdata"], json!({"a": "*** (changed)", "b": "*** (changed)", "d": "***"}));
        assert_eq!((&after["data"], &after["type"]), (&json!("*** (changed)"), &json!("Opaque")));
        let (_, created) = masked("Secret", Value::Null, secret("hunter2"));
        assert!(!created.to_string().contains("hunter"), "{created}");
    }

    #[test]
    fn fields_of_the_server_and_kstrim_are_not_compared() {
        let live = json!({"kind": "ConfigMap", "metadata": {"uid": "1", "name": "a", "labels": {"kstrim.io/files": "true"},
            "annotations": {"kstrim/digest": "x", "mine": "y"}}, "status": {}});
        assert_eq!(
            shown(live),
            json!({"kind": "ConfigMap", "metadata": {"annotations": {"mine": "y"}, "name": "a"}})
        );
    }
}
