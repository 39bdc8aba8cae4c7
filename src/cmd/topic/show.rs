//! `kstrim topic list` and `kstrim topic describe`

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::{Topic, all, find_topic};
use crate::cli::{Format, Global, TopicDescribe, TopicList};
use crate::cluster::brokers::{self, Brokers};
use crate::cmd::living::{self, Living};
use crate::failure::Result;
use crate::kafka::admin::End;
use crate::names::{TopicName, is_internal_topic};
use crate::terminal::table::Table;

/// How long the brokers may take to respond.
const ASK: Duration = Duration::from_secs(10);

/// A partition according to its leader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Partition {
    partition: i32,
    /// Node id.
    leader: i32,
    /// Offset of the oldest message.
    first: i64,
    /// Offset of the next message.
    next: i64,
}

#[derive(Serialize)]
struct Described {
    #[serde(flatten)]
    topic: Topic,
    /// According to the brokers; `null` if they could not be reached.
    live: Option<Vec<Partition>>,
}

pub(super) async fn list(global: &Global, args: &TopicList) -> Result<ExitCode> {
    living::reading(global, async |living| {
        let mut topics: Vec<Topic> = all(&living).await?.into_iter().map(|(topic, _)| topic).collect();
        topics.retain(|t| args.internal_topics || !is_internal_topic(&t.topic));
        crate::cmd::print(&match args.output {
            Format::Json => crate::cmd::json(&topics),
            Format::Yaml => crate::cmd::yaml(&topics),
            Format::Text => table(&topics),
        });
        Ok(ExitCode::SUCCESS)
    })
    .await
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(|| "default".to_owned(), |n| n.to_string())
}

fn table(topics: &[Topic]) -> String {
    if topics.is_empty() {
        return "no topics\n".to_owned();
    }
    let mut table = Table::new(["TOPIC", "PARTITIONS", "REPLICAS", "CREATED BY", "STATE"]).right(1).right(2);
    for topic in topics {
        let by = if topic.made_by_kstrim { "kstrim" } else { "others" };
        let state = topic.reason.clone().unwrap_or_else(|| "ready".to_owned());
        let (partitions, replicas) = (number(topic.partitions), number(topic.replicas));
        table.row([topic.topic.clone(), partitions, replicas, by.to_owned(), state]);
    }
    crate::cmd::drawn(&table)
}

pub(super) async fn describe(global: &Global, args: &TopicDescribe) -> Result<ExitCode> {
    living::reading(global, async |living| {
        let known = all(&living).await?;
        let (topic, _) = find_topic(&args.topic, &known, &living)?;
        let live = match live(&living, &args.topic).await {
            Ok(live) => Some(live),
            Err(why) => {
                living.cx.emit.warn(format!("the brokers could not be queried: {why}"));
                None
            }
        };
        let described = Described { topic: topic.clone(), live };
        crate::cmd::print(&match args.output {
            Format::Json => crate::cmd::json(&described),
            Format::Yaml => crate::cmd::yaml(&described),
            Format::Text => text(&described),
        });
        Ok(ExitCode::SUCCESS)
    })
    .await
}

/// Leaders and offsets, from the brokers.
async fn live(living: &Living, topic: &TopicName) -> std::result::Result<Vec<Partition>, String> {
    let cx = &living.cx;
    cx.synced(&brokers::KINDS).await;
    let brokers = Brokers::of(cx).map_err(|f| f.message)?;
    let deadline = Instant::now() + ASK;
    let asked = async {
        let mut client = brokers.client(deadline).await?;
        let mut topic = client.topic_now(topic.as_str(), deadline).await?;
        let first = client.list_offsets(&mut topic, End::Earliest, deadline).await?;
        let next = client.list_offsets(&mut topic, End::Latest, deadline).await?;
        let partition = |(leader, partition): (&i32, i32)| Partition {
            partition,
            leader: *leader,
            first: first.get(&partition).copied().unwrap_or(-1),
            next: next.get(&partition).copied().unwrap_or(-1),
        };
        Ok::<_, crate::kafka::KafkaError>(topic.leaders.iter().zip(0..).map(partition).collect())
    };
    asked.await.map_err(|e| e.to_string())
}

fn text(described: &Described) -> String {
    let topic = &described.topic;
    let mut facts = Table::default();
    facts.row(["Topic", topic.topic.as_str()]);
    facts.row(["Resource", format!("KafkaTopic {}", topic.resource).as_str()]);
    facts.row(["Created by", if topic.made_by_kstrim { "kstrim" } else { "others" }]);
    facts.row(["Partitions", number(topic.partitions).as_str()]);
    facts.row(["Replicas", number(topic.replicas).as_str()]);
    for (key, value) in &topic.config {
        facts.row([key.as_str(), crate::names::plain(value).as_str()]);
    }
    facts.row(["State", topic.reason.as_deref().unwrap_or("ready")]);
    let mut text = crate::cmd::drawn(&facts);
    if let Some(live) = &described.live {
        let mut table = Table::new(["PARTITION", "LEADER", "FIRST OFFSET", "NEXT OFFSET", "MAX MESSAGES"]);
        for column in 0..5 {
            table = table.right(column);
        }
        for p in live {
            let numbers = [i64::from(p.partition), i64::from(p.leader), p.first, p.next, p.next - p.first];
            table.row(numbers.map(|n| n.to_string()));
        }
        text += "\n";
        text += &crate::cmd::drawn(&table);
    }
    text
}
