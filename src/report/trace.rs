//! A run as a trace: tasks, child commands, pods and resources on one time axis, in Chrome's trace event format
//! (<https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>), which Perfetto
//! (<https://ui.perfetto.dev>) and `chrome://tracing` open.
//!
//! Times are microseconds since the run started. Those of pods and resources are the API server's and the kubelet's,
//! which have whole seconds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event::{Event, Line};
use crate::kube::object::{list, text, time};
use crate::kube::{Kind, Object, Snapshot};

/// The groups of rows, as processes of the format.
const TASKS: u32 = 1;
const COMMANDS: u32 = 2;
const CLUSTER: u32 = 3;

/// A command that a run executed.
#[derive(Debug)]
pub(crate) struct Command {
    /// Its name in the trace.
    pub title: String,
    /// As it was shown, without secrets.
    pub line: String,
    /// The task that ran it.
    pub task: Option<String>,
}

/// Collects what a run did.
#[derive(Debug)]
pub(crate) struct Trace {
    began: Timestamp,
    events: Vec<Value>,
    /// The row of each task.
    tasks: BTreeMap<String, u32>,
    /// What each task reports as its progress, and since when.
    progress: BTreeMap<String, (String, u64)>,
    /// Until when each row of commands is occupied; `None` while its command runs.
    rows: Vec<Option<u64>>,
    /// Rows of the cluster.
    objects: u32,
}

impl Trace {
    /// A run that starts now.
    pub(crate) fn new(began: Timestamp) -> Self {
        let mut trace = Self {
            began,
            events: Vec::new(),
            tasks: BTreeMap::new(),
            progress: BTreeMap::new(),
            rows: Vec::new(),
            objects: 0,
        };
        for (group, name) in [(TASKS, "tasks of kstrim"), (COMMANDS, "commands"), (CLUSTER, "Kubernetes")] {
            trace.name("process_name", group, 0, name);
            let order = json!({"name": "process_sort_index", "ph": "M", "pid": group, "tid": 0,
                "args": {"sort_index": group}});
            trace.events.push(order);
        }
        trace
    }

    /// Add an event of the run.
    pub(crate) fn event(&mut self, line: &Line) {
        let at = line.elapsed_ms * 1000;
        match &line.event {
            Event::RunStarted { tasks, .. } => {
                for (row, task) in (1..).zip(tasks) {
                    self.tasks.insert(task.id.clone(), row);
                    self.name("thread_name", TASKS, row, &task.title);
                }
            }
            Event::TaskProgress { task, message, .. } => {
                self.end_progress(task, at);
                self.progress.insert(task.clone(), (message.clone(), at));
            }
            Event::TaskFinished { task, outcome, seconds, detail } => {
                self.end_progress(task, at);
                let Some(row) = self.tasks.get(task).copied() else { return };
                let took = micros(*seconds);
                let more = json!({"outcome": outcome, "detail": detail});
                self.span(TASKS, row, task, at.saturating_sub(took), at, more);
            }
            Event::Smoke(report) => {
                let more = serde_json::to_value(report).unwrap_or_default();
                self.events.push(json!({"name": "first message verified", "ph": "i", "s": "g", "ts": at,
                    "pid": TASKS, "tid": 0, "args": more}));
            }
            _ => {}
        }
    }

    /// Record that a command starts, `elapsed` microseconds after the run started; returns its row.
    pub(crate) fn command_starts(&mut self, elapsed: u64) -> usize {
        let free = self.rows.iter().position(|until| until.is_some_and(|until| until <= elapsed));
        let row = free.unwrap_or(self.rows.len());
        if row == self.rows.len() {
            self.rows.push(None);
        }
        self.rows[row] = None;
        row
    }

    /// Record that the command of a row has ended.
    pub(crate) fn command_ends(&mut self, row: usize, command: &Command, from: u64, to: u64) {
        self.rows[row] = Some(to);
        let row = u32::try_from(row + 1).unwrap_or(u32::MAX);
        let more = json!({"command": command.line, "task": command.task});
        self.span(COMMANDS, row, &command.title, from, to, more);
    }

    /// Add pods and custom resources in their state at the end of the run.
    pub(crate) fn cluster(&mut self, snapshot: &Snapshot, namespace: &str, now: Timestamp) {
        for kind in [Kind::Kafka, Kind::KafkaTopic, Kind::Deployment] {
            for object in snapshot.all(kind).filter(|object| object.namespace() == namespace) {
                self.resource(object, now);
            }
        }
        let pods: Vec<&Object> = snapshot.pods(namespace).map(|pod| pod.0).collect();
        for pod in pods {
            self.pod(pod, now);
        }
    }

    /// Add the span from a resource's creation to its condition `Ready` or `Available`.
    fn resource(&mut self, object: &Object, now: Timestamp) {
        let kind = if object.kind() == "Deployment" { "Available" } else { "Ready" };
        let ready = object.condition(kind).filter(|c| c.is_true()).and_then(|c| c.last_transition);
        let row = self.row(&format!("{} {}", object.kind(), object.name()));
        self.between(row, &format!("until {kind}"), object.created(), ready.or(Some(now)), Value::Null);
    }

    fn pod(&mut self, pod: &Object, now: Timestamp) {
        let row = self.row(&format!("Pod {}", pod.name()));
        let since = |kind: &str| pod.condition(kind).filter(|c| c.is_true()).and_then(|c| c.last_transition);
        let (created, scheduled, ready) = (pod.created(), since("PodScheduled"), since("Ready"));
        self.between(row, "waits for a node", created, scheduled, Value::Null);
        let containers = || {
            let of = |pointer| list(pod.json(), pointer).iter();
            of("/status/initContainerStatuses").chain(of("/status/containerStatuses"))
        };
        let started = |status: &Value| {
            time(status, "/state/running/startedAt").or_else(|| time(status, "/state/terminated/startedAt"))
        };
        let first = containers().filter_map(started).min();
        self.between(row, "images and volumes", scheduled, first.or(Some(now)), Value::Null);
        for status in containers() {
            let row = self.row(&format!("{} / {}", pod.name(), text(status, "/name")));
            let more = json!({"image": text(status, "/image"), "restarts": status["restartCount"]});
            let end = time(status, "/state/terminated/finishedAt");
            self.between(row, "runs", started(status), end.or(Some(now)), more);
        }
        self.between(row, "starts", first, ready.or(Some(now)), Value::Null);
    }

    /// The trace as JSON.
    pub(crate) fn json(&self) -> String {
        json!({"displayTimeUnit": "ms", "traceEvents": self.events}).to_string()
    }

    fn end_progress(&mut self, task: &str, at: u64) {
        if let (Some((message, from)), Some(row)) =
            (self.progress.remove(task), self.tasks.get(task).copied())
        {
            self.span(TASKS, row, &message, from, at, Value::Null);
        }
    }

    /// Add a row of the cluster.
    fn row(&mut self, title: &str) -> u32 {
        self.objects += 1;
        self.name("thread_name", CLUSTER, self.objects, title);
        self.objects
    }

    /// Add a span of the cluster, unless it ended before the run.
    fn between(&mut self, row: u32, name: &str, from: Option<Timestamp>, to: Option<Timestamp>, more: Value) {
        let (Some(from), Some(to)) = (from, to) else { return };
        let at = |time: Timestamp| {
            u64::try_from(time.duration_since(self.began).as_micros().max(0)).unwrap_or_default()
        };
        let (from, to) = (at(from), at(to));
        if to > 0 {
            self.span(CLUSTER, row, name, from, to, more);
        }
    }

    fn span(&mut self, group: u32, row: u32, name: &str, from: u64, to: u64, more: Value) {
        self.events.push(json!({"name": name, "ph": "X", "ts": from, "dur": to.saturating_sub(from),
            "pid": group, "tid": row, "args": more}));
    }

    fn name(&mut self, what: &str, group: u32, row: u32, name: &str) {
        self.events.push(json!({"name": what, "ph": "M", "pid": group, "tid": row, "args": {"name": name}}));
    }
}

fn micros(seconds: f64) -> u64 {
    std::time::Duration::try_from_secs_f64(seconds)
        .map_or(0, |duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Outcome, TaskInfo};
    use crate::exec::Cmd;

    fn line(elapsed_ms: u64, event: Event) -> Line {
        Line { v: 1, time: Timestamp::UNIX_EPOCH, elapsed_ms, event }
    }

    fn spans(trace: &Trace) -> Vec<(String, u64, u64, u64)> {
        let json: Value = serde_json::from_str(&trace.json()).expect("JSON");
        let all = json["traceEvents"].as_array().expect("events").clone();
        let number = |event: &Value, key: &str| event[key].as_u64().expect("a number");
        let spans = all.iter().filter(|event| event["ph"] == "X");
        spans
            .map(|e| (text(e, "/name").to_owned(), number(e, "pid"), number(e, "ts"), number(e, "dur")))
            .collect()
    }

    #[test]
    fn a_task_is_a_span_with_its_progress() {
        let mut trace = Trace::new(Timestamp::UNIX_EPOCH);
        let task = TaskInfo { id: "kafka".into(), title: "Kafka brokers".into(), needs: vec![] };
        trace.event(&line(
            0,
            Event::RunStarted {
                run_id: "r".into(),
                command: "up".into(),
                profile: "p".into(),
                release: None,
                tasks: vec![task],
            },
        ));
        let progress = |message: &str| Event::TaskProgress {
            task: "kafka".into(),
            message: message.into(),
            done: None,
            total: None,
            unit: None,
        };
        trace.event(&line(1000, progress("pulling image")));
        trace.event(&line(3000, progress("starting")));
        trace.event(&line(
            5000,
            Event::TaskFinished {
                task: "kafka".into(),
                outcome: Outcome::Done,
                seconds: 4.5,
                detail: "Kafka is running".into(),
            },
        ));
        let expected = [
            ("pulling image", 1_000_000, 2_000_000),
            ("starting", 3_000_000, 2_000_000),
            ("kafka", 500_000, 4_500_000),
        ];
        assert_eq!(spans(&trace), expected.map(|(name, from, took)| (name.to_owned(), 1, from, took)));
    }

    #[test]
    fn commands_that_overlap_have_rows_of_their_own() {
        let mut trace = Trace::new(Timestamp::UNIX_EPOCH);
        let (first, second) = (trace.command_starts(0), trace.command_starts(10));
        assert_ne!(first, second);
        let title = Cmd::new("/usr/bin/kubectl").args(["--context", "a", "get", "pods"]).title();
        trace.command_ends(first, &Command { title, line: String::new(), task: None }, 0, 20);
        assert_eq!(trace.command_starts(15), 2);
        assert_eq!(trace.command_starts(30), first);
        assert_eq!(spans(&trace)[0].0, "kubectl get");
    }

    #[test]
    fn a_pod_is_shown_from_its_creation_to_its_readiness() {
        let pod = json!({"kind": "Pod", "metadata": {"name": "broker-0", "namespace": "kafka",
            "creationTimestamp": "1970-01-01T00:00:01Z"}, "status": {
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "1970-01-01T00:00:02Z"},
                {"type": "Ready", "status": "True", "lastTransitionTime": "1970-01-01T00:00:09Z"}],
            "containerStatuses": [{"name": "kafka", "image": "i", "restartCount": 0,
                "state": {"running": {"startedAt": "1970-01-01T00:00:04Z"}}}]}});
        let snapshot = Snapshot::of([Object::new(pod)]);
        let mut trace = Trace::new(Timestamp::UNIX_EPOCH);
        trace.cluster(&snapshot, "kafka", "1970-01-01T00:00:10Z".parse().unwrap());
        let expected =
            [("waits for a node", 1, 1), ("images and volumes", 2, 2), ("runs", 4, 6), ("starts", 4, 5)];
        let expected =
            expected.map(|(name, from, took)| (name.to_owned(), 3, from * 1_000_000, took * 1_000_000));
        assert_eq!(spans(&trace), expected);
    }
}
