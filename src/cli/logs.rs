//! `kstrim logs`'s flags.

use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;

/// `kstrim logs`
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// Follow the logs until Ctrl-C, including containers that restart
    #[arg(long, short = 'f', conflicts_with = "previous")]
    pub follow: bool,
    /// Show only these components; repeatable
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAME")]
    pub component: Vec<Component>,
    /// Show only lines newer than this: 10m, 90s
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub since: Option<Duration>,
    /// Number of last lines of each container, or `all` [default: 200; all with --since]
    #[arg(long, value_name = "N")]
    pub tail: Option<Tail>,
    /// Show the logs from before a container's last restart
    #[arg(long)]
    pub previous: bool,
    /// Print the time at which the node received each line
    #[arg(long)]
    pub timestamps: bool,
    /// Output format
    // The setting `output` does not apply to this command.
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
    /// Everything else that belongs to the Kafka cluster
    Other,
}

/// How a line is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum LogFormat {
    /// Text: the name of the component before each line
    #[default]
    Text,
    /// One JSON object per line
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
                .map_err(|_| format!("`{number}` is neither a number of lines nor `all`")),
        }
    }
}
