//! Waiting for the cluster: each snapshot is judged, the probes that the judgement needs are run, and a certain cause
//! ends the wait.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::remediation::Remedies;
use super::session::Session;
use crate::engine::task::{Doneness, Wait};
use crate::errors;
use crate::explain::ready::Readiness;
use crate::explain::{self, Answers, Expect, Finding, Judge, Probe, Scene, Scope, Verdict, Workload};
use crate::failure::{Failure, Result};
use crate::kube::kubectl::Kubectl;
use crate::kube::{Api, Snapshot};

/// Waits for one thing: what was judged and probed since the wait began.
pub(crate) struct Waiter {
    scope: Scope,
    what: String,
    workload: Option<Workload>,
    subject: Option<&'static str>,
    topic: RefCell<Option<String>>,
    judge: RefCell<Judge>,
    answers: RefCell<Answers>,
    changed_at: Cell<Option<Timestamp>>,
    began: Timestamp,
}

impl Waiter {
    /// A wait for `scope`; `what` is the sentence of its failure: `Kafka cannot start`.
    pub(crate) fn new(scope: Scope, what: impl Into<String>) -> Self {
        Self {
            scope,
            what: what.into(),
            workload: None,
            subject: None,
            topic: RefCell::default(),
            judge: RefCell::default(),
            answers: RefCell::default(),
            changed_at: Cell::default(),
            began: Timestamp::now(),
        }
    }

    /// A wait for a user's workload.
    pub(crate) fn of_workload(workload: Workload) -> Self {
        let what = format!("{} {} does not become ready", workload.kind, workload.name);
        Self { workload: Some(workload), ..Self::new(Scope::Workload, what) }
    }

    /// A wait for something other than Kafka, by its name in the message about a timeout: `Kafka Connect`.
    #[must_use]
    pub(crate) fn subject(mut self, subject: &'static str) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Also wait for the KafkaTopic of this name, in [`Scope::Topic`]; `None`: for no topic.
    pub(crate) fn set_topic(&self, resource: Option<&str>) {
        *self.topic.borrow_mut() = resource.map(str::to_owned);
    }

    /// kstrim has changed something just now: older conditions are stale.
    pub(crate) fn changed_now(&self) {
        self.changed_at.set(Some(Timestamp::now()));
    }

    /// Judge a snapshot.
    pub(crate) async fn look(
        &self,
        remedies: &impl Remedies,
        snapshot: &Snapshot,
        ready: impl Fn(&Scene<'_>, &Verdict) -> Readiness,
    ) -> Result<Doneness> {
        let cx = remedies.session();
        super::remote_operator::look(cx, snapshot).await;
        let snapshot = &super::remote_operator::seen(cx, snapshot.clone());
        let expect = self.expect(cx, snapshot);
        let mut asked = false;
        loop {
            let answers = self.answers.borrow().clone();
            let scene = Scene { snapshot, expect: &expect, answers: &answers, now: Timestamp::now() };
            let verdict = self.judge.borrow_mut().look(&scene);
            let readiness = ready(&scene, &verdict);
            if !asked && !readiness.is_ready() && !verdict.probes.is_empty() {
                asked = true;
                for probe in &verdict.probes {
                    if let Some(answer) = ask(&cx.kubectl, probe).await {
                        self.answers.borrow_mut().insert(probe.clone(), answer);
                    }
                }
                continue;
            }
            return match readiness {
                Readiness::Ready => Ok(Doneness::Done(String::new())),
                Readiness::Progressing { why } => Ok(Doneness::Pending(why)),
                Readiness::Failed(finding) => {
                    match super::remediation::remediate(remedies, snapshot, &finding).await? {
                        Some(why) => {
                            // Earlier judgements and responses no longer apply.
                            *self.judge.borrow_mut() = Judge::new();
                            self.answers.borrow_mut().clear();
                            Ok(Doneness::Pending(why))
                        }
                        None => Err(self.failure(finding.failure())),
                    }
                }
            };
        }
    }

    fn expect(&self, cx: &Session, snapshot: &Snapshot) -> Expect {
        let mut expect = cx.expect().scope(self.scope).located(snapshot);
        if let Some(workload) = &self.workload {
            expect.cluster.clone_from(&workload.name);
            expect.workload = Some(workload.clone());
        }
        expect.topic.clone_from(&self.topic.borrow());
        expect.changed_at = self.changed_at.get();
        expect.waits_since = Some(self.began);
        expect
    }

    /// The deepest known cause, or the facts, when the time limit of a wait has passed.
    pub(crate) fn timed_out(&self, cx: &Session, limit: Duration) -> Box<Failure> {
        let what = self.subject.map_or_else(|| format!("Kafka {}", cx.cluster()), str::to_owned);
        let (snapshot, answers) =
            (super::remote_operator::seen(cx, cx.store.snapshot()), self.answers.borrow());
        let expect = self.expect(cx, &snapshot);
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now: Timestamp::now() };
        Box::new(explain::timed_out(&scene, &what, limit))
    }

    /// The deepest known cause, certain or not.
    pub(crate) fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let (snapshot, answers) =
            (super::remote_operator::seen(cx, cx.store.snapshot()), self.answers.borrow());
        let expect = self.expect(cx, &snapshot);
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now: Timestamp::now() };
        let found = explain::findings(&scene);
        // A missing operator has only not been installed yet: this run does that.
        let counts = |f: &&Finding| f.certain_after.is_some() && f.id != errors::OPERATOR_MISSING;
        let cause = found.iter().find(counts)?;
        Some(self.failure(cause.failure()))
    }

    /// The failure of the wait with this cause.
    fn failure(&self, cause: Failure) -> Box<Failure> {
        let mut failure = Failure::new(cause.id, cause.kind, &self.what).because(cause.message);
        for deeper in cause.causes {
            failure = failure.because(deeper);
        }
        failure.hints = cause.hints;
        Box::new(failure)
    }
}

#[async_trait(?Send)]
impl<C: Remedies> Wait<C> for Waiter {
    async fn changed(&self, cx: &C) {
        cx.session().changed_or_second().await;
    }

    fn timed_out(&self, cx: &C, limit: Duration) -> Box<Failure> {
        self.timed_out(cx.session(), limit)
    }

    fn cause(&self, cx: &C) -> Option<Box<Failure>> {
        self.cause(cx.session())
    }
}

/// Run a probe; `None` if the cluster does not respond, so that it is repeated with the next snapshot.
pub(crate) async fn ask(kubectl: &Kubectl, probe: &Probe) -> Option<String> {
    match probe {
        Probe::AuthCanI { verb, resource, user, namespace } => {
            kubectl.can_i(verb, resource, user, namespace).await.ok()
        }
        Probe::Bindings { namespace } => {
            let path = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings");
            kubectl.find(&path).await.ok().flatten().map(|list| explain::subjects(&list))
        }
        Probe::PodLog { namespace, pod, container, previous, .. } => {
            let log = |previous| kubectl.logs(namespace, pod, Some(container), explain::LOG_LINES, previous);
            match log(*previous).await {
                Err(_) if *previous => log(false).await.ok(),
                other => other.ok(),
            }
        }
        Probe::Reconciliations { namespace, pod, .. } => {
            let log = kubectl.logs(namespace, pod, None, explain::OPERATOR_LINES, false).await;
            log.ok().map(|log| explain::reconciliations(&log))
        }
        Probe::Webhook { name } => Some(kubectl.configuration_of(name).await.unwrap_or_default()),
        Probe::StorageClasses { .. } => {
            let list = kubectl.get("/apis/storage.k8s.io/v1/storageclasses").await;
            list.ok().map(|list| explain::storage_answer(&list))
        }
    }
}
