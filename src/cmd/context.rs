//! `--context NAME`: an existing cluster instead of minikube. The user's kubeconfig is only read; the configuration
//! of the context is copied into kstrim's own kubeconfig in each run, because credentials change.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::cli::{Global, Up};
use crate::cluster::refusals;
use crate::cluster::session::Session;
use crate::errors;
use crate::exec::cancel::Cancel;
use crate::exec::{Cmd, Runner};
use crate::failure::{Failure, Kind, Result};
use crate::names::{ContextName, ProfileName, Tool};
use crate::paths::unwritable;
use crate::paths::{ProfilePaths, agreed_file, home, private_dir, state_dir, write_private};
use crate::tool::exec_failure;
use crate::toolbox::Toolbox;

/// Use the context instead of a profile, and update kstrim's copy of its configuration.
pub(crate) async fn take(global: &mut Global) -> Result<()> {
    let Some(context) = global.context.clone() else { return Ok(()) };
    global.profile = ProfileName::of_context(&context);
    let paths = ProfilePaths::new(state_dir(), global.profile.as_str());
    let program = Toolbox::open().program(Tool::Kubectl, &paths)?;
    let runner = super::status::runner(Cancel::default(), global.verbose);
    let cmd = |words: &[&str]| user_kubectl(&program).args(words.iter().copied());
    let view = cmd(&[
        "config",
        "view",
        "--raw",
        "--flatten",
        "--minify",
        "-o",
        "json",
        "--context",
        context.as_str(),
    ]);
    let output = runner.run(&view).await.map_err(|e| exec_failure(&view, &e))?;
    if !output.exit.success() {
        let mut failure = Failure::new(
            errors::CONTEXT_UNKNOWN,
            Kind::Usage,
            format!("your kubeconfig has no context {context}"),
        )
        .because(output.last_stderr_line());
        let names = cmd(&["config", "get-contexts", "-o", "name"]);
        if let Ok(names) = runner.run(&names).await {
            let names: Vec<String> = names.text().split_whitespace().map(str::to_owned).collect();
            failure = failure.hint(match names.is_empty() {
                true => "it has no contexts; set KUBECONFIG to use another one".to_owned(),
                false => format!("it has {}", names.join(", ")),
            });
        }
        return Err(Box::new(failure));
    }
    let config: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let config = renamed(config, global.profile.as_str()).ok_or_else(|| {
        Failure::new(
            errors::CONTEXT_UNKNOWN,
            Kind::Usage,
            format!("kubectl prints nothing about the context {context}"),
        )
        .hint(format!("run the command yourself to see its output: {view}"))
    })?;
    write(&paths.kubeconfig(), &config)
}

/// kubectl with the user's own kubeconfig: a single file can be a flag, a list of files only the environment
/// variable.
fn user_kubectl(program: &Path) -> Cmd {
    let cmd = Cmd::new(program);
    match std::env::var_os("KUBECONFIG").filter(|list| !list.is_empty()) {
        Some(list) if std::env::split_paths(&list).count() > 1 => cmd,
        Some(one) => cmd.args(["--kubeconfig", &one.to_string_lossy()]),
        None => {
            let home = home().join(".kube/config");
            cmd.args(["--kubeconfig", &home.to_string_lossy()])
        }
    }
}

/// The configuration of one context under another name, without a default namespace.
fn renamed(mut config: Value, name: &str) -> Option<Value> {
    let context = config.get_mut("contexts")?.as_array_mut()?.first_mut()?;
    context["name"] = name.into();
    if let Some(inner) = context.get_mut("context").and_then(Value::as_object_mut) {
        inner.shift_remove("namespace");
    }
    config["current-context"] = name.into();
    Some(config)
}

/// Write a file that only this user can read: it contains credentials.
fn write(path: &Path, config: &Value) -> Result<()> {
    let text = crate::manifest::yaml_text(config);
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        private_dir(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    write().map_err(|e| Box::new(unwritable(path, &e)))
}

/// Ensure that the user has agreed to the use of this cluster, once for each cluster: recorded by its identity, the
/// uid of the namespace `kube-system`.
pub(crate) async fn agreed(cx: &Session, context: &ContextName, args: &Up) -> Result<()> {
    super::connected(cx).await?;
    crate::cluster::ownership::determine(cx, false).await?;
    let uid = cx.journal.borrow().state.cluster_uid.clone().unwrap_or_default();
    let file = agreed_file(&uid);
    if file.is_file() {
        return Ok(());
    }
    if !args.yes {
        let server = server(cx);
        let question = format!(
            "This installs Strimzi (CRDs and roles for the whole cluster) and Kafka {} in namespace {} of \
             the cluster of context {context}{server}.",
            cx.cluster(),
            cx.namespace()
        );
        let hint = format!("to agree, once per cluster: {}", refusals::up(cx).arg("--yes"));
        super::consent::ask(&question, "nothing was changed", &hint).await?;
    }
    let remember = || -> std::io::Result<()> {
        private_dir(file.parent().unwrap_or(Path::new(".")))?;
        write_private(&file, format!("{context}\n").as_bytes())
    };
    remember().map_err(|e| Box::new(unwritable(&file, &e)))
}

/// The address of the cluster, for the prompt.
fn server(cx: &Session) -> String {
    let paths = ProfilePaths::new(state_dir(), cx.profile());
    let text = std::fs::read_to_string(paths.kubeconfig()).unwrap_or_default();
    let config: Value = serde_yaml::from_str(&text).unwrap_or_default();
    let server = config.pointer("/clusters/0/cluster/server").and_then(Value::as_str);
    server.map(|s| format!(" at {s}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_copy_has_another_name_and_no_namespace() {
        let config = json!({"contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "x"}}],
            "clusters": [{"name": "c"}], "users": [{"name": "u"}], "current-context": "prod"});
        let copy = renamed(config, "context@prod").unwrap();
        assert_eq!(
            copy["contexts"],
            json!([{"name": "context@prod", "context": {"cluster": "c", "user": "u"}}])
        );
        assert_eq!(copy["current-context"], "context@prod");
        assert!(renamed(json!({"contexts": null}), "context@x").is_none());
    }
}
