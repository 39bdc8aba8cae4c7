//! The port-forwards of all runs that use a listener: `kstrim __forwards REQUEST`, in a separate process.
//!
//! Each broker advertises one port to programs on this machine, so all runs use the same ports, and a port-forward
//! must not end with the run that opened it. This process exits when no run uses the listener any more: each run
//! holds a shared lock on a file, which the kernel frees even if the run is killed, and this process waits for the
//! exclusive lock.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::record;
use crate::cli::Global;
use crate::cluster::{brokers, listener};
use crate::cmd::connect::{self, forwards::Forwards};
use crate::cmd::living;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::Kafka;
use crate::manifest::user::Authentication;
use crate::names::{ContextName, ProfileName};
use crate::paths::write_private;

/// The hidden command.
pub(crate) const VERB: &str = "__forwards";

/// Maximum time between two writes of the state.
const BEAT: Duration = Duration::from_millis(200);
/// A state that is older was written by a process that has ended.
const FRESH_MS: i64 = 5_000;
/// How long a run that checks whether this process exists may block its start.
const START: Duration = Duration::from_secs(2);

/// A listener of a Kafka cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    profile: String,
    context: Option<String>,
    namespace: String,
    cluster: String,
    /// `tls`, `scram-sha-512`, or none.
    authentication: Option<String>,
    /// The path of its files, without their endings.
    files: PathBuf,
}

/// The state of the port-forwards, as their process reports it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    at: i64,
    /// The pod of each broker whose port-forward is open.
    pub open: BTreeMap<i32, String>,
    /// Why the others are not.
    pub trouble: BTreeMap<i32, String>,
    /// Why there are no port-forwards at all.
    pub failure: Option<String>,
}

impl Request {
    /// For the cluster of `global`, with files in `runs`.
    pub(crate) fn new(global: &Global, how: Option<Authentication>, runs: &Path) -> Self {
        let name = format!("{}.{}.{}", global.namespace, global.cluster, listener::host_defaults(how).0);
        Self {
            profile: global.profile.to_string(),
            context: global.context.as_ref().map(ToString::to_string),
            namespace: global.namespace.to_string(),
            cluster: global.cluster.to_string(),
            authentication: how.map(|how| how.strimzi().to_owned()),
            files: runs.join(name),
        }
    }

    fn file(&self, ending: &str) -> PathBuf {
        let mut path = self.files.clone().into_os_string();
        path.push(ending);
        path.into()
    }

    /// The lock that all runs share.
    pub(crate) fn users(&self) -> PathBuf {
        self.file(".users")
    }

    /// The lock that the process holds.
    pub(crate) fn process(&self) -> PathBuf {
        self.file(".process")
    }

    /// The state that the process writes.
    fn state_file(&self) -> PathBuf {
        self.file(".json")
    }

    /// The state, if it is recent.
    pub(crate) fn state(&self) -> Option<State> {
        let state: State = serde_json::from_slice(&std::fs::read(self.state_file()).ok()?).ok()?;
        (now() - state.at < FRESH_MS).then_some(state)
    }

    /// Delete the state of a process that has ended.
    pub(crate) fn forget_state(&self) {
        let _ = std::fs::remove_file(self.state_file());
    }

    fn write_state(&self, state: &State) {
        let path = self.state_file();
        let new = path.with_extension("new");
        let Ok(json) = serde_json::to_vec(state) else { return };
        // Atomically, because others may read it at any time. If it cannot be written, it soon counts as too old.
        let _ = write_private(&new, &json).and_then(|()| std::fs::rename(&new, &path));
    }

    fn how(&self) -> Option<Authentication> {
        self.authentication.as_deref().and_then(Authentication::parse)
    }

    fn global(&self) -> Option<Global> {
        let context: Option<ContextName> = match &self.context {
            Some(context) => Some(context.parse().ok()?),
            None => None,
        };
        let profile = match &context {
            Some(context) => ProfileName::of_context(context),
            None => self.profile.parse().ok()?,
        };
        let (namespace, cluster) = (self.namespace.parse().ok()?, self.cluster.parse().ok()?);
        Some(Global { profile, context, namespace, cluster, quiet: true, verbose: false, given: Vec::new() })
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Handle a request until no run needs it.
pub(crate) fn main(request: Option<OsString>) -> ExitCode {
    let request = request.and_then(|json| serde_json::from_str::<Request>(json.to_str()?).ok());
    let Some((request, global)) = request.and_then(|r| Some((r.clone(), r.global()?))) else {
        return ExitCode::from(Kind::Usage.exit_code());
    };
    let served = crate::cmd::block_on(async {
        let Some(_alone) = alone(&request).await else { return Ok(ExitCode::SUCCESS) };
        let users = record::open(&request.users())
            .map_err(|e| Box::new(crate::paths::unwritable(&request.users(), &e)))?;
        let unused = tokio::task::spawn_blocking(move || users.lock().map(|()| users));
        let ended = tokio::select! {
            _ = unused => Ok(()),
            ended = forward(&request, &global) => ended,
        };
        if let Err(failure) = &ended {
            let causes = failure.causes.join(": ");
            let failure = Some(format!("{}: {causes}", failure.message).trim_end_matches(": ").to_owned());
            request.write_state(&State { at: now(), failure, ..State::default() });
        }
        ended.map(|()| ExitCode::SUCCESS)
    });
    served.unwrap_or_else(|failure| ExitCode::from(failure.kind.exit_code()))
}

/// The lock that only one such process can hold; `None` if another process holds it.
async fn alone(request: &Request) -> Option<std::fs::File> {
    let file = record::open(&request.process()).ok()?;
    let end = tokio::time::Instant::now() + START;
    while file.try_lock().is_err() {
        if tokio::time::Instant::now() >= end {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Some(file)
}

/// Keep the port-forwards open, and write their state.
async fn forward(request: &Request, global: &Global) -> Result<()> {
    let how = request.how();
    let living = living::quiet(global).await?;
    let cx = living.cx.clone();
    let inside = connect::port_in_pods(&living, how).await?;
    let snapshot = cx.synced(&brokers::KINDS).await;
    let kafka = snapshot.kafka(cx.namespace(), cx.cluster());
    let ports =
        kafka.and_then(|kafka: Kafka<'_>| listener::host_of(&kafka, how)).map(|l| listener::ports(&l));
    let Some(ports) = ports else {
        let message = "the Kafka cluster has no listener for programs on this machine";
        return Err(Box::new(Failure::new(errors::CONNECT_LATE, Kind::Task, message)));
    };
    let forwards = Forwards::open(cx, inside, &ports);
    let told = async {
        loop {
            let (open, trouble) = forwards.all();
            request.write_state(&State { at: now(), open, trouble, failure: None });
            tokio::time::sleep(BEAT).await;
        }
    };
    tokio::select! {
        ended = forwards.keep(how) => ended,
        () = told => Ok(()),
    }
}
