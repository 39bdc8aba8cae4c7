//! The command line as types. Nothing is decided here; [`crate::config`] turns it into settings.

mod bundle;
mod change;
mod component;
mod config;
mod connect;
mod diagnose;
mod doctor;
mod duration;
mod examples;
mod explain;
mod logs;
mod look_inside;
mod run;
mod snapshot;
mod start_stop;
mod stream;
mod tools;
mod topic;
mod trust;
mod upgrade;
mod user;
mod versions;
mod what;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use bundle::{Bundle, BundleCreate, BundleFile, BundleVerb};
pub(crate) use change::{Scale, Set};
pub(crate) use component::{Add, Remove};
pub(crate) use config::{Config, ConfigVerb};
pub(crate) use connect::{Connect, Way};
pub(crate) use diagnose::Diagnose;
pub(crate) use doctor::Doctor;
pub(crate) use explain::Explain;
pub(crate) use logs::{Component, LogFormat, Logs, Tail};
pub(crate) use look_inside::{Diff, Env, Kubectl, Part, Render, ShellName};
pub(crate) use run::{NeededTopic, Run};
pub(crate) use snapshot::{
    Snapshot, SnapshotDelete, SnapshotList, SnapshotPlace, SnapshotRestore, SnapshotSave, SnapshotVerb,
};
pub(crate) use start_stop::{Halt, Restart};
pub(crate) use stream::{Consume, Isolation, Produce, Summary};
pub(crate) use tools::{Tools, ToolsInstall, ToolsRemove, ToolsVerb};
pub(crate) use topic::{Topic, TopicCreate, TopicDelete, TopicDescribe, TopicList, TopicVerb};
pub(crate) use trust::Trust;
pub(crate) use upgrade::Upgrade;
pub(crate) use user::{Authentication, User, UserCreate, UserDelete, UserList, UserShow, UserVerb};
pub(crate) use versions::{Resolve, Versions, VersionsVerb};
pub(crate) use what::{BrokerJvm, PresetName, What};

use duration::duration;
use examples::{
    DIAGNOSE_EXAMPLES, DOWN_EXAMPLES, LOGS_EXAMPLES, PLAN_EXAMPLES, SMOKE_EXAMPLES, STATUS_EXAMPLES,
    UP_EXAMPLES,
};

use crate::names::{ClusterName, ContextName, DnsLabel, ProfileName, TopicName};

const GROUPS: &str = "\
                      {before-help}{about}

Usage: kstrim <COMMAND> [OPTIONS]

Quickstart:
  up           Create a verified Kafka cluster: start minikube, install Strimzi, run a smoke test
  smoke-test   Produce messages, consume them and verify them
  status       Show the state of profile, operator, Kafka, pods, topics and addresses
  stop         Shut the brokers down and stop the machine; everything is kept
  start        Start it again, as it was, and verify Kafka
  pause        Freeze everything in the machine, which keeps its memory
  unpause      Let it go on, and verify Kafka
  snapshot     Save the cluster with its data, and restore it
  down         Delete what `up` created

Use the cluster:
  topic        Create, list, describe and delete topics
  produce      Produce the lines of stdin to a topic
  consume      Print the messages of a topic
  user         Create, list, show and delete users; export a client configuration
  connect      Make the brokers available to programs on this machine
  run          Run a command, such as a test suite, that needs Kafka
  add          Add Connect, MirrorMaker 2, the bridge, Cruise Control, the exporter, metrics
  remove       Remove what `add` added
  scale        Change the number of brokers and wait until all are ready
  set          Change broker settings and wait until every broker uses them
  upgrade      Upgrade Strimzi and Kafka step by step, with a smoke test after each step

Inspect:
  doctor       Check this machine and the cluster, and suggest fixes
  explain      Explain an error id: what it means and what to do
  plan         Show what `up` would do and why, or print a shell script
  diff         Show the difference between the cluster and your manifests (up -f)
  render       Print the manifests that `up` applies
  kubectl      Run kubectl on the cluster: kstrim kubectl -- get pods
  logs         Show or follow the logs of all pods as one stream
  diagnose     Collect the evidence for a problem in one archive
  env          Print environment variables for your own kubectl: eval \"$(kstrim env)\"

Configure:
  config       Show the settings and their origins, or create a settings file
  trust        Trust a project's settings file
  tools        List, install or remove kstrim's own minikube and kubectl
  bundle       Create or inspect a bundle for a machine without a network
  versions     Show which versions of Strimzi, Kafka, Kubernetes and minikube work together
  completions  Print a completion script for your shell

Options:
{options}
{after-help}";

/// Create a verified Apache Kafka cluster on minikube, with Strimzi.
#[derive(Debug, Parser)]
#[command(
    name = "kstrim",
    version,
    about,
    help_template = GROUPS,
    disable_help_subcommand = true,
    after_help = "Examples:\n  kstrim up\n  kstrim smoke-test\n  kstrim down\n\nRun `kstrim <COMMAND> --help` for more information, and `kstrim explain` for a list of all errors"
)]
pub struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
    /// Which cluster, and how much to print.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every verb. Their place in the help is behind the verb's own, whatever clap counts.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// minikube profile, which is also the name of the kubectl context
    #[arg(
        long,
        short = 'p',
        global = true,
        display_order = 901,
        env = "KSTRIM_PROFILE",
        default_value = "kstrim",
        value_name = "NAME"
    )]
    pub profile: ProfileName,
    /// Context in your kubeconfig: use this cluster instead of minikube
    #[arg(long, global = true, display_order = 901, env = "KSTRIM_CONTEXT", value_name = "NAME")]
    pub context: Option<ContextName>,
    /// Kubernetes namespace for the operator and Kafka
    #[arg(
        long,
        short = 'n',
        global = true,
        display_order = 902,
        env = "KSTRIM_NAMESPACE",
        default_value = "kafka",
        value_name = "NAME"
    )]
    pub namespace: DnsLabel,
    /// Name of the Kafka cluster
    #[arg(
        long,
        short = 'c',
        global = true,
        display_order = 903,
        env = "KSTRIM_CLUSTER",
        default_value = "my-cluster",
        value_name = "NAME"
    )]
    pub cluster: ClusterName,
    /// Print only errors
    #[arg(long, short = 'q', global = true, display_order = 904, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Print every command that is run
    #[arg(long, short = 'v', global = true, display_order = 905)]
    pub verbose: bool,
    /// Flags of the target that were given on the command line, filled in after parsing.
    #[arg(skip)]
    pub given: Vec<&'static str>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a verified Kafka cluster: start minikube, install Strimzi, run a smoke test
    ///
    /// Each step first checks whether it is needed. After a failure, run the same command again to continue.
    #[command(after_help = UP_EXAMPLES)]
    Up(Up),
    /// Produce messages, consume them and verify them
    ///
    /// The test passes if every message is consumed exactly once, in order, with the same key and content.
    #[command(after_help = SMOKE_EXAMPLES)]
    SmokeTest(SmokeTest),
    /// Show the state of profile, operator, Kafka, pods, topics and addresses
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Status),
    /// Create, list, describe and delete topics
    #[command(
        after_help = "Examples:\n  kstrim topic create orders --partitions 6\n  kstrim topic list\n  kstrim topic delete orders"
    )]
    Topic(Topic),
    /// Produce the lines of stdin to a topic
    ///
    /// Each line is a message. Every acknowledged message is stored exactly once, even if a broker
    /// restarts. Messages with the same key keep their order.
    #[command(after_help = stream::PRODUCE_EXAMPLES)]
    Produce(Produce),
    /// Print the messages of a topic
    ///
    /// Prints new messages, or all messages with --from-beginning, until Ctrl-C, --messages, --timeout or --idle.
    #[command(after_help = stream::CONSUME_EXAMPLES)]
    Consume(Consume),
    /// Make the brokers available to programs on this machine
    ///
    /// Adds a listener whose brokers advertise 127.0.0.1, and keeps a port-forward open to each broker. Adding the
    /// listener restarts the brokers one by one: kstrim asks first, or requires --yes.
    #[command(after_help = connect::EXAMPLES)]
    Connect(Connect),
    /// Run a command, such as a test suite, that needs Kafka
    ///
    /// Creates the cluster as `up` does if it does not exist, opens a port-forward to each broker, and exports
    /// KAFKA_BOOTSTRAP_SERVERS, KSTRIM_CLIENT_PROPERTIES and more to the command. The command has kstrim's stdin, stdout
    /// and stderr, and kstrim exits with its exit code.
    #[command(after_help = run::EXAMPLES)]
    Run(Run),
    /// Add Connect, MirrorMaker 2, the bridge, Cruise Control, the exporter, metrics
    ///
    /// connect, mirror-maker and bridge are separate resources. cruise-control, exporter and metrics are fields of the
    /// Kafka resource, and the brokers may restart one by one for them. Existing components are not changed.
    #[command(after_help = component::ADD_EXAMPLES)]
    Add(Add),
    /// Remove what `add` added
    ///
    /// This also deletes the internal topics of Connect and MirrorMaker 2, and the mirror topic: kstrim asks first, or
    /// requires --yes. Components that kstrim did not create are not removed.
    #[command(after_help = component::REMOVE_EXAMPLES)]
    Remove(Remove),
    /// Change the number of brokers and wait until all are ready
    ///
    /// Refuses to remove brokers that hold data.
    #[command(after_help = change::SCALE_EXAMPLES)]
    Scale(Scale),
    /// Change broker settings and wait until every broker uses them
    ///
    /// kstrim asks the brokers whether they recognize the settings.
    #[command(after_help = change::SET_EXAMPLES)]
    Set(Set),
    /// Upgrade Strimzi and Kafka step by step, with a smoke test after each step
    ///
    /// Upgrades the operator, then Kafka, then its metadata version, through intermediate releases if necessary. After
    /// a failure, run the same command again to continue.
    #[command(after_help = upgrade::EXAMPLES)]
    Upgrade(Upgrade),
    /// Create, list, show and delete users; export a client configuration
    #[command(
        after_help = "Examples:\n  kstrim user create app\n  kstrim user show app --export ./app-client\n  kstrim user delete app"
    )]
    User(User),
    /// Shut the brokers down and stop the machine; everything is kept
    ///
    /// Brokers are shut down cleanly before the minikube profile is stopped. Messages, topics, users and settings are kept:
    /// `kstrim start` continues with them.
    #[command(after_help = start_stop::STOP_EXAMPLES)]
    Stop(Halt),
    /// Start a stopped profile again, as it was, and verify Kafka
    ///
    /// Changes no settings and needs no network. Waits until everything is ready and runs a smoke test.
    #[command(after_help = start_stop::START_EXAMPLES)]
    Start(Restart),
    /// Freeze everything in the machine, which keeps its memory
    ///
    /// Frozen processes need no CPU, and continue within seconds with `kstrim unpause`.
    #[command(after_help = start_stop::PAUSE_EXAMPLES)]
    Pause(Halt),
    /// Resume a paused profile, and verify Kafka
    #[command(after_help = start_stop::UNPAUSE_EXAMPLES)]
    Unpause(Restart),
    /// Save the cluster with its data, and restore it
    #[command(after_help = snapshot::EXAMPLES)]
    Snapshot(Snapshot),
    /// Delete what `up` created
    ///
    /// Deletes the minikube profile if kstrim created it. If it does not exist, that is not an error.
    #[command(after_help = DOWN_EXAMPLES)]
    Down(Down),
    /// Check this machine and the cluster, and suggest fixes
    ///
    /// Without a cluster, it checks what `up` needs. On a running cluster, it also checks Kubernetes, Strimzi and Kafka.
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(Doctor),
    /// Explain an error id: what it means and what to do
    #[command(after_help = explain::EXAMPLES)]
    Explain(Explain),
    /// Show what `up` would do and why, or print a shell script
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Plan),
    /// Show the difference between the cluster and your manifests
    ///
    /// The API server computes what each object would be. Exit code 0: no difference; 1: there are differences; above 1:
    /// a failure.
    #[command(after_help = "Examples:\n  kstrim diff -f kafka/\n  kstrim diff -f kafka/ --fit")]
    Diff(Diff),
    /// Print the manifests that `up` applies
    #[command(after_help = "Examples:\n  kstrim render > kafka.yaml\n  kstrim render --only kafka --stock")]
    Render(Render),
    /// Run kubectl on the cluster
    #[command(
        after_help = "Examples:\n  kstrim kubectl -- get pods -n kafka\n  kstrim kubectl -- describe kafka my-cluster -n kafka"
    )]
    Kubectl(Kubectl),
    /// Show or follow the logs of all pods as one stream
    ///
    /// Lines are sorted by time and begin with the name of the component.
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Logs),
    /// Collect the evidence for a problem in one archive
    ///
    /// The archive contains versions, plan, event logs, objects, events, logs and an explanation. Secrets are redacted.
    /// It changes nothing, and works even if the cluster is incomplete or missing.
    #[command(after_help = DIAGNOSE_EXAMPLES)]
    Diagnose(Diagnose),
    /// Print environment variables for your own kubectl
    #[command(
        after_help = "Examples:\n  eval \"$(kstrim env)\"; kubectl get pods -n kafka\n  kstrim env --shell fish | source"
    )]
    Env(Env),
    /// Show which versions of Strimzi, Kafka, Kubernetes and minikube work together
    #[command(after_help = versions::EXAMPLES)]
    Versions(Versions),
    /// Create or inspect a bundle for a machine without a network
    #[command(
        after_help = "Examples:\n  kstrim bundle create -o kafka.bundle\n  kstrim bundle inspect kafka.bundle\n  kstrim up --bundle kafka.bundle"
    )]
    Bundle(Bundle),
    /// Show the settings and their origins, or create a settings file
    ///
    /// Flags take precedence over environment variables, these over kstrim.yaml in this directory or a parent, and that
    /// over the user's own file.
    #[command(after_help = config::EXAMPLES)]
    Config(Config),
    /// Trust a project's settings file
    ///
    /// In a project's kstrim.yaml, settings such as mirror, bundle, manifests, minikube-arg and context take effect only
    /// if you trust its exact content. Any change to the file revokes the trust. Prints the path of the file.
    #[command(after_help = trust::EXAMPLES)]
    Trust(Trust),
    /// List, install or remove kstrim's own minikube and kubectl
    ///
    /// `kstrim up` installs a tool that is missing or unsuitable, unless you use --system-tools. Programs of the system
    /// are never changed.
    #[command(after_help = tools::EXAMPLES)]
    Tools(Tools),
    /// Print a completion script for your shell
    #[command(
        after_help = "Examples:\n  kstrim completions bash > ~/.local/share/bash-completion/completions/kstrim\n  kstrim completions zsh > ~/.zfunc/_kstrim"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// The output of a long-running command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum OutputMode {
    /// tty on a terminal, otherwise plain
    #[default]
    Auto,
    /// A live task list
    Tty,
    /// One line per change
    Plain,
    /// One JSON object per event, on stdout
    Json,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Format {
    /// Text for people
    #[default]
    Text,
    /// JSON
    Json,
    /// YAML
    Yaml,
}

/// `kstrim up`
#[derive(Debug, Clone, Args)]
pub struct Up {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub what: What,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Time limit for the whole run: 10m, 90s
    #[arg(long, env = "KSTRIM_TIMEOUT", value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// Agree to install into the cluster of --context; needed once per cluster
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// If the profile's machine is missing or cannot be started, delete the profile with its data and create it again
    #[arg(long)]
    pub recreate: bool,
    /// Delete what an earlier `up -f` applied and the manifests no longer contain
    #[arg(long)]
    pub prune: bool,
    /// Write what the run did when to this file, for Perfetto or chrome://tracing
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    /// Do not collect evidence after a failure (kstrim diagnose)
    #[arg(long, env = "KSTRIM_NO_DIAGNOSE")]
    pub no_diagnose: bool,
}

/// `kstrim smoke-test`
#[derive(Debug, Clone, Args)]
pub struct SmokeTest {
    /// Number of messages to produce
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000_000), value_name = "N")]
    pub messages: u64,
    /// Size of each message in bytes
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    pub size: u64,
    /// Topic to test
    #[arg(long, env = "KSTRIM_TOPIC", default_value = "my-topic", value_name = "NAME")]
    pub topic: TopicName,
    /// Keep what the test created and produced
    #[arg(long)]
    pub keep: bool,
    /// Test only Kafka itself, not its components (kstrim add)
    #[arg(long)]
    pub no_components: bool,
    /// Write the result to this file as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Time limit for the whole test
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// Do not collect evidence after a failure (kstrim diagnose)
    #[arg(long, env = "KSTRIM_NO_DIAGNOSE")]
    pub no_diagnose: bool,
}

/// `kstrim status`
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// Print the status again at each change, until Ctrl-C
    #[arg(long, short = 'w')]
    pub watch: bool,
    /// Include the internal topics of Kafka and Strimzi
    #[arg(long)]
    pub internal_topics: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim down`
#[derive(Debug, Clone, Args)]
pub struct Down {
    /// Do not ask for confirmation
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Keep the minikube profile; delete only Kafka, Strimzi and the namespace
    #[arg(long)]
    pub keep_cluster: bool,
    /// Keep the minikube profile, the namespace and the brokers' volumes
    #[arg(long)]
    pub keep_data: bool,
    /// Delete the profile even if it contains objects created by others; they are deleted, too
    #[arg(long, conflicts_with_all = ["keep_cluster", "keep_data"])]
    pub delete_others: bool,
    /// Treat a profile that is not running as created by kstrim, even if nothing proves it
    #[arg(long)]
    pub adopt: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Time limit for the whole run
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim plan`
#[derive(Debug, Clone, Args)]
pub struct Plan {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub what: What,
    /// Print an equivalent shell script
    #[arg(long, conflicts_with = "output")]
    pub script: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_types_make_a_sound_command_line() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_grouped_help_names_every_visible_verb() {
        for command in Cli::command().get_subcommands().filter(|c| !c.is_hide_set()) {
            assert!(GROUPS.contains(&format!("\n  {}  ", command.get_name())), "{}", command.get_name());
        }
    }

    #[test]
    fn every_verb_ends_its_help_with_examples() {
        for command in Cli::command().get_subcommands_mut().filter(|c| !c.is_hide_set()) {
            let help = command.clone().render_long_help().to_string();
            assert!(help.contains("Examples:"), "{}", command.get_name());
        }
    }
}
