//! `kstrim logs`: the logs of operator, brokers and entity operator as one stream, sorted by time.

mod follow;
mod line;
mod source;

use std::cell::OnceCell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;

use self::line::{Line, Seen};
use self::source::{Key, Source, Stage};
use crate::cli::{Component, Global, LogFormat, Logs, Tail};
use crate::cluster::remote_operator;
use crate::config::Target;
use crate::errors;
use crate::exec::cancel::Cancel;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kubectl::Kubectl;
use crate::kube::logs::LogRequest;
use crate::kube::{ApiError, Kind as Observed, Object, Snapshot, Version};
use crate::names::Tool;
use crate::paths::{ProfilePaths, state_dir};
use crate::terminal::output::{self, Output};
use crate::terminal::style::{Look, Tone};
use crate::terminal::text;
use crate::toolbox::Toolbox;

/// The number of last lines of each container, if nothing else is requested.
const TAIL: u64 = 200;

/// Show the logs. Reads only.
pub(crate) async fn run(global: &Global, args: &Logs) -> Result<ExitCode> {
    let target = Target::from(global);
    let paths = ProfilePaths::new(state_dir(), target.profile.as_str());
    super::kubectl::known(global, &paths)?;
    let runner = super::status::runner(Cancel::default(), global.verbose);
    let profile = target.profile.as_str();
    let program = Toolbox::open().program(Tool::Kubectl, &paths)?;
    let kubectl = Kubectl::new(program, &paths.kubeconfig(), profile, Rc::new(runner));
    let logs = Reading { kubectl: Rc::new(kubectl.without_retries()), target, args, home: OnceCell::new() };
    let mut screen = Screen::new(args, global.quiet);
    tokio::select! {
        shown = logs.show(&mut screen) => shown.map(|()| ExitCode::SUCCESS),
        () = super::status::reader_gone() => Ok(ExitCode::SUCCESS),
        kind = super::status::stopped() => Ok(ExitCode::from(kind.exit_code())),
    }
}

/// Which logs are read, and how much of them.
struct Reading<'a> {
    kubectl: Rc<Kubectl>,
    target: Target,
    args: &'a Logs,
    /// The namespace of a remote operator.
    home: OnceCell<String>,
}

impl Reading<'_> {
    async fn show(&self, screen: &mut Screen) -> Result<()> {
        let Target { namespace, cluster, .. } = &self.target;
        let mut snapshot = self.pods(namespace.as_str()).await.map_err(|error| self.no_cluster(&error))?;
        let wanted = self.args.component.is_empty() || self.args.component.contains(&Component::Operator);
        if wanted
            && !snapshot.pods(namespace.as_str()).any(|p| p.is_operator())
            && let Some(home) =
                remote_operator::namespace_of_operator(&self.kubectl, namespace.as_str(), cluster.as_str())
                    .await
        {
            let pods = self.pods(&home).await.map_err(|error| self.no_cluster(&error))?;
            snapshot = snapshot.with(pods.all(Observed::Pod).cloned());
            let _ = self.home.set(home);
        }
        let sources = self.sources(&snapshot);
        if sources.is_empty() && !self.args.follow {
            return Err(self.nothing());
        }
        screen.names(&sources);
        if sources.is_empty() {
            screen.note("there are no pods yet; waiting for them");
        }
        let seen = self.so_far(&sources, screen).await;
        if self.args.follow && !screen.gone() { follow::follow(self, seen, screen).await } else { Ok(()) }
    }

    /// The current pods of a namespace.
    async fn pods(&self, namespace: &str) -> Result<Snapshot, ApiError> {
        let path = Observed::Pod.path(Version::default(), Some(namespace));
        let items = self.kubectl.list(&path).await?;
        // Items of a list have no kind.
        Ok(Snapshot::of(items.into_iter().map(|mut item| {
            item["kind"] = Observed::Pod.as_str().into();
            Object::new(item)
        })))
    }

    fn sources(&self, snapshot: &Snapshot) -> Vec<Source> {
        let Target { namespace, cluster, .. } = &self.target;
        let home = self.home.get().map(String::as_str);
        source::sources(snapshot, namespace.as_str(), home, cluster.as_str(), &self.args.component)
    }

    /// The request for a container that existed when kstrim started.
    fn request(&self, source: &Source) -> LogRequest {
        let tail = match (self.args.tail, self.args.since) {
            (Some(Tail::Lines(lines)), _) => Some(lines),
            (Some(Tail::All), _) | (None, Some(_)) => None,
            (None, None) => Some(TAIL),
        };
        LogRequest {
            tail,
            since: self.args.since,
            previous: self.args.previous,
            ..Self::complete_log(source)
        }
    }

    /// The complete log of a container.
    fn complete_log(source: &Source) -> LogRequest {
        LogRequest {
            namespace: source.namespace.clone(),
            pod: source.pod.clone(),
            container: source.container.clone(),
            timestamps: true,
            ..LogRequest::default()
        }
    }

    /// Print the existing lines; returns how far each log was read.
    async fn so_far(&self, sources: &[Source], screen: &mut Screen) -> Vec<(Key, Seen)> {
        let wanted: Vec<&Source> = sources
            .iter()
            .filter(|source| if self.args.previous { source.restarted } else { source.has_log() })
            .collect();
        if self.args.previous && wanted.is_empty() {
            screen.note("no container was restarted: there are no logs of earlier runs");
        }
        for source in sources.iter().filter(|s| !self.args.previous && !s.has_log()) {
            if let Stage::Waiting(why) = &source.stage {
                screen.note(&format!("{} has no log yet: {why}", source.component));
            }
        }
        let texts = join_all(wanted.iter().map(|source| {
            let request = self.request(source);
            async move { self.kubectl.log(&request).await }
        }))
        .await;
        let (mut lines, mut read) = (Vec::new(), Vec::new());
        for (source, text) in wanted.into_iter().zip(texts) {
            let mut seen = Seen::default();
            match text {
                Ok(text) => {
                    for (time, message) in text.lines().filter_map(line::parse) {
                        seen.is_new(time);
                        lines.push(line_of(source, time, message));
                    }
                    read.push((source.key(), seen));
                }
                // It is requested again when it is followed.
                Err(error) => screen.note(&format!("{}: {error}", source.component)),
            }
        }
        for line in line::sorted(lines) {
            screen.line(&line).await;
        }
        read
    }

    fn no_cluster(&self, error: &ApiError) -> Box<Failure> {
        Box::new(
            Failure::new(
                errors::NO_CLUSTER,
                Kind::Prerequisite,
                format!("the cluster of the profile {} does not respond", self.target.profile),
            )
            .because(error)
            .hint(format!("check what exists: {}", self.target.kstrim("status")))
            .hint(format!("start it: {}", self.target.kstrim("up"))),
        )
    }

    fn nothing(&self) -> Box<Failure> {
        let Target { namespace, cluster, .. } = &self.target;
        let what = if self.args.component.is_empty() { "no pods" } else { "no such pods" };
        Box::new(
            Failure::new(
                errors::NO_CLUSTER,
                Kind::Prerequisite,
                format!("there are {what} of the operator or of Kafka {cluster} in namespace {namespace}"),
            )
            .hint(format!("create them: {}", self.target.kstrim("up")))
            .hint(format!("or wait for them: {}", self.target.again().arg("--follow"))),
        )
    }
}

fn line_of(source: &Source, time: jiff::Timestamp, message: &str) -> Line {
    Line {
        time,
        component: source.component.clone(),
        pod: source.pod.clone(),
        container: source.container.clone(),
        message: message.to_owned(),
    }
}

/// Where lines are printed.
struct Screen {
    format: LogFormat,
    timestamps: bool,
    quiet: bool,
    look: Look,
    terminal: bool,
    width: usize,
    out: &'static Output,
    gone: bool,
}

impl Screen {
    fn new(args: &Logs, quiet: bool) -> Self {
        let terminal = super::stdout_is_terminal();
        Self {
            format: args.output,
            timestamps: args.timestamps,
            quiet,
            look: super::stdout_look(),
            terminal,
            width: 0,
            out: output::stdout(),
            gone: false,
        }
    }

    /// The names that precede lines, to give them the same width.
    fn names(&mut self, sources: &[Source]) {
        let widest = sources.iter().map(|source| text::width(&source.component)).max().unwrap_or(0);
        self.width = self.width.max(widest);
    }

    /// Whether the reader of stdout has closed it.
    fn gone(&self) -> bool {
        self.gone
    }

    /// Print a line as soon as stdout accepts it.
    async fn line(&mut self, line: &Line) {
        let text = match self.format {
            LogFormat::Json => serde_json::to_string(line).unwrap_or_default(),
            LogFormat::Text => {
                let time = if self.timestamps { format!("{} ", line.time) } else { String::new() };
                let pad = " ".repeat(self.width.saturating_sub(text::width(&line.component)));
                // Control sequences of programs must not reach a terminal.
                let message = if self.terminal {
                    text::clean_lines(&line.message).concat()
                } else {
                    line.message.clone()
                };
                let name = self.look.paint(Tone::Strong, &line.component);
                let bar = self.look.paint(Tone::Dim, "|");
                format!("{time}{name}{pad} {bar} {message}").trim_end().to_owned()
            }
        };
        self.gone |= self.out.send(self.out.styled((text + "\n").as_bytes())).await.is_err();
    }

    /// Print a message about the logs to stderr.
    fn note(&self, words: &str) {
        if !self.quiet {
            super::complain(&format!("kstrim: {words}\n"));
        }
    }
}

/// How long the API server may be unavailable while logs are followed.
const AWAY: Duration = Duration::from_secs(60);
