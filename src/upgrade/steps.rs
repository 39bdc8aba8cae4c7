//! The steps of a path as tasks of the engine. Each checks whether it is needed, so that a second run continues where
//! the first one ended.

use std::cell::RefCell;
use std::rc::Rc;

use super::convert::Convert;
use super::images::{Contexts, Given, Images};
use super::kept;
use super::migrate::{Migrate, Part};
use super::path::{Action, Step, Stop};
use super::resources::Resources;
use super::settled::Settled;
use super::state::Found;
use super::versions::{Keep, Versions};
use crate::catalogue::Choice;
use crate::cluster::session::Session;
use crate::component;
use crate::config::Settings;
use crate::engine::task::{Doneness, Job, Spec, Task};
use crate::failure::Result;
use crate::quickstart::components::ComponentTask;
use crate::quickstart::context::Context;
use crate::quickstart::{crds, operator, smoke, topic};
use async_trait::async_trait;

/// A smoke test, and a check that everything that existed before the first step still exists.
struct Proof {
    smoke: smoke::Smoke,
    before: kept::Before,
    kept: RefCell<Option<String>>,
}

#[async_trait(?Send)]
impl Task<Context> for Proof {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        Ok(match (self.smoke.check(cx).await?, &*self.kept.borrow()) {
            (Doneness::Done(said), Some(kept)) => Doneness::Done(format!("{said}; {kept}")),
            (Doneness::Done(_), None) => Doneness::Pending("reading topics and offsets".into()),
            (other, _) => other,
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        self.smoke.run(cx).await?;
        let kept = kept::verify(cx, &self.before).await?;
        *self.kept.borrow_mut() = Some(kept);
        Ok(())
    }
}

/// What the steps share.
pub(crate) struct Way<'a> {
    /// The context with which the Kafka resource was read.
    pub cx: &'a Session,
    /// The current state.
    pub found: &'a Found,
    /// Settings of a release, and its versions.
    pub choose: &'a dyn Fn(&Stop) -> Result<(Settings, Choice)>,
    /// Images that are loaded first.
    pub given: Rc<Given>,
}

impl Way<'_> {
    /// The jobs in order.
    pub(crate) fn jobs(&self, stops: &[Stop]) -> Result<Vec<Job>> {
        let mut line = Line { jobs: Vec::new(), proofs: 0, contexts: Rc::default(), before: Rc::default() };
        let now = Stop {
            release: self.found.state.release,
            kafka: self.found.state.kafka.clone(),
            level: self.found.state.level.clone(),
            mode: self.found.state.mode(),
            steps: Vec::new(),
        };
        let mut at = now.clone();
        let mut cx = self.context(&now, &line)?;
        if !stops.is_empty() && !self.given.is_empty() {
            let images = Images::new(self.given.clone(), line.contexts.clone());
            line.push(&cx, "images", "Images of all steps", 40, images);
        }
        if !self.found.between {
            line.push(&cx, "ready", "Everything ready before the upgrade", 15, Settled::default());
            line.push(&cx, "topic", "Topic", 15, topic::Topic::default());
        }
        line.run_test(&cx);
        let retires = |step: &Step| matches!(step.action, Action::Versions { .. });
        if !stops.is_empty() && !stops.iter().flat_map(|s| &s.steps).any(retires) {
            line.versions(&cx, Keep::Live);
        }
        for stop in stops {
            // Each step has the mode in which it is done; a migration is a separate stop.
            if stop.release.version != at.release.version || stop.mode != at.mode {
                at = Stop { kafka: at.kafka.clone(), level: at.level.clone(), ..stop.clone() };
            }
            for step in &stop.steps {
                let release = &stop.release.version;
                match &step.action {
                    Action::Versions { .. } => {
                        cx = self.context(&at, &line)?;
                        line.versions(&cx, Keep::Release);
                        // The operator that cannot read its resources now is replaced immediately.
                        continue;
                    }
                    Action::Operator { .. } => {
                        cx = self.context(&at, &line)?;
                        let title = format!("Definitions of Strimzi {release}");
                        line.push(&cx, format!("crds-{release}"), title, 15, crds::Crds::default());
                        let title = format!("Operator of Strimzi {release}");
                        let operator = operator::Operator::default();
                        line.push(&cx, format!("operator-{release}"), title, 15, operator);
                        let title = format!("Brokers by Strimzi {release}");
                        line.push(
                            &cx,
                            format!("brokers-{release}"),
                            title,
                            60,
                            Settled::default().by_release(),
                        );
                    }
                    Action::Kafka { level, .. } => {
                        at = Stop { kafka: stop.kafka.clone(), level: level.clone(), ..stop.clone() };
                        cx = self.context(&at, &line)?;
                        let (id, title) = (format!("kafka-{}", stop.kafka), format!("Kafka {}", stop.kafka));
                        line.push(&cx, id, title, 60, Resources::new(level.clone(), false));
                    }
                    Action::Level { .. } | Action::Resources | Action::WithoutZookeeper => {
                        at = stop.clone();
                        cx = self.context(&at, &line)?;
                        let (id, title) = match (&step.action, &stop.level) {
                            (Action::WithoutZookeeper, _) => {
                                ("without-zookeeper".into(), "Kafka without ZooKeeper settings".into())
                            }
                            (Action::Level { .. }, Some(level)) => {
                                (format!("metadata-{level}"), format!("Metadata version {level}"))
                            }
                            _ => (format!("resources-{release}"), format!("Resources of Strimzi {release}")),
                        };
                        let resources = Resources::new(stop.level.clone(), true);
                        let resources = match step.action {
                            Action::WithoutZookeeper => resources.without_zookeeper(),
                            _ => resources,
                        };
                        line.push(&cx, id, title, 60, resources);
                    }
                    Action::Pools | Action::Migrate | Action::Kraft => {
                        cx = self.context(&at, &line)?;
                        let (part, id, title, minutes) = match step.action {
                            Action::Pools => (Part::Pools, "node-pools", "Node pool of the brokers", 15),
                            Action::Migrate => (Part::Migrate, "migrate", "Migrate metadata to KRaft", 60),
                            _ => (Part::Kraft, "kraft", "KRaft without ZooKeeper", 60),
                        };
                        line.push(&cx, id, title, minutes, Migrate::new(part));
                    }
                    Action::Convert => {
                        cx = self.context(&at, &line)?;
                        // In the form of v1: the older form would be rejected.
                        line.components(&cx);
                        line.push(&cx, "convert-v1", "Store everything as v1", 15, Convert);
                    }
                }
                line.run_test(&cx);
            }
        }
        if !stops.is_empty() {
            line.components(&cx);
        }
        Ok(line.jobs)
    }

    fn context(&self, stop: &Stop, line: &Line) -> Result<Rc<Context>> {
        let (settings, choice) = (self.choose)(stop)?;
        let cx = Rc::new(Context::for_release(self.cx, settings, choice));
        cx.class_data.set(self.found.shape.class_data);
        // The installed release has its images already.
        if stop.release.version != self.found.state.release.version || stop.kafka != self.found.state.kafka {
            line.contexts.borrow_mut().push(cx.clone());
        }
        Ok(cx)
    }
}

/// Jobs that depend on the previous one each.
struct Line {
    jobs: Vec<Job>,
    proofs: usize,
    /// The tasks of the steps, for dependencies of later jobs.
    contexts: Contexts,
    /// The content of Kafka before the first step.
    before: kept::Before,
}

impl Line {
    fn push(
        &mut self,
        cx: &Rc<Context>,
        id: impl Into<String>,
        title: impl Into<String>,
        minutes: u64,
        task: impl Task<Context> + 'static,
    ) {
        let needs: Vec<&str> = self.jobs.last().iter().map(|job| job.spec.id.as_str()).collect();
        let spec = Spec::new(id, title, &needs, minutes);
        self.jobs.push(Job::new(spec, task, cx));
    }

    /// The resources of the components that kstrim created, for the context's release.
    fn components(&mut self, cx: &Rc<Context>) {
        let own = cx.settings.with.iter().map(|name| component::of(*name)).filter(|c| c.kind().is_some());
        for component in own {
            let name = component.name;
            let id = format!("{name}-{}-{}", cx.choice.release.version, cx.choice.kafka);
            let title = format!("{} by Strimzi {}", component.title, cx.choice.release.version);
            // Before the conversion and at the end it may be for the same release.
            if self.jobs.iter().all(|job| job.spec.id != id) {
                self.push(cx, id, title, 15, ComponentTask::new(name));
            }
        }
    }

    /// Remove references to removed versions.
    fn versions(&mut self, cx: &Rc<Context>, keep: Keep) {
        let id = format!("versions-{}", cx.choice.release.version);
        self.push(cx, id, "Remove old versions of Strimzi's resources", 15, Versions::new(keep));
    }

    /// A smoke test.
    fn run_test(&mut self, cx: &Rc<Context>) {
        self.proofs += 1;
        let (id, title) = (format!("smoke-{}", self.proofs), format!("Smoke test {}", self.proofs));
        let proof =
            Proof { smoke: smoke::Smoke::default(), before: self.before.clone(), kept: RefCell::default() };
        self.push(cx, id, title, 15, proof);
    }
}
