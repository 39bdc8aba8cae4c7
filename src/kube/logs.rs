//! The logs of containers, by `kubectl logs`.

use std::time::Duration;

use crate::exec::{Cmd, Lines};
use crate::kube::ApiError;
use crate::kube::kubectl::Kubectl;

/// How long one log is followed before it is opened again.
const FOLLOW: Duration = Duration::from_secs(24 * 60 * 60);
/// Limit of reading one log to its end.
const READ: Duration = Duration::from_secs(30);

/// Which log, and which part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LogRequest {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// Its container.
    pub container: String,
    /// Only the last lines.
    pub tail: Option<u64>,
    /// Only lines that are not older than this.
    pub since: Option<Duration>,
    /// Only lines that are not older than this time (RFC 3339); takes precedence over `since`.
    pub since_time: Option<String>,
    /// Of the previous run.
    pub previous: bool,
    /// Follow it as it grows.
    pub follow: bool,
    /// With the kubelet's timestamp before each line.
    pub timestamps: bool,
}

impl Kubectl {
    /// The command that prints a log.
    pub(crate) fn log_cmd(&self, request: &LogRequest) -> Cmd {
        let mut cmd = self.cmd().args(["logs", "-n", &request.namespace, &request.pod]);
        cmd = cmd.args(["-c", &request.container]);
        if let Some(lines) = request.tail {
            cmd = cmd.arg(format!("--tail={lines}"));
        }
        match (&request.since_time, request.since) {
            (Some(time), _) => cmd = cmd.arg(format!("--since-time={time}")),
            // Whole seconds; for kubectl 0 means no limit.
            (None, Some(since)) => {
                let seconds = since.as_secs() + u64::from(since.subsec_nanos() > 0);
                cmd = cmd.arg(format!("--since={}s", seconds.max(1)));
            }
            (None, None) => {}
        }
        for (wanted, flag) in [
            (request.previous, "--previous"),
            (request.follow, "--follow"),
            (request.timestamps, "--timestamps"),
        ] {
            if wanted {
                cmd = cmd.arg(flag);
            }
        }
        cmd.timeout(if request.follow { FOLLOW } else { READ })
    }

    /// A complete log. No waiting: a log that is not available now is an error.
    pub(crate) async fn log(&self, request: &LogRequest) -> Result<String, ApiError> {
        Ok(self.run_once(&self.log_cmd(request)).await?.text())
    }

    /// A log, line by line.
    pub(crate) async fn log_lines(&self, request: &LogRequest) -> Result<Box<dyn Lines>, ApiError> {
        self.stream(&self.log_cmd(request)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_an_argv() {
        let runner = std::rc::Rc::new(crate::exec::system::System::new(Default::default(), false));
        let kubectl = Kubectl::new("kubectl".into(), std::path::Path::new("/k"), "c", runner);
        let request = LogRequest {
            namespace: "kafka".into(),
            pod: "p".into(),
            container: "kafka".into(),
            since: Some(Duration::from_millis(1500)),
            previous: true,
            timestamps: true,
            ..LogRequest::default()
        };
        assert_eq!(
            kubectl.log_cmd(&request).args.join(" "),
            "--kubeconfig /k --context c logs -n kafka p -c kafka --since=2s --previous --timestamps"
        );
    }
}
