//! `kstrim logs`'s flags.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// `kstrim logs`
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// Go on as the logs grow, until Ctrl-C; a broker that restarts is followed again
    #[arg(long, short = 'f', conflicts_with = "previous")]
    pub follow: bool,
    /// Only of these; repeatable
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    pub component: Vec<Component>,
    /// Only what is not older: 10m, 90s
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// Last lines of each container, or `all` [default: 200; all with --since]
    #[arg(long, value_name = "N")]
    pub tail: Option<Tail>,
    /// Of the run before a container's last restart
    #[arg(long)]
    pub previous: bool,
    /// Print the time at which the node got a line, too
    #[arg(long)]
    pub timestamps: bool,
    /// How to print
    // The setting `output` is of runs.
    #[arg(id = "lines", long = "output", short = 'o', value_enum, default_value_t)]
    pub output: LogFormat,
}

/// What a log is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Component {
    /// Strimzi's cluster operator
    Operator,
    /// Brokers and controllers
    Kafka,
    /// Topic and user operator
    EntityOperator,
    /// Topic operator
    TopicOperator,
    /// User operator
    UserOperator,
    /// Kafka Connect
    Connect,
    /// MirrorMaker 2
    MirrorMaker,
    /// The HTTP bridge
    Bridge,
    /// Cruise Control
    CruiseControl,
    /// The Kafka Exporter
    Exporter,
    /// Whatever else belongs to the Kafka cluster
    Other,
}

/// How a line is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum LogFormat {
    /// For people: the component's name before each line
    #[default]
    Text,
    /// A JSON object for each line
    Json,
}

/// How many lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// All there are.
    All,
    /// The last ones.
    Lines(u64),
}

impl FromStr for Tail {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            number => number
                .parse()
                .map(Self::Lines)
                .map_err(|_| format!("`{number}` is no number of lines, nor `all`")),
        }
    }
}
