//! What `stop` and `pause` do. Nothing is deleted, and no object of the cluster is changed:
//!
//! ```text
//! stop:  brokers ─ machine
//! pause: machine
//! ```

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;

use crate::cluster::journal::SuspensionState;
use crate::cluster::session::Session;
use crate::cluster::{class_data, shutdown, suspension};
use crate::engine::task::{Doneness, Job, Spec, Task};
use crate::errors;
use crate::exec::Runner;
use crate::failure::{Failure, Kind, Result};
use crate::terminal::duration;
use crate::tool::minikube_output::State;
use crate::tool::node::Node;

/// How long the clean shutdown may take in all.
const CLEAN: Duration = Duration::from_secs(4 * 60);

/// What has to be undone if the run fails.
#[derive(Default)]
pub(crate) struct Begun {
    /// The nodes whose kubelet was stopped.
    kubelets: RefCell<Vec<Node>>,
    /// Whether a pause was begun.
    pause: Cell<bool>,
}

impl Begun {
    /// Undo it, with commands that run even after an interrupt, so that the profile is either stopped,
    /// paused or running.
    pub(crate) async fn undo(&self, cx: &Session, runner: Rc<dyn Runner>) {
        let minikube = cx.minikube.with_runner(runner);
        let nodes = self.kubelets.take();
        let resumed = shutdown::resume(&minikube, &nodes).await;
        let unpaused =
            if self.pause.take() { suspension::unpause(&minikube, cx.profile()).await } else { Ok(()) };
        match resumed.and(unpaused) {
            Ok(()) => {
                // If the journal cannot be written, the next writer reports the error.
                let _ = suspension::record(cx, None);
            }
            Err(failure) => suspension::not_undone(cx, &failure),
        }
    }

    fn is_anything(&self) -> bool {
        self.pause.get() || !self.kubelets.borrow().is_empty()
    }

    /// Whether a failure of the run leaves anything to undo.
    pub(crate) fn needs_undo(&self, failed: bool) -> bool {
        failed && self.is_anything()
    }
}

/// The jobs that stop the profile, whose state is `state` and whose container runtime is `runtime`.
pub(crate) fn stop(cx: &Rc<Session>, state: State, runtime: &str, begun: &Rc<Begun>) -> Vec<Job> {
    let brokers = Brokers { state, begun: begun.clone(), ended: OnceCell::new() };
    let machine = Machine { begun: begun.clone(), containerd: runtime == "containerd" };
    vec![
        Job::new(Spec::new("brokers", "Kafka brokers", &[], 6), brokers, cx),
        Job::new(Spec::new("machine", "minikube machine", &["brokers"], 6), machine, cx),
    ]
}

/// The job that pauses the profile.
pub(crate) fn pause(cx: &Rc<Session>, begun: &Rc<Begun>) -> Vec<Job> {
    vec![Job::new(Spec::new("machine", "minikube machine", &[], 5), Pause(begun.clone()), cx)]
}

/// The clean shutdown of what Strimzi runs.
struct Brokers {
    state: State,
    begun: Rc<Begun>,
    ended: OnceCell<String>,
}

impl Brokers {
    async fn shut_down(&self, cx: &Session) -> Result<usize> {
        let nodes = cx.minikube.nodes().await?;
        self.begun.kubelets.borrow_mut().clone_from(&nodes);
        let work = shutdown::shut_down(&cx.minikube, &nodes, |what| cx.emit.progress(what, None));
        match tokio::time::timeout(CLEAN, work).await {
            Ok(done) => done,
            Err(_) => {
                let limit = duration::ticking(CLEAN);
                Err(shutdown::unclean(format!("it was not finished after {limit}")))
            }
        }
    }
}

#[async_trait(?Send)]
impl Task<Session> for Brokers {
    async fn check(&self, _: &Session) -> Result<Doneness> {
        Ok(match (self.ended.get(), &self.state) {
            (Some(what), _) => Doneness::Done(what.clone()),
            (None, State::Stopped) => Doneness::Done("the machine is not running".into()),
            (None, _) => Doneness::Pending("shutting down cleanly".into()),
        })
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        if self.state == State::Paused {
            // Frozen processes cannot terminate.
            suspension::unpause(&cx.minikube, cx.profile()).await?;
        }
        class_data::keep(cx).await;
        suspension::record(cx, Some(SuspensionState::Stopping.now()))?;
        let what = match self.shut_down(cx).await {
            Ok(count) => shutdown::describe(count),
            Err(failure) if cx.ownership.cancel.reason().is_some() => return Err(failure),
            Err(failure) => {
                let causes = failure.causes.join(": ");
                cx.emit.warn_of(
                    errors::PROFILE_UNCLEAN,
                    format!("Kafka was not shut down cleanly; the machine is stopped anyway: {causes}"),
                );
                "not shut down cleanly".to_owned()
            }
        };
        let _ = self.ended.set(what);
        Ok(())
    }
}

/// `minikube stop`.
struct Machine {
    begun: Rc<Begun>,
    /// Whether the container runtime is containerd.
    containerd: bool,
}

#[async_trait(?Send)]
impl Task<Session> for Machine {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        reached(cx, &State::Stopped, "stopped").await
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        if self.containerd && cx.ownership.profile_is_ours.get() {
            let nodes = self.begun.kubelets.borrow().clone();
            // Without it, the next start only takes longer.
            join_all(nodes.iter().map(|node| cx.minikube.prepare_containerd(node))).await;
        }
        suspension::run(&cx.minikube, cx.profile(), &cx.minikube.stop_cmd()).await?;
        self.begun.kubelets.take();
        suspension::record(cx, Some(SuspensionState::Stopped.now()))
    }
}

/// `minikube pause`, of everything in the profile.
struct Pause(Rc<Begun>);

#[async_trait(?Send)]
impl Task<Session> for Pause {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        reached(cx, &State::Paused, "paused").await
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        if suspension::can_freeze(&cx.minikube).await? == Some(false) {
            let failure = cannot(cx, Kind::Prerequisite);
            return Err(Box::new(failure.because(
                "its node has no freezer: neither cgroup v2 nor the controller freezer of cgroup v1",
            )));
        }
        suspension::record(cx, Some(SuspensionState::Pausing.now()))?;
        self.0.pause.set(true);
        let instead =
            |failure: Failure| failure.hint(format!("stop it instead: {}", cx.target.kstrim("stop")));
        let paused = suspension::run(&cx.minikube, cx.profile(), &cx.minikube.pause_cmd()).await;
        paused.map_err(|failure| match failure.id == errors::PROFILE_PAUSE {
            true => Box::new(instead(*failure)),
            false => failure,
        })?;
        // minikube counts containers, not whether they are frozen.
        match cx.minikube.status().await? {
            State::Paused => {}
            _ => {
                return Err(Box::new(
                    cannot(cx, Kind::Task)
                        .because("minikube pause succeeded, but minikube does not report it as paused"),
                ));
            }
        }
        self.0.pause.set(false);
        suspension::record(cx, Some(SuspensionState::Paused.now()))
    }
}

/// Whether the machine is in the state that a task brings it to.
async fn reached(cx: &Session, state: &State, name: &str) -> Result<Doneness> {
    Ok(match cx.minikube.status().await? == *state {
        true => Doneness::Done(format!("profile {} is {name}", cx.profile())),
        false => Doneness::Pending(format!("profile {} is running", cx.profile())),
    })
}

fn cannot(cx: &Session, kind: Kind) -> Failure {
    Failure::new(errors::PROFILE_PAUSE, kind, format!("the profile {} cannot be paused", cx.profile()))
        .hint(format!("stop it instead: {}", cx.target.kstrim("stop")))
}
