//! One command per file. This file parses the command line, sets up the runtime, and maps the result to an exit code.

pub(crate) mod add;
pub(crate) mod bundle;
mod change;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod connect;
mod consent;
pub(crate) mod consume;
mod context;
pub(crate) mod diagnose;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod down;
mod down_profile;
pub(crate) mod env;
mod event_log;
mod evidence;
mod existing;
mod existing_profile;
mod explain;
mod home;
pub(crate) mod invocation;
pub(crate) mod kubectl;
mod listeners;
mod living;
mod login;
pub(crate) mod logs;
pub(crate) mod plan;
pub(crate) mod produce;
pub(crate) mod remove;
pub(crate) mod render;
pub(crate) mod run;
pub(crate) mod scale;
pub(crate) mod set;
pub(crate) mod smoke_test;
pub(crate) mod snapshot;
pub(crate) mod start;
pub(crate) mod status;
pub(crate) mod stop;
pub(crate) mod streaming;
pub(crate) mod tools;
pub(crate) mod topic;
mod trace;
pub(crate) mod trust;
pub(crate) mod up;
pub(crate) mod upgrade;
pub(crate) mod user;
pub(crate) mod versions;

use crate::errors;
use crate::terminal;
use std::cmp::Ordering;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};

use crate::cli::{Cli, Command, Global, OutputMode};
use crate::cluster::journal::JournalFile;
use crate::cluster::profile_owner;
use crate::command_line::{CommandLine, TARGET};
use crate::config::Target;
use crate::config::files::Layers;
use crate::event::FailureInfo;
use crate::exec::supervise;
use crate::failure::{Failure, Kind, Result};
use crate::paths::{ProfilePaths, state_dir};
use crate::report::failure_block;
use crate::terminal::output;
use crate::terminal::style::Look;
use crate::terminal::table::Table;
use crate::tool::minikube_output::State;

/// Parse the command line, run the command, and return its exit code.
pub fn main() -> ExitCode {
    // Before anything else: every child process starts here, and building the tree of commands alone takes
    // milliseconds.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|verb| verb == supervise::VERB) {
        return supervised(words);
    }
    if std::env::args_os().nth(1).is_some_and(|verb| verb == run::keeper::VERB) {
        return run::keeper::main(words.next());
    }
    let layers = Layers::read();
    let parsed =
        layers.as_ref().unwrap_or(&Layers::default()).as_defaults_of(Cli::command()).try_get_matches();
    let parsed = parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            let code = match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(Kind::Usage.exit_code()),
            };
            // If stdout is closed, the help text is not printed, and that is not an error.
            return match error.print() {
                Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
                    output_failed(code, &e, Kind::exit_code)
                }
                _ => code,
            };
        }
    };
    // A file that cannot be read must not prevent anyone from revoking its trust.
    let layers = match layers {
        Err(_) if matches!(cli.command, Command::Trust(_)) => Ok(Layers::default()),
        layers => layers,
    };
    let code_of = match cli.command {
        Command::Diff(_) => diff::exit_code,
        _ => Kind::exit_code,
    };
    let code = match layers.and_then(|layers| run(cli, &matches, &layers)) {
        Ok(code) => code,
        Err(failure) => {
            complain_of(&failure);
            ExitCode::from(code_of(failure.kind))
        }
    };
    // The output could not be printed because of the signal, regardless of the command's result.
    if let Some(code) = output::finish() {
        return ExitCode::from(code);
    }
    match output::broken() {
        Some(error) => output_failed(code, &error, code_of),
        None => code,
    }
}

/// Report that the output is incomplete: if it was redirected to a file, the user would take the file for complete.
fn output_failed(code: ExitCode, error: &std::io::Error, code_of: fn(Kind) -> u8) -> ExitCode {
    let failure =
        Failure::new(errors::OUTPUT_INCOMPLETE, Kind::Task, "not everything could be written to stdout")
            .because(error)
            .hint("free disk space, or write it elsewhere");
    // To `diff`, 1 is a result that was to be printed.
    let result = code == ExitCode::SUCCESS || code == ExitCode::from(Kind::Task.exit_code());
    let code = if result { ExitCode::from(code_of(failure.kind)) } else { code };
    complain_of(&failure);
    output::finish().map_or(code, ExitCode::from)
}

fn complain_of(failure: &Failure) {
    let mode = terminal::resolve(OutputMode::Auto, false, stderr_is_terminal(), &|n| std::env::var(n).ok());
    complain(&failure_block::render(&FailureInfo::new(failure, None), mode.stderr, None));
}

/// Replace a supervised child of kstrim with its program: `PID PROGRAM ARG...`.
fn supervised(mut words: impl Iterator<Item = OsString>) -> ExitCode {
    let parent = words.next().and_then(|pid| pid.to_str()?.parse().ok());
    let (Some(parent), Some(program)) = (parent, words.next()) else {
        return ExitCode::from(Kind::Usage.exit_code());
    };
    match supervise::exec(parent, program.clone(), words.collect()) {
        Ok(never) => match never {},
        Err(error) => {
            complain(&format!("{}: {error}\n", program.display()));
            ExitCode::from(126)
        }
    }
}

fn run(cli: Cli, matches: &ArgMatches, layers: &Layers) -> Result<ExitCode> {
    let mut global = cli.global;
    global.given = given(matches);
    let anywhere = matches!(
        cli.command,
        Command::Completions { .. }
            | Command::Explain(_)
            | Command::Versions(_)
            | Command::Tools(_)
            | Command::Config(_)
            | Command::Trust(_)
            | Command::Bundle(_)
            | Command::Render(_)
    );
    let local = matches!(
        cli.command,
        Command::Completions { .. } | Command::Explain(_) | Command::Versions(_) | Command::Config(_)
    );
    if !anywhere {
        choose_cluster(&mut global, matches)?;
    }
    if !local {
        home::require()?;
    }
    if !local && !matches!(cli.command, Command::Trust(_)) {
        trust::check(matches, layers)?;
    }
    if !anywhere && global.context.is_some() {
        block_on(async { context::take(&mut global).await.map(|()| ExitCode::SUCCESS) })?;
    }
    if !anywhere {
        use_last_cluster(&mut global, matches, layers);
    }
    match cli.command {
        Command::Completions { shell } => Ok(completions::run(shell)),
        Command::Explain(args) => explain::run(&args),
        Command::Versions(args) => versions::run(&args),
        Command::Tools(args) => tools::run(&args),
        Command::Trust(args) => trust::run(&args),
        Command::Config(args) => config::run(&args, matches, layers),
        Command::Diagnose(args) => block_on(diagnose::run(&global, &args, layers)),
        Command::Logs(args) => block_on(logs::run(&global, &args)),
        Command::Env(args) => env::run(&global, &args),
        Command::Kubectl(args) => kubectl::run(&global, args),
        Command::Bundle(args) => block_on(bundle::run(&global, &args.verb)),
        Command::Up(args) => block_on(up::run(&global, &args)),
        Command::SmokeTest(args) => block_on(smoke_test::run(&global, &args)),
        Command::Status(args) => block_on(status::run(&global, &args)),
        Command::Topic(args) => block_on(topic::run(&global, &args)),
        Command::Produce(args) => block_on(produce::run(&global, &args)),
        Command::Consume(args) => block_on(consume::run(&global, &args)),
        Command::Connect(args) => block_on(connect::run(&global, &args)),
        Command::Run(args) => {
            let up = run::as_up(&global, matches, layers)?;
            block_on(run::run(&global, &args, &up))
        }
        Command::Add(args) => block_on(add::run(&global, &args)),
        Command::Remove(args) => block_on(remove::run(&global, &args)),
        Command::Scale(args) => block_on(scale::run(&global, &args)),
        Command::Set(args) => block_on(set::run(&global, &args)),
        Command::Upgrade(args) => block_on(upgrade::run(&global, &args)),
        Command::User(args) => block_on(user::run(&global, &args)),
        Command::Doctor(args) => block_on(doctor::run(&global, &args)),
        Command::Stop(args) => block_on(stop::stop(&global, &args)),
        Command::Start(args) => block_on(start::start(&global, &args)),
        Command::Pause(args) => block_on(stop::pause(&global, &args)),
        Command::Unpause(args) => block_on(start::unpause(&global, &args)),
        Command::Snapshot(args) => block_on(snapshot::run(&global, &args.verb)),
        Command::Down(args) => block_on(down::run(&global, &args)),
        Command::Plan(args) => block_on(plan::run(&global, &args)),
        Command::Diff(args) => block_on(diff::run(&global, &args)),
        Command::Render(args) => block_on(render::run(&global, &args)),
    }
}

/// If no Kafka cluster was specified, use the one of the last `up` in the namespace.
fn use_last_cluster(global: &mut Global, matches: &ArgMatches, layers: &Layers) {
    let specified = deepest(matches).value_source("cluster") != Some(ValueSource::DefaultValue);
    if specified || layers.get("cluster").is_some() {
        return;
    }
    let target = Target::from(&*global);
    let journal = ProfilePaths::new(state_dir(), target.profile.as_str()).journal();
    // A journal that cannot be read is reported by the command.
    let Ok(journal) = JournalFile::open(&journal, target.profile.as_str()) else { return };
    let last = journal.state.clusters.get(target.namespace.as_str()).and_then(|name| name.parse().ok());
    if let Some(cluster) = last
        && (target.context.is_some() || profile_owner::is_still_there(&journal.state))
    {
        global.cluster = cluster;
    }
}

/// The matches of the innermost subcommand.
fn deepest(matches: &ArgMatches) -> &ArgMatches {
    matches.subcommand().map_or(matches, |(_, deeper)| deepest(deeper))
}

/// Choose between a profile and a context if both are specified: a flag has precedence over a variable, and a
/// variable over a file. If both have the same precedence, that is a contradiction: the command could change the
/// wrong cluster.
fn choose_cluster(global: &mut Global, matches: &ArgMatches) -> Result<()> {
    let Some(context) = &global.context else { return Ok(()) };
    match profile_over_context(matches) {
        Some(Ordering::Greater) => global.context = None,
        Some(Ordering::Equal) => {
            let message =
                format!("both the profile {} and the context {context} are specified", global.profile);
            return Err(Box::new(
                Failure::new(errors::USAGE, Kind::Usage, message)
                    .because("they are two clusters")
                    .hint("omit one of them: --profile (-p), KSTRIM_PROFILE; --context, KSTRIM_CONTEXT"),
            ));
        }
        Some(Ordering::Less) | None => {}
    }
    Ok(())
}

/// Compares how the profile was specified with how the context was; `None` if no profile was specified.
fn profile_over_context(matches: &ArgMatches) -> Option<Ordering> {
    let rank = |id: &str| match deepest(matches).value_source(id) {
        Some(ValueSource::CommandLine) => 2,
        Some(ValueSource::EnvVariable) => 1,
        _ => 0,
    };
    (rank("profile") > 0).then(|| rank("profile").cmp(&rank("context")))
}

/// The flags that name the cluster and were specified on the command line.
fn given(matches: &ArgMatches) -> Vec<&'static str> {
    let typed = |id: &str| deepest(matches).value_source(id) == Some(ValueSource::CommandLine);
    TARGET.iter().map(|(long, _)| *long).filter(|long| typed(long.trim_start_matches('-'))).collect()
}

/// Everything asynchronous runs on this thread: children are started by a thread that lives as long as kstrim (they
/// are killed when it ends), and nothing needs to be `Send`.
pub(in crate::cmd) fn block_on(verb: impl Future<Output = Result<ExitCode>>) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| {
        Box::new(
            Failure::new(crate::errors::INTERNAL, Kind::Task, "the event loop could not be started")
                .because(e),
        )
    })?;
    let code = tokio::task::LocalSet::new().block_on(&runtime, verb);
    // A blocking download or a prompt may still occupy a thread; it is not waited for.
    runtime.shutdown_background();
    code
}

/// Write data to stdout. If the reader has closed it (`kstrim render | head`), the command ends without an
/// error message.
fn print(text: &str) {
    let _ = output::stdout().print(text);
}

/// Write a message to stderr.
fn complain(text: &str) {
    let _ = output::stderr().print(text);
}

/// Print a one-line warning to stderr.
fn warn(text: &str) {
    complain(&format!("warning: {text}\n"));
}

/// Print a hint about the preceding message.
fn hint(text: &str) {
    complain(&format!("hint: {text}\n"));
}

/// Data as indented JSON, with a line break at the end.
fn json(data: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(data).unwrap_or_default() + "\n"
}

/// Data as YAML.
fn yaml(data: &impl serde::Serialize) -> String {
    crate::manifest::yaml_text(data)
}

fn stdout_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stdout())
}

/// The look of data on stdout.
fn stdout_look() -> Look {
    terminal::resolve(OutputMode::Auto, stdout_is_terminal(), false, &|n| std::env::var(n).ok()).stdout
}

/// A table as printed on stdout.
fn drawn(table: &Table) -> String {
    table.render(stdout_look(), terminal::stdout_columns())
}

fn stderr_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stderr())
}

/// The command that starts a profile whose API server does not respond.
async fn to_start(cx: &crate::cluster::session::Session) -> CommandLine {
    let ours = profile_owner::is_made(cx);
    match cx.minikube.status().await {
        Ok(State::Stopped) if ours => cx.target.kstrim("start"),
        Ok(State::Paused) if ours => cx.target.kstrim("unpause"),
        _ => crate::cluster::refusals::up(cx),
    }
}

/// Ensure that the cluster responds, for commands that need it.
async fn connected(cx: &crate::cluster::session::Session) -> Result<()> {
    match crate::cluster::connection::connect(cx, false).await? {
        Ok(()) => Ok(()),
        Err(why) => Err(Box::new(
            Failure::new(errors::NO_CLUSTER, Kind::Prerequisite, "there is no running cluster")
                .because(why)
                .hint(match &cx.target.context {
                    Some(_) => {
                        "check that your own kubectl can connect to the cluster with this context".to_owned()
                    }
                    None => format!("start it: {}", to_start(cx).await),
                }),
        )),
    }
}
