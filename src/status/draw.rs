//! The document as text, for any terminal width.

use std::time::Duration;

use jiff::Timestamp;

use super::data::{
    Claim, Component, Finding, Kafka, Level, Node, Operator, Part, Pod, Profile, ProfileState, Status, Topic,
};
use crate::event::counted;
use crate::terminal::duration;
use crate::terminal::style::{Look, Spans, Tone};
use crate::terminal::table::Table;
use crate::terminal::text;

/// Width of the column of names: `API server` and a gap.
const NAMES: usize = 12;

/// The lines, without colours. With `columns`, the terminal's width, prose is wrapped and tables are truncated to
/// fit.
pub(crate) fn lines(status: &Status, look: Look, columns: Option<usize>) -> Vec<Spans> {
    let mut page = Page { lines: Vec::new(), look, columns };
    page.headline(status);
    page.facts(status);
    page.pools(status);
    page.pods(&status.pods);
    page.topics(&status.topics);
    page.components(&status.components);
    page.claims(&status.storage.claims);
    page.listeners(status);
    page.findings(&status.findings);
    page.next(&status.next);
    page.lines
}

/// The lines as text.
pub(crate) fn text(status: &Status, look: Look, columns: Option<usize>) -> String {
    lines(status, look, columns).iter().map(|line| line.render(look) + "\n").collect()
}

/// The same for a file: no colours, ASCII symbols only, nothing truncated.
pub(crate) fn plain(status: &Status) -> String {
    text(status, Look::ASCII, None)
}

struct Page {
    lines: Vec<Spans>,
    look: Look,
    columns: Option<usize>,
}

impl Page {
    /// Prose, with its later lines indented by this many blanks.
    fn prose(&mut self, tone: Tone, words: &str, indent: usize) {
        for line in text::fill(&text::one_line(words), self.columns, indent) {
            self.line([(tone, line)]);
        }
    }

    fn line<S: Into<String>>(&mut self, pieces: impl IntoIterator<Item = (Tone, S)>) {
        let mut spans = Spans::default();
        for (tone, piece) in pieces {
            spans.push(tone, piece);
        }
        self.lines.push(spans);
    }

    fn blank(&mut self) {
        self.lines.push(Spans::default());
    }

    /// A name and its value.
    fn fact(&mut self, name: &str, tone: Tone, words: &str) {
        let room = self.columns.map(|c| c.saturating_sub(NAMES));
        let mut name = format!("{name:NAMES$}");
        for line in text::fill(&text::one_line(words), room, 0) {
            self.line([(Tone::Dim, std::mem::replace(&mut name, " ".repeat(NAMES))), (tone, line)]);
        }
    }

    fn table(&mut self, table: &Table) {
        if !table.is_empty() {
            self.blank();
            self.lines.extend(table.lines(self.look, self.columns));
        }
    }

    fn headline(&mut self, status: &Status) {
        match &status.reason {
            None => {
                let name = status.kafka.as_ref().map_or("", |k| k.name.as_str());
                let at = status.addresses.bootstrap.as_ref().map(|b| format!(": {b}"));
                self.prose(Tone::Good, &format!("Kafka {name} is ready{}", at.unwrap_or_default()), 2);
            }
            Some(reason) => {
                let certain = status.findings.iter().any(|f| f.level == Level::Cause);
                let tone = if certain { Tone::Bad } else { Tone::Warn };
                self.prose(tone, &format!("not ready: {reason}"), 2);
            }
        }
        self.blank();
    }

    fn facts(&mut self, status: &Status) {
        self.profile(&status.profile, status.time);
        self.lost_nodes(&status.nodes);
        let (tone, said) = match (&status.api_server.error, status.api_server.answers) {
            (_, true) => (Tone::Good, "answers".to_owned()),
            (Some(error), _) => (Tone::Bad, format!("does not respond: {error}")),
            (None, _) => (Tone::Dim, "not checked".to_owned()),
        };
        self.fact("API server", tone, &said);
        if status.api_server.answers {
            match &status.namespace {
                None => self.fact("Namespace", Tone::Warn, "does not exist"),
                Some(ns) if ns.terminating => {
                    self.fact("Namespace", Tone::Warn, &format!("{}: being deleted", ns.name));
                }
                Some(ns) => self.fact("Namespace", Tone::Plain, &ns.name),
            }
            self.operator(status.operator.as_ref(), status.versions.strimzi_api.is_some());
            self.kafka(status.kafka.as_ref(), status.reason.as_deref());
        }
        let mut versions = vec![format!("kstrim {}", status.versions.kstrim)];
        for (name, version) in [
            ("minikube", &status.versions.minikube),
            ("kubectl", &status.versions.kubectl),
            ("Kubernetes", &status.versions.kubernetes),
        ] {
            versions.extend(version.as_ref().map(|v| format!("{name} {v}")));
        }
        self.fact("Versions", Tone::Plain, &versions.join(", "));
    }

    fn profile(&mut self, profile: &Profile, now: Timestamp) {
        let (tone, state) = match profile.state {
            ProfileState::Absent => (Tone::Warn, "does not exist"),
            ProfileState::Broken => (Tone::Warn, "never started"),
            ProfileState::Running => (Tone::Good, "running"),
            ProfileState::Paused => (Tone::Warn, "paused"),
            ProfileState::Stopped => (Tone::Warn, "stopped"),
            ProfileState::Partial => (Tone::Warn, "half started"),
            ProfileState::Gone => (Tone::Bad, "its machine does not exist"),
            ProfileState::EngineDown => (Tone::Bad, "its engine does not respond"),
            ProfileState::Unknown => (Tone::Bad, "minikube does not respond"),
        };
        let there = !matches!(profile.state, ProfileState::Absent | ProfileState::Broken);
        let whose = match profile.ours {
            _ if !there => "",
            true => ", created by kstrim",
            false => ", not created by kstrim",
        };
        self.fact("Profile", tone, &format!("{}: {state}{whose}", profile.name));
        if let Some(at) = profile.since {
            let ago = Duration::try_from(now.duration_since(at)).unwrap_or_default();
            let at = at.strftime("%Y-%m-%dT%H:%M:%SZ");
            self.fact("", tone, &format!("since {at} ({} ago)", duration::ticking(ago)));
        }
        let mut has = Vec::new();
        has.extend(profile.driver.clone());
        has.extend(profile.memory_mb.map(|m| format!("{m} MiB")));
        has.extend(profile.cpus.map(|c| counted(c, "CPU")));
        has.extend(profile.nodes.map(|n| counted(n, "node")));
        has.extend(profile.kubernetes.as_ref().map(|k| format!("Kubernetes {k}")));
        has.extend(profile.runtime.clone());
        if !has.is_empty() {
            self.fact("", Tone::Plain, &has.join(", "));
        }
    }

    fn lost_nodes(&mut self, nodes: &[Node]) {
        for node in nodes.iter().filter(|node| !node.ready) {
            self.fact("", Tone::Bad, &format!("the node {} is not ready", node.name));
        }
    }

    fn operator(&mut self, operator: Option<&Operator>, crds: bool) {
        let Some(operator) = operator else {
            let why = if crds { "does not exist" } else { "not installed" };
            return self.fact("Operator", Tone::Warn, why);
        };
        let release = operator.release.as_deref().unwrap_or("of an unknown release");
        match &operator.reason {
            None => self.fact("Operator", Tone::Good, &format!("Strimzi {release}: available")),
            Some(reason) => {
                let reason = reason.strip_prefix("operator: ").unwrap_or(reason);
                self.fact("Operator", Tone::Warn, &format!("Strimzi {release}: {reason}"));
            }
        }
        self.fact("", Tone::Plain, &operator.image);
        if !operator.ours {
            let home =
                format!("installed {}, runs in namespace {}", operator.owner.description, operator.namespace);
            self.fact("", Tone::Plain, &home);
        }
    }

    /// `said` is the headline's reason, which is not repeated.
    fn kafka(&mut self, kafka: Option<&Kafka>, said: Option<&str>) {
        let Some(kafka) = kafka else { return self.fact("Kafka", Tone::Warn, "does not exist") };
        match &kafka.reason {
            None => self.fact("Kafka", Tone::Good, &format!("{}: ready", kafka.name)),
            Some(_) if kafka.paused => self.fact("Kafka", Tone::Warn, &format!("{}: paused", kafka.name)),
            Some(reason) if said == Some(reason) => {
                self.fact("Kafka", Tone::Warn, &format!("{}: not ready", kafka.name));
            }
            Some(reason) => {
                let reason = reason.strip_prefix("Kafka: ").unwrap_or(reason);
                self.fact("Kafka", Tone::Warn, &format!("{}: {reason}", kafka.name));
            }
        }
        let mut has = Vec::new();
        has.extend(kafka.version.as_ref().or(kafka.wanted_version.as_ref()).map(|v| format!("Kafka {v}")));
        has.extend(kafka.metadata_version.as_ref().map(|m| format!("metadata {m}")));
        has.extend(kafka.cluster_id.as_ref().map(|c| format!("cluster id {c}")));
        if !has.is_empty() {
            self.fact("", Tone::Plain, &has.join(", "));
        }
        if let (Some(generation), Some(seen)) = (kafka.generation, kafka.observed_generation)
            && seen < generation
        {
            let words = format!("generation {generation}, reconciled up to {seen}");
            self.fact("", Tone::Warn, &words);
        }
        for condition in kafka.conditions.iter().filter(|c| !(c.kind == "Ready" && c.status == "True")) {
            let reason = condition.reason.as_ref().map(|r| format!(" {r}")).unwrap_or_default();
            let message = condition.message.as_ref().map(|m| format!(": {m}")).unwrap_or_default();
            let words = format!("{}={}{reason}{message}", condition.kind, condition.status);
            self.fact("", Tone::Plain, &words);
        }
        for warning in &kafka.warnings {
            self.fact("", Tone::Warn, &format!("warning: {warning}"));
        }
    }

    fn pools(&mut self, status: &Status) {
        let mut table = Table::new(["POOL", "ROLES", "READY", "NODE IDS"]);
        for pool in &status.pools {
            let ids: Vec<String> = pool.node_ids.iter().map(ToString::to_string).collect();
            let ids = if pool.observed { ids.join(", ") } else { "not reconciled yet".to_owned() };
            let whole = i64::try_from(pool.ready).is_ok_and(|ready| ready == pool.wanted);
            table.toned_row([
                (Tone::Plain, pool.name.clone()),
                (Tone::Plain, pool.roles.join(", ")),
                (if whole { Tone::Good } else { Tone::Warn }, format!("{} of {}", pool.ready, pool.wanted)),
                (Tone::Plain, ids),
            ]);
        }
        self.table(&table);
    }

    fn pods(&mut self, pods: &[Pod]) {
        let mut table = Table::new(["POD", "RESTARTS", "STATE"]).right(1);
        let mut sorted: Vec<&Pod> = pods.iter().collect();
        // In the order in which they start: the operator, the brokers, the rest.
        sorted.sort_by_key(|p| match p.part {
            Part::Operator => 0,
            Part::Kafka => 1,
            Part::EntityOperator => 2,
            Part::Other => 3,
        });
        for pod in sorted {
            let tone = if pod.ready { Tone::Good } else { Tone::Warn };
            table.toned_row([
                (Tone::Plain, pod.name.as_str()),
                (Tone::Plain, &pod.restarts.to_string()),
                (tone, &pod.state),
            ]);
        }
        self.table(&table);
    }

    fn topics(&mut self, topics: &[Topic]) {
        let mut table = Table::new(["TOPIC", "PARTITIONS", "REPLICAS", "STATE"]).right(1).right(2);
        let number = |n: Option<i64>| n.map_or_else(|| "default".to_owned(), |n| n.to_string());
        for topic in topics {
            let state = topic.reason.as_deref().unwrap_or("ready");
            table.toned_row([
                (Tone::Plain, topic.topic.clone()),
                (Tone::Plain, number(topic.partitions)),
                (Tone::Plain, number(topic.replicas)),
                (if topic.ready { Tone::Good } else { Tone::Warn }, state.to_owned()),
            ]);
        }
        self.table(&table);
    }

    fn components(&mut self, components: &[Component]) {
        let mut table = Table::new(["COMPONENT", "RESOURCE", "STATE"]);
        for component in components {
            let state = component.reason.as_deref().unwrap_or("ready");
            let whose = if component.ours { "" } else { ", not created by kstrim" };
            table.toned_row([
                (Tone::Plain, component.name.clone()),
                (Tone::Plain, component.resource.clone()),
                (if component.ready { Tone::Good } else { Tone::Warn }, format!("{state}{whose}")),
            ]);
        }
        self.table(&table);
    }

    fn claims(&mut self, claims: &[Claim]) {
        let mut table = Table::new(["VOLUME", "SIZE", "CLASS", "STATE"]);
        for claim in claims {
            let kept = if claim.kept { ", kept: its Kafka cluster does not exist" } else { "" };
            table.toned_row([
                (Tone::Plain, claim.name.clone()),
                (Tone::Plain, claim.size.clone()),
                (Tone::Plain, claim.class.clone().unwrap_or_else(|| "default".to_owned())),
                (
                    if claim.bound { Tone::Good } else { Tone::Warn },
                    format!("{}{kept}", claim.phase.to_lowercase()),
                ),
            ]);
        }
        self.table(&table);
    }

    fn listeners(&mut self, status: &Status) {
        let mut table = Table::new(["LISTENER", "TYPE", "TLS", "BOOTSTRAP SERVER"]);
        for listener in &status.addresses.listeners {
            let tls = if listener.tls { "yes" } else { "no" };
            table.row([listener.name.as_str(), &listener.kind, tls, &listener.bootstrap]);
        }
        self.table(&table);
    }

    fn findings(&mut self, findings: &[Finding]) {
        let (open, sure): (Vec<&Finding>, Vec<&Finding>) =
            findings.iter().partition(|f| f.level == Level::Suspicion);
        for (head, findings) in [("PROBLEMS", sure), ("MAY RESOLVE ITSELF", open)] {
            if findings.is_empty() {
                continue;
            }
            self.blank();
            self.line([(Tone::Strong, head)]);
            for finding in findings {
                let tone = match finding.level {
                    Level::Cause => Tone::Bad,
                    Level::Warning => Tone::Warn,
                    Level::Suspicion => Tone::Plain,
                };
                self.prose(tone, &format!("{} [{}]", finding.sentence, finding.id), 2);
                for hint in &finding.hints {
                    self.indented("  hint: ", hint);
                }
            }
        }
    }

    /// Text after a label, with its later lines aligned. Line breaks of commands are kept.
    fn indented(&mut self, lead: &str, words: &str) {
        let room = self.columns.map(|c| c.saturating_sub(lead.len()));
        let mut lead = lead.to_owned();
        for line in text::clean_lines(words) {
            for line in text::fill(&line, room, 0) {
                let blanks = " ".repeat(lead.len());
                self.line([(Tone::Dim, std::mem::replace(&mut lead, blanks)), (Tone::Plain, line)]);
            }
        }
    }

    fn next(&mut self, next: &[String]) {
        if next.is_empty() {
            return;
        }
        self.blank();
        for command in next {
            self.indented("next: ", command);
        }
    }
}
