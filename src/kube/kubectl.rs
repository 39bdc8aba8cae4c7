//! kubectl, always with `--kubeconfig` and `--context`.
//!
//! Reads are `get --raw`: one request, no discovery (which costs up to five tries of its own against a dead server),
//! and the API server's own JSON; commands that read a lot send them through one `kubectl proxy` instead. Writes are
//! server-side applies with the field manager `kstrim`.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use super::admission::Refusal;
use super::proxy::Proxy;
use super::{Api, ApiError, ApiErrorKind, FOREVER};
use crate::errors;
use crate::exec::{BoxFuture, Cmd, ExecError, Lines, Output, Runner};
use crate::failure::{Failure, Kind, Result};
use crate::tool::exec_failure;
use crate::words;

/// The field manager of everything kstrim applies.
pub(crate) const FIELD_MANAGER: &str = "kstrim";

/// Limit of one read. A paused or dead server never responds.
const READ: Duration = Duration::from_secs(15);
/// Limit of one write; an install manifest on a busy machine takes seconds.
const WRITE: Duration = Duration::from_secs(120);
/// Pauses in ms between retries while the API server refuses connections: about 15 s in total.
const RESTART: [u64; 7] = [200, 400, 800, 1600, 3000, 4000, 5000];
/// How long a watch is kept before it is opened again.
const WATCH: Duration = Duration::from_secs(1800);

/// The kinds of configurations that contain webhooks, and their plurals.
const WEBHOOKS: [(&str, &str); 2] = [
    ("validatingwebhookconfiguration", "validatingwebhookconfigurations"),
    ("mutatingwebhookconfiguration", "mutatingwebhookconfigurations"),
];

/// Environment variable that names the program's path.
pub(crate) const VARIABLE: &str = "KSTRIM_KUBECTL";
/// Where to download it.
pub(crate) const PAGE: &str = "https://kubernetes.io/docs/tasks/tools/";

/// Find kubectl.
pub(crate) fn find() -> Result<PathBuf> {
    crate::tool::find("kubectl", VARIABLE, PAGE)
}

/// The program, its kubeconfig and its context. Clones share the proxy.
#[derive(Clone)]
pub(crate) struct Kubectl {
    program: RefCell<PathBuf>,
    kubeconfig: PathBuf,
    context: String,
    runner: Rc<dyn Runner>,
    patient: bool,
    proxy: Option<Rc<Proxy>>,
}

impl Kubectl {
    /// `program` against `context` of `kubeconfig`.
    pub(crate) fn new(program: PathBuf, kubeconfig: &Path, context: &str, runner: Rc<dyn Runner>) -> Self {
        let (kubeconfig, context) = (kubeconfig.to_owned(), context.to_owned());
        Self { program: RefCell::new(program), kubeconfig, context, runner, patient: true, proxy: None }
    }

    /// The same with its reads through one `kubectl proxy`, as long as that responds.
    #[must_use]
    pub(crate) fn through_proxy(mut self) -> Self {
        self.proxy = Some(Rc::default());
        self
    }

    /// The same without retries if the API server does not respond: for commands that report that.
    #[must_use]
    pub(crate) fn without_retries(mut self) -> Self {
        self.patient = false;
        self
    }

    /// The same with commands run by `runner`, including reads.
    #[must_use]
    pub(crate) fn with_runner(&self, runner: Rc<dyn Runner>) -> Self {
        Self { runner, proxy: None, patient: false, ..self.clone() }
    }

    /// The program's path.
    pub(crate) fn program(&self) -> PathBuf {
        self.program.borrow().clone()
    }

    /// Use another program from now on.
    pub(crate) fn set_program(&self, program: PathBuf) {
        *self.program.borrow_mut() = program;
    }

    /// A command with kubeconfig and context pinned.
    pub(crate) fn cmd(&self) -> Cmd {
        Cmd::new(self.program())
            .args(["--kubeconfig", &self.kubeconfig.display().to_string()])
            .args(["--context", &self.context])
            .timeout(READ)
    }

    /// Whether the kubeconfig has the context at all; sends no request.
    pub(crate) fn has_context(&self) -> bool {
        self.in_context().is_some()
    }

    /// The API server's address from the kubeconfig; sends no request.
    pub(crate) fn server(&self) -> Option<String> {
        let (config, context) = self.in_context()?;
        let cluster = context.pointer("/context/cluster")?.as_str()?;
        let named = |c: &&Value| c["name"] == cluster;
        let cluster = config.get("clusters")?.as_array()?.iter().find(named)?;
        cluster.pointer("/cluster/server")?.as_str().map(str::to_owned)
    }

    /// The kubeconfig, and its entry for the context.
    fn in_context(&self) -> Option<(Value, Value)> {
        let config: Value = serde_yaml::from_str(&std::fs::read_to_string(&self.kubeconfig).ok()?).ok()?;
        let named = |c: &&Value| c["name"] == self.context;
        let context = config.get("contexts")?.as_array()?.iter().find(named)?.clone();
        Some((config, context))
    }

    pub(super) async fn stream(&self, cmd: &Cmd) -> Result<Box<dyn Lines>, ApiError> {
        self.runner.stream(cmd).await.map_err(ApiError::from)
    }

    pub(super) async fn run_once(&self, cmd: &Cmd) -> Result<Output, ApiError> {
        let output = self.runner.run(cmd).await.map_err(ApiError::from)?;
        if output.exit.success() {
            return Ok(output);
        }
        let mut error = ApiError::from_stderr(&output.stderr);
        if let Some(webhook) = error.refusal().as_ref().and_then(Refusal::webhook) {
            error.configuration = self.configuration_of(webhook).await;
        }
        Err(error)
    }

    /// The configuration that contains a webhook with this name, as `KIND/NAME`; `None` if there is none, or it may
    /// not be read.
    pub(crate) async fn configuration_of(&self, webhook: &str) -> Option<String> {
        for (kind, plural) in WEBHOOKS {
            let found = self.list(&format!("/apis/admissionregistration.k8s.io/v1/{plural}")).await;
            let has = |configuration: &&Value| {
                let webhooks = configuration["webhooks"].as_array().into_iter().flatten();
                webhooks.into_iter().any(|w| w["name"] == webhook)
            };
            if let Some(configuration) = found.unwrap_or_default().iter().find(has) {
                return Some(format!("{kind}/{}", configuration.pointer("/metadata/name")?.as_str()?));
            }
        }
        None
    }

    /// The same with retries for an API server that restarts, as it does when its machine is short of memory: a
    /// request may be sent twice.
    async fn run(&self, cmd: &Cmd) -> Result<Output, ApiError> {
        let mut pauses = RESTART.iter();
        loop {
            match self.run_once(cmd).await {
                Err(error) if self.patient && error.kind == ApiErrorKind::Unreachable => {
                    match pauses.next() {
                        Some(ms) => tokio::time::sleep(Duration::from_millis(*ms)).await,
                        None => return Err(error),
                    }
                }
                other => return other,
            }
        }
    }

    /// kubectl's own version, `1.34.4`.
    pub(crate) async fn client_version(&self) -> Result<String> {
        let cmd = Cmd::new(self.program()).args(["version", "--client", "-o", "json"]).timeout(READ);
        let output = self.runner.run(&cmd).await.map_err(|e| exec_failure(&cmd, &e))?;
        let version: Option<Value> = serde_json::from_slice(&output.stdout).ok();
        version
            .as_ref()
            .and_then(|v| v.pointer("/clientVersion/gitVersion"))
            .and_then(Value::as_str)
            .map(|v| v.trim_start_matches('v').to_owned())
            .ok_or_else(|| {
                Box::new(
                    Failure::new(
                        errors::TOOL_BROKEN,
                        Kind::Prerequisite,
                        format!("kubectl printed unexpected output ({})", output.exit),
                    )
                    .because(output.last_stderr_line())
                    .hint(format!("run the command yourself to see its output: {cmd}")),
                )
            })
    }

    /// The command that builds a kustomization. It sends nothing to the API server; the caller must check that it
    /// uses no other network (`user_manifests::kustomize`).
    pub(crate) fn kustomize_cmd(&self, directory: &Path) -> Cmd {
        // A path that begins with a dash is not a flag.
        self.cmd().args(["kustomize", "--"]).arg(directory.display().to_string())
    }

    /// Build a kustomization; the output contains kubectl's own errors.
    pub(crate) async fn kustomize(&self, directory: &Path) -> Result<Output> {
        let cmd = self.kustomize_cmd(directory);
        Ok(self.runner.run(&cmd).await.map_err(|e| exec_failure(&cmd, &e))?)
    }

    /// Whether the API server is ready.
    pub(crate) async fn ready(&self) -> Result<(), ApiError> {
        self.run_once(&self.readyz()).await.map(drop)
    }

    /// The same with this time limit.
    ///
    /// # Errors
    ///
    /// Why it is not ready, or that the time has passed.
    pub(crate) async fn ready_in(&self, limit: Duration) -> Result<(), ApiError> {
        self.run_once(&self.readyz().timeout(limit)).await.map(drop)
    }

    fn readyz(&self) -> Cmd {
        self.cmd().args(["get", "--raw", "/readyz"])
    }

    /// The text at a path that is not JSON: `/readyz?verbose`. No retries.
    pub(crate) async fn raw(&self, path: &str) -> Result<String, ApiError> {
        Ok(self.run_once(&self.cmd().args(["get", "--raw", path])).await?.text())
    }

    /// One object or list; `Ok(None)` if it does not exist.
    pub(crate) async fn find(&self, path: &str) -> Result<Option<Value>, ApiError> {
        match self.get(path).await {
            Ok(value) => Ok(Some(value)),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The items of a collection; empty if the API server does not serve it. They have no `kind`: a list's items do
    /// not.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>, ApiError> {
        let Some(mut list) = self.find(path).await? else { return Ok(Vec::new()) };
        match list.get_mut("items").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            Some(Value::Null) => Ok(Vec::new()),
            _ => Err(ApiError::new(ApiErrorKind::Malformed, format!("{path} did not return a list"))),
        }
    }

    /// The command that applies the manifests on its stdin. `force` takes over fields that another manager owns.
    pub(crate) fn apply_cmd(&self, force: bool) -> Cmd {
        let mut cmd = self.cmd().args(["apply", "--server-side"]);
        cmd = cmd.arg(format!("--field-manager={FIELD_MANAGER}"));
        if force {
            cmd = cmd.arg("--force-conflicts");
        }
        cmd.args(["-f", "-"]).timeout(WRITE)
    }

    /// Apply a YAML stream. The result is kubectl's stderr: warnings also occur on success.
    ///
    /// # Errors
    ///
    /// What the API server rejected; a part may have been applied.
    pub(crate) async fn apply(&self, yaml: &str, force: bool) -> Result<String, ApiError> {
        let output = self.run(&self.apply_cmd(force).stdin(yaml)).await?;
        Ok(output.stderr)
    }

    /// The objects after an apply of this YAML, as a dry run. `force`: also if another manager owns a field.
    pub(crate) async fn preview(&self, yaml: &str, force: bool) -> Result<Vec<Value>, ApiError> {
        let cmd = self.apply_cmd(force).args(["--dry-run=server", "-o", "json"]);
        let output = self.run(&cmd.stdin(yaml)).await?;
        let mut all: Value = serde_json::from_slice(&output.stdout)
            .map_err(|e| ApiError::new(ApiErrorKind::Malformed, format!("its output is not JSON: {e}")))?;
        Ok(match all["kind"].as_str() {
            Some("List") => all["items"].as_array_mut().map(std::mem::take).unwrap_or_default(),
            _ => vec![all],
        })
    }

    /// Delete the object at `path`; `options` are the API's DeleteOptions, whose preconditions identify the object.
    /// An object that does not exist is no error. Called by `cluster::change` only.
    ///
    /// # Errors
    /// What the API server rejected: [`ApiErrorKind::Conflict`] if it is not the object of the preconditions.
    pub(crate) async fn delete_at(&self, path: &str, options: &Value) -> Result<(), ApiError> {
        let cmd = self.cmd().args(["delete", "--raw", path, "-f", "-"]).timeout(WRITE);
        match self.run(&cmd.stdin(options.to_string())).await {
            Ok(_) => Ok(()),
            Err(error) if absent(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Create an object in the collection at `path`, and return it as it was stored.
    ///
    /// # Errors
    /// What the API server rejected: [`ApiErrorKind::AlreadyExists`] if an object with that name exists.
    pub(crate) async fn create_at(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        let cmd = self.cmd().args(["create", "--raw", path, "-f", "-"]).timeout(WRITE);
        stored(path, &self.run(&cmd.stdin(object.to_string())).await?)
    }

    /// Replace the object at `path`; its resource version is the precondition.
    pub(crate) async fn replace_at(&self, path: &str, object: &Value) -> Result<Value, ApiError> {
        // A Lease must be renewed in time, or not at all.
        let cmd = self.cmd().args(["replace", "--raw", path, "-f", "-"]).timeout(READ);
        stored(path, &self.run(&cmd.stdin(object.to_string())).await?)
    }

    /// Merge `patch` into an object; `subresource` as in `--subresource=status`.
    pub(crate) async fn patch(
        &self,
        namespace: &str,
        kind: &str,
        name: &str,
        patch: &Value,
        subresource: Option<&str>,
    ) -> Result<(), ApiError> {
        let mut cmd = self.cmd().args(["patch", kind, name, "-n", namespace, "--type=merge"]);
        if let Some(subresource) = subresource {
            cmd = cmd.arg(format!("--subresource={subresource}"));
        }
        self.run(&cmd.args(["-p", &patch.to_string()]).timeout(WRITE)).await.map(drop)
    }

    /// Whether the API server would accept this whole YAML stream, with strict validation, as a dry run.
    pub(crate) async fn would_apply(&self, yaml: &str, force: bool) -> Result<(), ApiError> {
        self.run(&self.apply_cmd(force).arg("--dry-run=server").stdin(yaml)).await.map(drop)
    }

    /// Write the objects that this YAML stream names unchanged, so that they are stored again.
    ///
    /// # Errors
    ///
    /// What the API server rejected; a part may have been written.
    pub(crate) async fn touch(&self, names: &str) -> Result<(), ApiError> {
        let cmd = self.cmd().args(["patch", "-f", "-", "--type=merge", "-p", "{}"]).timeout(WRITE);
        self.run(&cmd.stdin(names)).await.map(drop)
    }

    /// Merge `patch` into the status of a cluster-scoped object.
    pub(crate) async fn patch_status(&self, kind: &str, name: &str, patch: &Value) -> Result<(), ApiError> {
        let cmd = self.cmd().args(["patch", kind, name, "--subresource=status", "--type=merge"]);
        self.run(&cmd.args(["-p", &patch.to_string()]).timeout(WRITE)).await.map(drop)
    }

    /// The end of a container's log; `previous` for that of the previous run.
    pub(crate) async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: Option<&str>,
        lines: u32,
        previous: bool,
    ) -> Result<String, ApiError> {
        let mut cmd = self.cmd().args(["logs", "-n", namespace, pod]).arg(format!("--tail={lines}"));
        if let Some(container) = container {
            cmd = cmd.args(["-c", container]);
        }
        if previous {
            cmd = cmd.arg("--previous");
        }
        Ok(self.run(&cmd).await?.text())
    }

    /// Whether `user` may do something: kubectl's `yes` or `no`.
    pub(crate) async fn can_i(
        &self,
        verb: &str,
        resource: &str,
        user: &str,
        namespace: &str,
    ) -> Result<String, ApiError> {
        let cmd = self.cmd().args(["auth", "can-i", verb, resource, "-n", namespace]);
        let output = self.runner.run(&cmd.arg(format!("--as={user}"))).await.map_err(ApiError::from)?;
        match output.text().trim() {
            answer @ ("yes" | "no") => Ok(answer.to_owned()),
            _ => Err(ApiError::from_stderr(&output.stderr)),
        }
    }

    /// Whether this user may do something, in a namespace or everywhere.
    pub(crate) async fn may(
        &self,
        verb: &str,
        resource: &str,
        namespace: Option<&str>,
    ) -> Result<bool, ApiError> {
        let mut cmd = self.cmd().args(["auth", "can-i", verb, resource]);
        cmd = match namespace {
            Some(namespace) => cmd.args(["-n", namespace]),
            None => cmd.arg("--all-namespaces"),
        };
        // kubectl warns on stderr about kinds that are not served yet, and responds nevertheless.
        let output = self.runner.run(&cmd).await.map_err(ApiError::from)?;
        match output.text().split_whitespace().next() {
            Some("yes") => Ok(true),
            Some("no") => Ok(false),
            _ => Err(ApiError::from_stderr(&output.stderr)),
        }
    }

    /// One entry of a Secret, decoded; the others are not read. Empty if it does not exist.
    pub(crate) async fn secret_entry(
        &self,
        namespace: &str,
        name: &str,
        key: &str,
    ) -> Result<String, ApiError> {
        let cmd = self.cmd().args(["get", "secrets", name, "-n", namespace, "--ignore-not-found", "-o"]);
        let template = format!(r#"go-template={{{{index .data "{key}" | base64decode}}}}"#);
        Ok(self.run(&cmd.arg(template)).await?.text())
    }

    /// The names in a directory of a container.
    ///
    /// # Errors
    ///
    /// If the container is not running, or has no such directory.
    pub(crate) async fn list_directory(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        path: &str,
    ) -> Result<Vec<String>, ApiError> {
        let cmd = self.cmd().args(["exec", "-n", namespace, pod, "-c", container, "--", "ls", "-1", path]);
        Ok(self.run(&cmd).await?.text().lines().map(|line| line.trim().to_owned()).collect())
    }

    /// Forward a free local port to `port` of a pod. The forward ends when the result is dropped.
    ///
    /// # Errors
    ///
    /// If kubectl cannot be run or does not print the port.
    pub(crate) async fn forward(&self, namespace: &str, pod: &str, port: u16) -> Result<Forward, ApiError> {
        self.forwarding(namespace, pod, &format!(":{port}"), WATCH).await
    }

    /// Forward the local port `local` without a time limit.
    pub(crate) async fn forward_from(
        &self,
        local: u16,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<Forward, ApiError> {
        self.forwarding(namespace, pod, &format!("{local}:{port}"), FOREVER).await
    }

    async fn forwarding(
        &self,
        namespace: &str,
        pod: &str,
        ports: &str,
        limit: Duration,
    ) -> Result<Forward, ApiError> {
        let cmd = self.cmd().args(["port-forward", "-n", namespace, &format!("pod/{pod}")]);
        let cmd = cmd.arg("--address=127.0.0.1").arg(ports).timeout(limit);
        let mut lines = self.runner.stream(&cmd).await.map_err(ApiError::from)?;
        let first = tokio::time::timeout(READ, lines.next())
            .await
            .map_err(|_| ApiError::from(ExecError::TimedOut(READ)))?
            .map_err(ApiError::from)?;
        match first.as_deref().and_then(forwarded_port) {
            Some(local) => Ok(Forward { port: local, lines }),
            None => {
                let output = lines.finish().await.map_err(ApiError::from)?;
                Err(ApiError::from_stderr(&output.stderr))
            }
        }
    }
}

/// What the API server stored.
fn stored(path: &str, output: &Output) -> Result<Value, ApiError> {
    serde_json::from_slice(&output.stdout)
        .map_err(|e| ApiError::new(ApiErrorKind::Malformed, format!("{path}: {e}")))
}

/// Does not exist, or its kind is not served.
fn absent(error: &ApiError) -> bool {
    matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::NoSuchKind)
}

/// A running port-forward.
pub(crate) struct Forward {
    /// The local port, on 127.0.0.1.
    pub port: u16,
    /// Keeps the child alive.
    lines: Box<dyn Lines>,
}

impl Forward {
    /// Wait until it ends by itself. kubectl's output about each connection is read, so that its pipe does not fill
    /// up.
    pub(crate) async fn ended(&mut self) {
        while matches!(self.lines.next().await, Ok(Some(_))) {}
    }
}

/// The local port of `Forwarding from 127.0.0.1:41233 -> 9092`.
fn forwarded_port(line: &str) -> Option<u16> {
    words::FORWARDED_TO.before(words::FORWARDING.after(line)?)?.rsplit_once(':')?.1.parse().ok()
}

impl Api for Kubectl {
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Value, ApiError>> {
        Box::pin(async move {
            if let Some(proxy) = &self.proxy
                && let Some(answer) = proxy.get(&*self.runner, &self.cmd(), path).await
            {
                return answer;
            }
            let output = self.run(&self.cmd().args(["get", "--raw", path])).await?;
            serde_json::from_slice(&output.stdout)
                .map_err(|e| ApiError::new(ApiErrorKind::Malformed, format!("{path}: {e}")))
        })
    }

    fn watch<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Box<dyn Lines>, ExecError>> {
        Box::pin(async move {
            if let Some(proxy) = &self.proxy
                && let Some(events) = proxy.watch(&*self.runner, &self.cmd(), path).await
            {
                return Ok(events);
            }
            let cmd = self.cmd().args(["get", "--raw", path]).timeout(WATCH);
            self.runner.stream(&cmd).await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forwarded_port_is_read() {
        assert_eq!(forwarded_port("Forwarding from 127.0.0.1:41233 -> 9092"), Some(41233));
        assert_eq!(forwarded_port("Forwarding from [::1]:41233 -> 9092"), Some(41233));
        assert_eq!(forwarded_port("error: pods \"x\" not found"), None);
    }
}
