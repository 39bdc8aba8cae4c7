//! `kubectl logs`: the output of containers, as stored by the kubelet. A test may add lines in
//! `logs/POD_CONTAINER.log` of the world, each prefixed with its time, even while the log is followed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cluster::{Cluster, stamp, text};
use crate::flags::Args;
use crate::io::{Done, End, Io};
use crate::kubectl::{Link, unreachable};
use crate::scenario::{Engine, Host};
use crate::world::Place;
use crate::{minikube, operator, pod_verbs, pods};

/// How often a followed log is polled.
const LOOK: Duration = Duration::from_millis(20);

type Line = (Timestamp, String);

struct Look {
    lines: Vec<Line>,
    /// What distinguishes runs and containers.
    run: (String, i64),
    running: bool,
}

pub fn run(link: &Link, io: &mut Io, args: &Args) -> Done {
    let look = look(link, io, args)?;
    let tail = args.flag("tail").and_then(|t| t.parse::<usize>().ok()).unwrap_or(usize::MAX);
    let lines: Vec<&Line> = look.lines.iter().filter(|(time, _)| *time >= since(args)).collect();
    let mut printed = look.lines.len();
    for line in &lines[lines.len().saturating_sub(tail)..] {
        print(io, args, line)?;
    }
    if !args.is("follow") {
        return Ok(0);
    }
    // kubectl exits with 0 when the container ends, its pod is deleted, or its server stops.
    let run = look.run;
    let mut running = look.running;
    while running {
        std::thread::sleep(LOOK);
        if rustix::process::getppid().is_none_or(|p| p.as_raw_nonzero().get() == 1) {
            return Ok(0);
        }
        let Ok(next) = self::look(link, io, args) else { return Ok(0) };
        if next.run != run {
            return Ok(0);
        }
        for line in next.lines.iter().skip(printed) {
            print(io, args, line)?;
        }
        printed = next.lines.len();
        running = next.running;
    }
    Ok(0)
}

fn print(io: &mut Io, args: &Args, (time, line): &Line) -> Result<(), End> {
    if args.is("timestamps") { io.line(&format!("{time} {line}")) } else { io.line(line) }
}

fn since(args: &Args) -> Timestamp {
    let time = args.flag("since-time").and_then(|t| t.parse().ok());
    let ago = args.duration("since").and_then(|ms| i64::try_from(ms).ok());
    time.or_else(|| Some(Timestamp::now() - SignedDuration::from_millis(ago?))).unwrap_or(Timestamp::MIN)
}

fn look(link: &Link, io: &Io, args: &Args) -> Result<Look, End> {
    let (_world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    let word = args.word(1);
    let Some(pod) = pod_verbs::pod_of(link, &cluster, word) else {
        let ns = &link.namespace;
        return Err(End::Error(format!(
            "error: error from server (NotFound): pods \"{word}\" not found in namespace \"{ns}\""
        )));
    };
    let name = text(&pod, "/metadata/name");
    let all = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
    let wanted = args.flag("container");
    let Some(status) = all.iter().find(|c| wanted.is_none_or(|w| c["name"] == w)) else {
        let what = wanted.unwrap_or("");
        return Err(End::Error(match wanted {
            Some(_) if !all.is_empty() => format!("error: container {what} is not valid for pod {name}"),
            _ => String::new(),
        }));
    };
    let container = text(status, "/name");
    if wanted.is_none() && all.len() > 1 {
        let names: Vec<&str> = all.iter().map(|c| text(c, "/name")).collect();
        io.err(&format!("Defaulted container \"{container}\" out of: {}", names.join(", ")));
    }
    if args.is("previous") && status["lastState"]["terminated"].is_null() {
        return Err(End::Error(format!(
            "Error from server (BadRequest): previous terminated container \"{container}\" in pod \"{name}\" not found"
        )));
    }
    let waiting = text(status, "/state/waiting/reason");
    if !args.is("previous") && (waiting == "ContainerCreating" || waiting.contains("Image")) {
        let why = if waiting == "ContainerCreating" { waiting } else { "trying and failing to pull image" };
        return Err(End::Error(format!(
            "Error from server (BadRequest): container \"{container}\" in pod \"{name}\" is waiting to start: {why}"
        )));
    }
    let lines = lines(link, &cluster, &pod, status, args.is("previous"));
    let run = (text(&pod, "/metadata/uid").to_owned(), status["restartCount"].as_i64().unwrap_or(0));
    let running = !status["state"]["running"].is_null();
    cluster.save(link.place);
    Ok(Look { lines, run, running })
}

fn lines(link: &Link, cluster: &Cluster, pod: &Value, status: &Value, previous: bool) -> Vec<Line> {
    let (name, container) = (text(pod, "/metadata/name"), text(status, "/name"));
    let time = |pointer: &str| text(status, pointer).parse::<Timestamp>().ok();
    let now = time("/state/running/startedAt").or(time("/state/terminated/startedAt"));
    let began = if previous { time("/lastState/terminated/startedAt") } else { now };
    let began = began.unwrap_or_default();
    let mut log: Vec<String> = match pods::fate(cluster, pod) {
        Some((_, _, log)) => log.lines().map(str::to_owned).collect(),
        None => vec![format!("2026-11-22 20:22:15 INFO  {container}: started")],
    };
    if container == "strimzi-cluster-operator" {
        log.extend(operator_log(cluster, pod));
    }
    let mut lines: Vec<Line> = log.into_iter().map(|line| (began, line)).collect();
    let file = link.place.dir.join("logs").join(format!("{name}_{container}.log"));
    for line in std::fs::read_to_string(file).unwrap_or_default().lines() {
        let Some((time, text)) = line.split_once(' ') else { continue };
        let Ok(time) = time.parse::<Timestamp>() else { continue };
        // Whole seconds: a container's own lines may seem to be from before its start.
        let before = now.is_some_and(|now| time < now);
        let mine = if status["lastState"]["terminated"].is_null() { !previous } else { before == previous };
        if mine {
            lines.push((time, text.to_owned()));
        }
    }
    lines
}

fn operator_log(cluster: &Cluster, pod: &Value) -> Vec<String> {
    let (ns, account) = (text(pod, "/metadata/namespace"), text(pod, "/spec/serviceAccountName"));
    let who = format!("system:serviceaccount:{ns}:{account}");
    let mut log = Vec::new();
    if !operator::can(cluster, &who, "get", "coordination.k8s.io", "leases", ns) {
        log.push(format!(
            "Caused by: io.fabric8.kubernetes.client.KubernetesClientException: leases.coordination.k8s.io \
             \"strimzi-cluster-operator\" is forbidden: User \"{who}\" cannot get resource \"leases\" in API group \
             \"coordination.k8s.io\" in the namespace \"{ns}\""
        ));
    }
    for (number, (name, work)) in cluster.memory.running.iter().enumerate() {
        let (kafka, who) = (name.rsplit('/').next().unwrap_or(name), number + 1);
        let mut says = |at: i64, line: &str, words: &str| {
            let at = stamp(at).replace('T', " ");
            log.push(format!(
                "{} INFO  AbstractOperator:{line} - Reconciliation #{who}(watch) Kafka({name}): {words}",
                at.get(..19).unwrap_or(&at)
            ));
        };
        says(work.began, "242", &format!("Kafka {kafka} will be checked for creation or modification"));
        // Once a minute.
        for minute in 1..=(cluster.clock - work.began) / 60_000 {
            says(work.began + minute * 60_000, "379", "Reconciliation is in progress");
        }
    }
    log
}

/// The parts of a node's logs in their order, as minikube 1.38.1 printed them for a running Kafka; each
/// trimmed to a few lines.
const NODE: &str = include_str!("../fixtures/minikube-logs.txt");

/// `minikube logs`: its own logs, which need no machine, then those of the node (minikube's cmd/logs.go).
pub fn of_node(place: &Place, io: &mut Io, args: &Args) -> Done {
    let name = args.profile();
    let start = std::fs::read_to_string(place.dir.join("lastStart.txt"));
    let start =
        start.unwrap_or_else(|_| "Last start log file not found at ~/.minikube/logs/lastStart.txt\n".into());
    if !args.is("last-start-only") {
        io.line("\n==> Audit <==")?;
        io.line(&format!(
            "┌─────────┬───────────┐\n│ COMMAND │   ARGS    │\n├─────────┼───────────┤\n│ start   │ -p {name} │\n└─────────┴───────────┘\n"
        ))?;
    }
    io.line(&format!("\n==> Last Start <==\n{start}"))?;
    if args.is("last-start-only") {
        return Ok(0);
    }
    let host = place.lock().profiles.get(name).map(|p| p.host);
    match host {
        None | Some(Host::Invalid) => minikube::not_found(&mut minikube::Out { io, json: false }, args),
        Some(Host::Running | Host::Paused | Host::Dead | Host::Headless)
            if minikube::engine(place) == Some(Engine::Up) =>
        {
            io.line(&NODE.replace("kstrim", name))?;
            Ok(0)
        }
        Some(_) => {
            io.line(&format!("* The control-plane node {name} host is not running: state=Stopped"))?;
            io.line(&format!("  To start a cluster, run: \"minikube start -p {name}\""))?;
            Ok(83)
        }
    }
}
