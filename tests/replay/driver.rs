//! Plays a recording.

use std::collections::BTreeMap;
use std::fs;
use std::rc::Rc;

use jiff::{SignedDuration, Timestamp};
use kstrim::internals::explain::ready::{self, Readiness};
use kstrim::internals::explain::{Answers, Expect, Finding, Judge, Probe, Scene, Verdict};
use kstrim::internals::kube::{Kind, Store};
use serde_json::Value;

/// The predicate to evaluate.
pub type Ask = fn(&Scene<'_>, &Verdict) -> Readiness;
/// Responds to a probe at a given time, or never.
pub type Answer = fn(&Probe, f64) -> Option<String>;

/// Seconds between evaluations if there are no events.
const TICK: f64 = 0.5;
/// Seconds until a response arrives.
const ANSWER: f64 = 0.3;
/// The first lists of the watches arrive within this time.
const LISTED: f64 = 1.4;

/// A recording, and what is evaluated on it.
pub struct Case {
    recording: &'static str,
    expect: Expect,
    ask: Ask,
    answer: Answer,
    operator_log: bool,
    changed: Option<f64>,
    stop: f64,
    linger: f64,
}

/// The result of one evaluation.
struct Look {
    t: f64,
    terminal: Option<Finding>,
    suspects: Vec<String>,
    readiness: Readiness,
}

/// All results.
pub struct Run {
    recording: &'static str,
    looks: Vec<Look>,
}

fn path(recording: &str, file: &str) -> String {
    format!("{}/tests/recordings/{recording}/{file}", env!("CARGO_MANIFEST_DIR"))
}

fn lines(recording: &str, file: &str) -> Vec<Value> {
    let path = path(recording, file);
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Stdout of the first command whose argv contains `what`.
pub fn stdout_of(recording: &str, what: &str) -> String {
    let found = lines(recording, "commands.jsonl").into_iter().find(|c| c["argv"].to_string().contains(what));
    found.unwrap_or_else(|| panic!("{recording}: no {what}"))["stdout"].as_str().unwrap().to_owned()
}

fn kind(source: &str) -> Kind {
    let plural = match source {
        "pvc" => "persistentvolumeclaims",
        "crds" => "customresourcedefinitions",
        other => other,
    };
    Kind::ALL.into_iter().find(|k| k.plural() == plural).unwrap_or_else(|| panic!("unknown source {source}"))
}

fn seconds(seconds: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(seconds).unwrap()
}

/// The time at t = 0: no condition is observed before it was written.
fn zero(events: &[Value]) -> Timestamp {
    let mut zero = None;
    for event in events {
        let object = &event["event"]["object"];
        let conditions = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let times = conditions.iter().map(|c| &c["lastTransitionTime"]);
        for time in times.chain([&object["metadata"]["creationTimestamp"]]) {
            let Some(time) = time.as_str().and_then(|t| t.parse::<Timestamp>().ok()) else { continue };
            zero = zero.max(Some(time - seconds(event["t"].as_f64().unwrap())));
        }
    }
    zero.expect("a recording has times")
}

impl Case {
    /// Evaluate [`ready::kafka`] during a recording.
    pub fn new(recording: &'static str, expect: Expect) -> Self {
        Self {
            recording,
            expect,
            ask: ready::kafka,
            answer: |_, _| None,
            operator_log: false,
            changed: None,
            stop: f64::MAX,
            linger: 0.0,
        }
    }

    /// Evaluate another predicate.
    pub fn asking(mut self, ask: Ask) -> Self {
        self.ask = ask;
        self
    }

    /// Respond to probes.
    pub fn answers(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    /// Respond to probes of the operator's log from its recorded log.
    pub fn operator_log(mut self) -> Self {
        self.operator_log = true;
        self
    }

    /// kstrim changed something at `t`.
    pub fn changed(mut self, t: f64) -> Self {
        self.changed = Some(t);
        self
    }

    /// Ignore events after `t`.
    pub fn stop_at(mut self, t: f64) -> Self {
        self.stop = t;
        self
    }

    /// Continue for some seconds after the last event.
    pub fn linger(mut self, seconds: f64) -> Self {
        self.linger = seconds;
        self
    }

    /// Play the recording.
    pub fn run(self) -> Run {
        let mut events = lines(self.recording, "watch.jsonl");
        events.sort_by(|a, b| a["t"].as_f64().unwrap().total_cmp(&b["t"].as_f64().unwrap()));
        let zero = zero(&events);
        events.retain(|e| e["t"].as_f64().unwrap() <= self.stop);
        let store = Rc::new(Store::new());
        for kind in Kind::ALL {
            store.replace(kind, Vec::new());
        }
        let mut play = Playing {
            zero,
            store,
            judge: Judge::new(),
            answers: Answers::new(),
            pending: BTreeMap::new(),
            looks: Vec::new(),
            case: &self,
        };
        let mut now = 0.0;
        for event in &events {
            let t = event["t"].as_f64().unwrap();
            play.tick(&mut now, t);
            play.store.apply(kind(event["source"].as_str().unwrap()), event["event"].clone());
            play.look(t);
            now = t;
        }
        let end = now + self.linger + 2.0 * TICK;
        play.tick(&mut now, end);
        Run { recording: self.recording, looks: play.looks }
    }
}

struct Playing<'a> {
    zero: Timestamp,
    store: Rc<Store>,
    judge: Judge,
    answers: Answers,
    /// When a probe gets its response.
    pending: BTreeMap<Probe, f64>,
    looks: Vec<Look>,
    case: &'a Case,
}

impl Playing<'_> {
    /// The operator's log up to `t`.
    fn operator_log(&self, t: f64) -> String {
        let path = path(self.case.recording, "operator.log");
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        // Lines have the operator's time in whole seconds; lines without a time (stack traces) belong to the line
        // before.
        let until = (self.zero + seconds(t)).strftime("%Y-%m-%d %H:%M:%S").to_string();
        let timed = |l: &&str| l.starts_with("20");
        let lines =
            text.lines().filter(timed).take_while(|l| l.get(..19).is_some_and(|at| at <= until.as_str()));
        kstrim::internals::explain::reconciliations(&lines.collect::<Vec<_>>().join("\n"))
    }

    fn tick(&mut self, now: &mut f64, until: f64) {
        while *now + TICK < until {
            *now += TICK;
            self.look(*now);
        }
    }

    fn look(&mut self, t: f64) {
        if t < LISTED {
            return;
        }
        let due: Vec<Probe> =
            self.pending.iter().filter(|(_, at)| **at <= t).map(|(p, _)| p.clone()).collect();
        for probe in due {
            self.pending.remove(&probe);
            let answer = match &probe {
                Probe::Reconciliations { .. } if self.case.operator_log => Some(self.operator_log(t)),
                _ => (self.case.answer)(&probe, t),
            };
            if let Some(answer) = answer {
                self.answers.insert(probe, answer);
            }
        }
        // A "no" may change: the probe is repeated, as a caller should do.
        let again: Vec<Probe> =
            self.answers.iter().filter(|(_, a)| a.trim() == "no").map(|(p, _)| p.clone()).collect();
        for probe in again {
            self.pending.entry(probe).or_insert(t + 5.0);
        }
        let at = |t: f64| self.zero + seconds(t);
        let mut expect = self.case.expect.clone();
        expect.changed_at = self.case.changed.filter(|c| *c <= t).map(at);
        let snapshot = self.store.snapshot();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &self.answers, now: at(t) };
        let verdict = self.judge.look(&scene);
        let readiness = (self.case.ask)(&scene, &verdict);
        for probe in &verdict.probes {
            self.pending.entry(probe.clone()).or_insert(t + ANSWER);
        }
        let suspects = verdict.findings.iter().map(|f| f.id.to_string()).collect();
        self.looks.push(Look { t, terminal: verdict.terminal, suspects, readiness });
    }
}

impl Run {
    /// The evaluations in this time, of which there must be at least one.
    #[track_caller]
    fn between(&self, from: f64, to: f64) -> impl Iterator<Item = &Look> {
        let mut looks = self.looks.iter().filter(move |l| l.t >= from && l.t <= to).peekable();
        assert!(looks.peek().is_some(), "{}: no look between {from} and {to}", self.recording);
        looks
    }

    fn say(&self, look: &Look) -> String {
        format!("{} at {:.2}: {:?}\n{:?}", self.recording, look.t, look.terminal, look.readiness)
    }

    /// There is no failure in this time.
    #[track_caller]
    pub fn never_fails(&self, from: f64, to: f64) {
        for look in self.between(from, to) {
            assert!(look.terminal.is_none(), "{}", self.say(look));
            assert!(!matches!(look.readiness, Readiness::Failed(_)), "{}", self.say(look));
        }
    }

    /// The failure has this id during the whole time.
    #[track_caller]
    pub fn fails_with(&self, id: &str, from: f64, to: f64) {
        for look in self.between(from, to) {
            assert_eq!(look.terminal.as_ref().map(|f| f.id.as_str()), Some(id), "{}", self.say(look));
            assert!(
                matches!(&look.readiness, Readiness::Failed(f) if f.id.as_str() == id),
                "{}",
                self.say(look)
            );
        }
    }

    /// It becomes ready at `t`, within the time between two evaluations.
    #[track_caller]
    pub fn becomes_ready(&self, t: f64) {
        let first = self.looks.iter().find(|l| l.readiness.is_ready());
        let first = first.unwrap_or_else(|| panic!("{} never", self.recording)).t;
        assert!((first - t).abs() < 0.1, "{}: ready at {first}", self.recording);
    }

    /// It is ready during the whole time.
    #[track_caller]
    pub fn is_ready(&self, from: f64, to: f64) {
        for look in self.between(from, to) {
            assert!(look.readiness.is_ready(), "{}", self.say(look));
        }
    }

    /// It is not ready during the whole time.
    #[track_caller]
    pub fn not_ready(&self, from: f64, to: f64) {
        for look in self.between(from, to) {
            assert!(!look.readiness.is_ready(), "{}", self.say(look));
        }
    }

    /// The failure at `t`.
    #[track_caller]
    pub fn finding_at(&self, t: f64) -> &Finding {
        let look = self.looks.iter().rfind(|l| l.t <= t).expect("a look");
        look.terminal.as_ref().unwrap_or_else(|| panic!("{}", self.say(look)))
    }

    /// The ids of all findings at `t`, certain or not.
    pub fn suspects_at(&self, t: f64) -> Vec<String> {
        self.looks.iter().rfind(|l| l.t <= t).map(|l| l.suspects.clone()).unwrap_or_default()
    }

    /// The first failure at or after `from`.
    #[track_caller]
    pub fn first_failure(&self, from: f64) -> (f64, &'static str) {
        let found = self
            .looks
            .iter()
            .find_map(|l| l.terminal.as_ref().filter(|_| l.t >= from).map(|f| (l.t, f.id.as_str())));
        found.unwrap_or_else(|| panic!("{} names no failure after {from}", self.recording))
    }

    /// The texts of the live list until `to`, without repetitions.
    pub fn whys(&self, to: f64) -> Vec<String> {
        let mut whys = Vec::new();
        for look in self.between(0.0, to) {
            if let Readiness::Progressing { why } = &look.readiness {
                whys.push(why.clone());
            }
        }
        whys.dedup();
        whys
    }
}
