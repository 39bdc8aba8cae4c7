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

pub use bundle::{Bundle, BundleCreate, BundleFile, BundleVerb};
pub use change::{Scale, Set};
pub use component::{Add, Remove};
pub use config::{Config, ConfigInit, ConfigShow, ConfigVerb};
pub use connect::{Connect, Way};
pub use diagnose::Diagnose;
pub use doctor::Doctor;
pub use explain::Explain;
pub use logs::{Component, LogFormat, Logs, Tail};
pub use look_inside::{Env, Kubectl, Part, Render, ShellName};
pub use stream::{Consume, Isolation, Produce, Summary};
pub use tools::{Tools, ToolsInstall, ToolsList, ToolsRemove, ToolsVerb};
pub use topic::{Topic, TopicCreate, TopicDelete, TopicDescribe, TopicList, TopicVerb};
pub use trust::Trust;
pub use upgrade::Upgrade;
pub use user::{Authentication, User, UserCreate, UserDelete, UserList, UserShow, UserVerb};
pub use versions::{Resolve, Versions, VersionsVerb};
pub use what::{PresetName, What};

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
  up           Start minikube, install Strimzi, make a Kafka cluster and prove that it works
  smoke-test   Send messages through the running Kafka and read them back
  status       Show what is there: profile, operator, Kafka, pods, topics, addresses
  down         Delete what `up` made

Work with it:
  topic        Make, list, describe and delete topics
  produce      Write lines of stdin to a topic
  consume      Print a topic's messages
  user         Make, list, show and delete users; write a client's configuration
  connect      Open the way to the brokers for programs on this machine
  add          Add Connect, MirrorMaker 2, the bridge, Cruise Control, the exporter, metrics
  remove       Remove what `add` added
  scale        More or fewer brokers, followed until all serve
  set          Change broker settings, followed until every broker has them
  upgrade      Go to a later Strimzi and Kafka, by Strimzi's rules, tested between the steps

Look inside:
  doctor       Check this machine and the cluster: what is wrong, why, and what to do
  explain      Explain an error: what it means, how kstrim knows, what to do
  plan         Show what `up` would do and why, or print it as a shell script
  render       Print the manifests that `up` applies
  kubectl      Run kubectl against the cluster: kstrim kubectl -- get pods
  logs         Show the logs of operator, brokers and entity operator together, or follow them
  diagnose     Collect what is needed to find out what is wrong, in one archive
  env          Print exports for your own kubectl: eval \"$(kstrim env)\"

Set up:
  config       Show the settings and where each comes from, or begin a settings file
  trust        Trust a settings file to name sources and destinations
  tools        List, obtain or remove kstrim's own minikube and kubectl
  bundle       Write, show or check a file with everything for a machine without a network
  versions     Show which Kafka fits which Strimzi, Kubernetes and minikube
  completions  Print a shell's completion script

Options:
{options}
{after-help}";

/// From nothing to a verified Apache Kafka on Kubernetes with Strimzi, on minikube.
#[derive(Debug, Parser)]
#[command(
    name = "kstrim",
    version,
    about,
    help_template = GROUPS,
    disable_help_subcommand = true,
    after_help = "Examples:\n  kstrim up\n  kstrim smoke-test\n  kstrim down\n\n`kstrim <COMMAND> --help` tells more. `kstrim explain` lists all errors"
)]
pub struct Cli {
    /// The verb.
    #[command(subcommand)]
    pub command: Command,
    /// Which cluster, and how to talk.
    #[command(flatten)]
    pub global: Global,
}

/// Flags of every verb. Their place in the help is behind the verb's own, whatever clap counts.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// minikube profile, also the kubectl context
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
    /// Your own cluster, a context of your kubeconfig, in place of minikube
    #[arg(long, global = true, display_order = 901, env = "KSTRIM_CONTEXT", value_name = "NAME")]
    pub context: Option<ContextName>,
    /// Kubernetes namespace of the operator and of Kafka
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
    /// Say only what went wrong
    #[arg(long, short = 'q', global = true, display_order = 904, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show every command that is run, ready to paste
    #[arg(long, short = 'v', global = true, display_order = 905)]
    pub verbose: bool,
    /// Flags of the target that were given on the command line, filled in after parsing.
    #[arg(skip)]
    pub given: Vec<&'static str>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start minikube, install Strimzi, make a Kafka cluster and prove that it works
    ///
    /// Each step first looks whether it is needed, so the same command continues after any failure.
    #[command(after_help = UP_EXAMPLES)]
    Up(Up),
    /// Send messages through the running Kafka and read them back
    ///
    /// Passing means that every message came back with the same key and bytes, once and in order.
    #[command(after_help = SMOKE_EXAMPLES)]
    SmokeTest(SmokeTest),
    /// Show what is there: profile, operator, Kafka, pods, topics, addresses
    #[command(after_help = STATUS_EXAMPLES)]
    Status(Status),
    /// Make, list, describe and delete topics
    #[command(
        after_help = "Examples:\n  kstrim topic create orders --partitions 6\n  kstrim topic list\n  kstrim topic delete orders"
    )]
    Topic(Topic),
    /// Write lines of stdin to a topic
    ///
    /// Each line is a message. What the brokers acknowledged is there once, also when one of them
    /// restarts meanwhile. Messages of a key keep their order.
    #[command(after_help = stream::PRODUCE_EXAMPLES)]
    Produce(Produce),
    /// Print a topic's messages
    ///
    /// Those to come, or with --from-beginning all, until Ctrl-C, --messages, --timeout or --idle.
    #[command(after_help = stream::CONSUME_EXAMPLES)]
    Consume(Consume),
    /// Open the way to the brokers for programs on this machine
    ///
    /// A listener whose brokers advertise 127.0.0.1, and a port-forward to each that survives its restarts. Adding
    /// the listener restarts the brokers one by one: it asks first, or takes --yes.
    #[command(after_help = connect::EXAMPLES)]
    Connect(Connect),
    /// Add Connect, MirrorMaker 2, the bridge, Cruise Control, the exporter, metrics
    ///
    /// connect, mirror-maker and bridge are resources of their own; cruise-control, exporter and metrics are fields
    /// of the Kafka, whose brokers may be restarted one by one for them. What is there already is left as it is.
    #[command(after_help = component::ADD_EXAMPLES)]
    Add(Add),
    /// Remove what `add` added
    ///
    /// With it go the topics in which Connect and MirrorMaker 2 keep what they do, and the mirrored topic: that is
    /// asked, or takes --yes. What kstrim did not make is left alone.
    #[command(after_help = component::REMOVE_EXAMPLES)]
    Remove(Remove),
    /// More or fewer brokers, followed until all serve
    ///
    /// Refuses to take away brokers that hold data.
    #[command(after_help = change::SCALE_EXAMPLES)]
    Scale(Scale),
    /// Change broker settings, followed until every broker has them
    ///
    /// Kafka itself is asked whether it knows them.
    #[command(after_help = change::SET_EXAMPLES)]
    Set(Set),
    /// Go to a later Strimzi and Kafka, by Strimzi's rules, tested between the steps
    ///
    /// Operator first, then Kafka, then its metadata version, over the releases in between where Strimzi asks for
    /// them. The same command continues after any failure.
    #[command(after_help = upgrade::EXAMPLES)]
    Upgrade(Upgrade),
    /// Make, list, show and delete users; write a client's configuration
    #[command(
        after_help = "Examples:\n  kstrim user create app\n  kstrim user show app --export ./app-client\n  kstrim user delete app"
    )]
    User(User),
    /// Delete what `up` made
    ///
    /// Deletes the minikube profile if kstrim made it. Already gone is success.
    #[command(after_help = DOWN_EXAMPLES)]
    Down(Down),
    /// Check this machine and the cluster: what is wrong, why, and what to do
    ///
    /// Before there is a cluster it looks at what `up` needs; on a running one at Kubernetes, Strimzi and Kafka.
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(Doctor),
    /// Explain an error: what it means, how kstrim knows, what to do
    #[command(after_help = explain::EXAMPLES)]
    Explain(Explain),
    /// Show what `up` would do and why, or print it as a shell script
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Plan),
    /// Print the manifests that `up` applies
    #[command(after_help = "Examples:\n  kstrim render > kafka.yaml\n  kstrim render --only kafka --stock")]
    Render(Render),
    /// Run kubectl against the cluster
    #[command(
        after_help = "Examples:\n  kstrim kubectl -- get pods -n kafka\n  kstrim kubectl -- describe kafka my-cluster -n kafka"
    )]
    Kubectl(Kubectl),
    /// Show the logs of operator, brokers and entity operator together, or follow them
    ///
    /// One stream in the order of time, with the component's name before each line.
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Logs),
    /// Collect what is needed to find out what is wrong, in one archive
    ///
    /// Versions, plan, event logs, objects, events, logs and an explanation; secrets are blanked. It works
    /// with half a cluster or none, and changes nothing.
    #[command(after_help = DIAGNOSE_EXAMPLES)]
    Diagnose(Diagnose),
    /// Print exports for your own kubectl
    #[command(
        after_help = "Examples:\n  eval \"$(kstrim env)\"; kubectl get pods -n kafka\n  kstrim env --shell fish | source"
    )]
    Env(Env),
    /// Show which Kafka fits which Strimzi, Kubernetes and minikube
    #[command(after_help = versions::EXAMPLES)]
    Versions(Versions),
    /// Write, show or check a file with everything for a machine without a network
    #[command(
        after_help = "Examples:\n  kstrim bundle create -o kafka.bundle\n  kstrim bundle inspect kafka.bundle\n  kstrim up --bundle kafka.bundle"
    )]
    Bundle(Bundle),
    /// Show the settings and where each comes from, or begin a settings file
    ///
    /// A flag wins over an environment variable, that over kstrim.yaml in this folder or one above it, that
    /// over the user's own file.
    #[command(after_help = config::EXAMPLES)]
    Config(Config),
    /// Trust a settings file to name sources and destinations
    ///
    /// In a project's kstrim.yaml, settings such as mirror, bundle, manifests, minikube-arg and context take effect
    /// only when its exact content is trusted. Any change to the file ends that. Prints the file's path.
    #[command(after_help = trust::EXAMPLES)]
    Trust(Trust),
    /// List, obtain or remove kstrim's own minikube and kubectl
    ///
    /// `kstrim up` obtains what is missing or does not fit, unless --system-tools forbids it. What the system
    /// has is never touched.
    #[command(after_help = tools::EXAMPLES)]
    Tools(Tools),
    /// Print a shell's completion script
    #[command(
        after_help = "Examples:\n  kstrim completions bash > ~/.local/share/bash-completion/completions/kstrim\n  kstrim completions zsh > ~/.zfunc/_kstrim"
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// How a long command talks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum OutputMode {
    /// tty on a terminal, else plain
    #[default]
    Auto,
    /// A live task list
    Tty,
    /// A line for each change
    Plain,
    /// A JSON object for each event, on stdout
    Json,
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Format {
    /// For people
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
    /// How to talk
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Limit of the whole run: 10m, 90s
    #[arg(long, env = "KSTRIM_TIMEOUT", value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// Agree to work on the cluster of --context, which is asked once for each cluster
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Delete a profile whose machine is gone or cannot be started, with its data, and create it again
    #[arg(long)]
    pub recreate: bool,
    /// Do not collect evidence of a failure (kstrim diagnose)
    #[arg(long, env = "KSTRIM_NO_DIAGNOSE")]
    pub no_diagnose: bool,
}

/// `kstrim smoke-test`
#[derive(Debug, Clone, Args)]
pub struct SmokeTest {
    /// Messages to send
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10_000_000), value_name = "N")]
    pub messages: u64,
    /// Bytes of each message
    #[arg(long, default_value_t = 100, value_name = "BYTES")]
    pub size: u64,
    /// Topic to test
    #[arg(long, env = "KSTRIM_TOPIC", default_value = "my-topic", value_name = "NAME")]
    pub topic: TopicName,
    /// Keep what the test made and sent
    #[arg(long)]
    pub keep: bool,
    /// Only Kafka itself, not what stands beside it (kstrim add)
    #[arg(long)]
    pub no_components: bool,
    /// Write the result as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// How to talk
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Limit of the whole test
    #[arg(long, default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// Do not collect evidence of a failure (kstrim diagnose)
    #[arg(long, env = "KSTRIM_NO_DIAGNOSE")]
    pub no_diagnose: bool,
}

/// `kstrim status`
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// Print again at each change, until Ctrl-C
    #[arg(long, short = 'w')]
    pub watch: bool,
    /// Show the topics that Kafka and Strimzi keep for themselves, too
    #[arg(long)]
    pub internal_topics: bool,
    /// How to print
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim down`
#[derive(Debug, Clone, Args)]
pub struct Down {
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Keep minikube; remove Kafka, Strimzi and the namespace
    #[arg(long)]
    pub keep_cluster: bool,
    /// Keep minikube, the namespace and the brokers' volumes
    #[arg(long)]
    pub keep_data: bool,
    /// Delete the profile even if others have created things in it, which are deleted with it
    #[arg(long, conflicts_with_all = ["keep_cluster", "keep_data"])]
    pub delete_others: bool,
    /// Treat a profile that is not running as created by kstrim even if nothing proves it
    #[arg(long)]
    pub adopt: bool,
    /// How to talk
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Limit of the whole run
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
    /// How to print
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
