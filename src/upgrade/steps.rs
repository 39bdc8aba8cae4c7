//! The steps of a path as tasks of the engine. Each looks whether it is needed, so that a second run
//! goes on where the cluster stands.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

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
use crate::cluster::session::Cx;
use crate::component;
use crate::config::Settings;
use crate::engine::task::{Doneness, Spec, Task};
use crate::event::{Emit, Event};
use crate::failure::{Failure, Result};
use crate::quickstart::component::Beside;
use crate::quickstart::{crds, operator, smoke, topic};
use async_trait::async_trait;

/// The names under which a task of `up` tells its progress, and those it has here.
pub type Names = Rc<RefCell<BTreeMap<&'static str, &'static str>>>;

/// A task of `up`, with the context of a stop and a name of its own.
struct At<T> {
    cx: Rc<Cx>,
    inner: T,
    spec: Spec,
    /// The name it has in `up`.
    of_up: &'static str,
    names: Names,
}

#[async_trait(?Send)]
impl<T: Task<Cx>> Task<Cx> for At<T> {
    fn spec(&self) -> Spec {
        self.spec.clone()
    }

    async fn check(&self, _: &Cx) -> Result<Doneness> {
        self.names.borrow_mut().insert(self.of_up, self.spec.id);
        self.inner.check(&self.cx).await
    }

    async fn run(&self, _: &Cx) -> Result<()> {
        self.inner.run(&self.cx).await
    }

    async fn changed(&self, _: &Cx) {
        self.inner.changed(&self.cx).await;
    }

    async fn explain_timeout(&self, _: &Cx, last: &str) -> Option<Box<Failure>> {
        self.inner.explain_timeout(&self.cx, last).await
    }

    async fn cause(&self, _: &Cx) -> Option<Box<Failure>> {
        self.inner.cause(&self.cx).await
    }
}

/// Messages there and back, and nothing lost that was there before the first step.
struct Proof {
    smoke: At<smoke::Smoke>,
    before: kept::Before,
    kept: RefCell<Option<String>>,
}

#[async_trait(?Send)]
impl Task<Cx> for Proof {
    fn spec(&self) -> Spec {
        self.smoke.spec()
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        Ok(match (self.smoke.check(cx).await?, &*self.kept.borrow()) {
            (Doneness::Done(said), Some(kept)) => Doneness::Done(format!("{said}; {kept}")),
            (Doneness::Done(_), None) => Doneness::Pending("reading topics and offsets".into()),
            (other, _) => other,
        })
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        self.smoke.run(cx).await?;
        let kept = kept::verify(&self.smoke.cx, &self.before).await?;
        *self.kept.borrow_mut() = Some(kept);
        Ok(())
    }
}

/// An emitter that gives what tasks of `up` tell the names they have here.
pub fn renaming(emit: &Emit, names: &Names) -> Emit {
    let (emit, names) = (emit.clone(), names.clone());
    Emit::new(move |mut event| {
        let of = |task: &str| names.borrow().get(task).map(|name| (*name).to_owned());
        match &mut event {
            Event::TaskProgress { task, .. } => {
                if let Some(name) = of(task) {
                    *task = name;
                }
            }
            Event::Warning { task: Some(task), .. } => {
                if let Some(name) = of(task) {
                    *task = name;
                }
            }
            _ => {}
        }
        emit.send(event);
    })
}

/// What the steps share.
pub struct Way<'a> {
    /// The context the Kafka was found with.
    pub cx: &'a Cx,
    /// The current versions.
    pub found: &'a Found,
    /// Settings of a release, and what belongs to it.
    pub choose: &'a dyn Fn(&Stop) -> Result<(Settings, Choice)>,
    /// Images that are loaded first.
    pub given: Rc<Given>,
}

impl Way<'_> {
    /// The tasks, one after the other.
    ///
    /// # Errors
    /// What a release's choice gives.
    pub fn tasks(&self, stops: &[Stop]) -> Result<Vec<Rc<dyn Task<Cx>>>> {
        let mut line = Line {
            names: Rc::default(),
            tasks: Vec::new(),
            last: None,
            proofs: 0,
            contexts: Rc::default(),
            before: Rc::default(),
        };
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
            let spec = line.spec("images".into(), "Images of all steps".into(), 40);
            line.push(Rc::new(Images::new(cx.clone(), spec, self.given.clone(), line.contexts.clone())));
        }
        if !self.found.between {
            let ready = Settled::new(
                cx.clone(),
                line.spec("ready".into(), "Everything ready before the upgrade".into(), 15),
            );
            line.push(Rc::new(ready));
            line.up(&cx, topic::Topic::default(), "topic", "topic".into(), "Topic".into());
        }
        line.prove(&cx);
        let retires = |step: &Step| matches!(step.action, Action::Versions { .. });
        if !stops.is_empty() && !stops.iter().flat_map(|s| &s.steps).any(retires) {
            line.versions(&cx, Keep::Live);
        }
        for stop in stops {
            // Each step has the mode that it is done in; a migration is a stop of its own.
            if stop.release.version != at.release.version || stop.mode != at.mode {
                at = Stop { kafka: at.kafka.clone(), level: at.level.clone(), ..stop.clone() };
            }
            for step in &stop.steps {
                let release = &stop.release.version;
                match &step.action {
                    Action::Versions { .. } => {
                        cx = self.context(&at, &line)?;
                        line.versions(&cx, Keep::Release);
                        // The operator that is blind to its resources now is replaced at once.
                        continue;
                    }
                    Action::Operator { .. } => {
                        cx = self.context(&at, &line)?;
                        let title = format!("Definitions of Strimzi {release}");
                        line.up(&cx, crds::Crds::default(), "crds", format!("crds-{release}"), title);
                        let title = format!("Operator of Strimzi {release}");
                        line.up(
                            &cx,
                            operator::Operator::new(false),
                            "operator",
                            format!("operator-{release}"),
                            title,
                        );
                        let spec = line.spec(
                            format!("brokers-{release}"),
                            format!("Brokers by Strimzi {release}"),
                            60,
                        );
                        line.push(Rc::new(Settled::new(cx.clone(), spec).by_release()));
                    }
                    Action::Kafka { level, .. } => {
                        at = Stop { kafka: stop.kafka.clone(), level: level.clone(), ..stop.clone() };
                        cx = self.context(&at, &line)?;
                        let spec =
                            line.spec(format!("kafka-{}", stop.kafka), format!("Kafka {}", stop.kafka), 60);
                        line.push(Rc::new(Resources::new(cx.clone(), spec, level.clone(), false)));
                    }
                    Action::Level { .. } | Action::Resources | Action::WithoutZookeeper => {
                        at = stop.clone();
                        cx = self.context(&at, &line)?;
                        let spec = match (&step.action, &stop.level) {
                            (Action::WithoutZookeeper, _) => line.spec(
                                "without-zookeeper".into(),
                                "Kafka without ZooKeeper settings".into(),
                                60,
                            ),
                            (Action::Level { .. }, Some(level)) => line.spec(
                                format!("metadata-{level}"),
                                format!("Metadata version {level}"),
                                60,
                            ),
                            _ => line.spec(
                                format!("resources-{release}"),
                                format!("Resources of Strimzi {release}"),
                                60,
                            ),
                        };
                        let resources = Resources::new(cx.clone(), spec, stop.level.clone(), true);
                        line.push(Rc::new(match step.action {
                            Action::WithoutZookeeper => resources.without_zookeeper(),
                            _ => resources,
                        }));
                    }
                    Action::Pools | Action::Migrate | Action::Kraft => {
                        cx = self.context(&at, &line)?;
                        let (part, id, title, minutes) = match step.action {
                            Action::Pools => (Part::Pools, "node-pools", "Node pool of the brokers", 15),
                            Action::Migrate => (Part::Migrate, "migrate", "Migrate metadata to KRaft", 60),
                            _ => (Part::Kraft, "kraft", "KRaft without ZooKeeper", 60),
                        };
                        let spec = line.spec(id.into(), title.into(), minutes);
                        line.push(Rc::new(Migrate::new(cx.clone(), spec, part)));
                    }
                    Action::Convert => {
                        cx = self.context(&at, &line)?;
                        // Written as v1 knows them: what was written before v1 would be refused.
                        line.components(&cx);
                        let spec = line.spec("convert-v1".into(), "Store everything as v1".into(), 15);
                        line.push(Rc::new(Convert::new(cx.clone(), spec)));
                    }
                }
                line.prove(&cx);
            }
        }
        if !stops.is_empty() {
            line.components(&cx);
        }
        Ok(line.tasks)
    }

    fn context(&self, stop: &Stop, line: &Line) -> Result<Rc<Cx>> {
        let (settings, choice) = (self.choose)(stop)?;
        let cx = Rc::new(self.cx.beside(settings, choice, renaming(&self.cx.emit, &line.names)));
        // What is installed has its images already.
        if stop.release.version != self.found.state.release.version || stop.kafka != self.found.state.kafka {
            line.contexts.borrow_mut().push(cx.clone());
        }
        Ok(cx)
    }
}

/// Tasks, each of which needs the one before.
struct Line {
    names: Names,
    tasks: Vec<Rc<dyn Task<Cx>>>,
    last: Option<&'static str>,
    proofs: usize,
    /// Those of the steps, for what is needed by all of them.
    contexts: Contexts,
    /// What was in Kafka before the first step.
    before: kept::Before,
}

impl Line {
    fn spec(&self, id: String, title: String, minutes: u64) -> Spec {
        // A spec's words live as long as the program, and there are a few dozen at most.
        Spec {
            id: id.leak(),
            title: title.leak(),
            needs: self.last.into_iter().collect(),
            timeout: Duration::from_secs(60 * minutes),
        }
    }

    fn push(&mut self, task: Rc<dyn Task<Cx>>) {
        self.last = Some(task.spec().id);
        self.tasks.push(task);
    }

    fn up<T: Task<Cx> + 'static>(
        &mut self,
        cx: &Rc<Cx>,
        inner: T,
        of_up: &'static str,
        id: String,
        title: String,
    ) {
        let spec = self.spec(id, title, 15);
        self.push(Rc::new(At { cx: cx.clone(), inner, spec, of_up, names: self.names.clone() }));
    }

    /// The resources of what kstrim created beside the Kafka, as the context's release has them.
    fn components(&mut self, cx: &Rc<Cx>) {
        let own = cx.settings.with.iter().map(|name| component::of(*name)).filter(|c| c.kind().is_some());
        for component in own {
            let name = component.name;
            let id = format!("{name}-{}-{}", cx.choice.release.version, cx.choice.kafka);
            let title = format!("{} by Strimzi {}", component.title, cx.choice.release.version);
            // Before the conversion and at the end it may be of the same release.
            if self.tasks.iter().all(|task| task.spec().id != id) {
                self.up(cx, Beside::new(name, &[]), name.as_str(), id, title);
            }
        }
    }

    /// Nothing that names a version which goes.
    fn versions(&mut self, cx: &Rc<Cx>, keep: Keep) {
        let id = format!("versions-{}", cx.choice.release.version);
        let spec = self.spec(id, "Remove old versions of Strimzi's resources".into(), 15);
        self.push(Rc::new(Versions::new(cx.clone(), spec, keep)));
    }

    /// Messages there and back.
    fn prove(&mut self, cx: &Rc<Cx>) {
        self.proofs += 1;
        let id = format!("smoke-{}", self.proofs);
        let spec = self.spec(id, format!("Smoke test {}", self.proofs), 15);
        let inner = smoke::Smoke::default();
        let smoke = At { cx: cx.clone(), inner, spec, of_up: "smoke", names: self.names.clone() };
        self.push(Rc::new(Proof { smoke, before: self.before.clone(), kept: RefCell::default() }));
    }
}
