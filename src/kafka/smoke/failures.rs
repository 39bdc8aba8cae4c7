//! Converts errors to a [`Failure`] with its own id and next command.

use super::plan::Plan;
use super::verdict::Verdict;
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::kafka::error::{KafkaError, code};

/// The current step of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Connecting to the first broker.
    Connect,
    /// Creating or looking up the topic.
    Topic,
    /// Producing.
    Produce,
    /// Consuming.
    Consume,
}

/// The failure for `error`; `sent` is how many messages were acknowledged.
pub(crate) fn of_error(plan: &Plan, phase: Phase, error: &KafkaError, sent: u64) -> Box<Failure> {
    let topic = &plan.topic;
    let id = match (error, error.code(), phase) {
        (KafkaError::Timeout { .. }, ..) => errors::SMOKE_TIMEOUT,
        (_, Some(code::LEADER_NOT_AVAILABLE | code::NOT_LEADER_OR_FOLLOWER), _) => errors::SMOKE_NO_LEADER,
        (_, Some(code::UNKNOWN_TOPIC_OR_PARTITION), Phase::Topic) => errors::SMOKE_NO_TOPIC,
        (.., Phase::Connect) => errors::SMOKE_CONNECT,
        (.., Phase::Topic) => errors::SMOKE_TOPIC,
        (.., Phase::Produce) => errors::SMOKE_PRODUCE,
        (.., Phase::Consume) => errors::SMOKE_CONSUME,
    };
    let doing = match phase {
        Phase::Connect => "connecting".to_owned(),
        Phase::Topic => format!("looking up topic {topic}"),
        Phase::Produce => format!("producing, {sent} of {} messages acknowledged", plan.messages),
        Phase::Consume => format!("consuming {sent} messages"),
    };
    let message = match id {
        errors::SMOKE_TIMEOUT => format!("the smoke test on topic {topic} timed out while {doing}"),
        errors::SMOKE_NO_LEADER => format!("topic {topic} has a partition without a leader"),
        errors::SMOKE_NO_TOPIC => format!("topic {topic} does not exist"),
        errors::SMOKE_CONNECT => "the smoke test cannot communicate with Kafka".to_owned(),
        _ => format!("the smoke test on topic {topic} failed while {doing}"),
    };
    let kind = if id == errors::SMOKE_TIMEOUT { Kind::Timeout } else { Kind::Smoke };
    let failure = Failure::new(id, kind, message).because(error);
    let test = plan.target.kstrim("smoke-test");
    Box::new(match (id, error.code()) {
        (errors::SMOKE_TIMEOUT, _) => {
            let limit = format!("{}s", plan.timeout.as_secs().max(1) * 2);
            let test = test.with("--topic", topic).with("--timeout", limit);
            failure.hint(status(plan)).hint(format!("allow more time: {test}"))
        }
        (errors::SMOKE_NO_TOPIC, _) => failure
            .hint(format!("create it: {}", plan.target.kstrim("topic create").arg(topic)))
            .hint(format!("or test another topic: {}", test.with("--topic", "another-name"))),
        (_, Some(code::MESSAGE_TOO_LARGE)) => failure.hint(
            "the topic's max.message.bytes, or the broker's message.max.bytes, is below --size; use \
             smaller messages",
        ),
        (_, Some(code::NOT_ENOUGH_REPLICAS)) => failure
            .hint("fewer replicas are in sync than the topic's min.insync.replicas requires")
            .hint(status(plan)),
        _ if error.is_denied() => failure.hint(format!(
            "the user does not have the permission; it needs the rule --acl topic:{topic}:read,write"
        )),
        _ => failure.hint(status(plan)),
    })
}

fn status(plan: &Plan) -> String {
    format!("check the brokers and their conditions: {}", plan.target.kstrim("status"))
}

/// The failure of a verdict, named by its most severe finding, with the others as causes. `pod` is that of a broker
/// that acknowledged messages.
pub(crate) fn of_verdict(plan: &Plan, verdict: &Verdict, pod: &str) -> Option<Box<Failure>> {
    let mut failing = verdict.findings.iter().filter(|f| f.fails);
    let gravest = failing.next()?;
    let topic = &plan.topic;
    let message = format!("the smoke test on topic {topic} failed: {}", gravest.message);
    let mut failure = Failure::new(gravest.id, Kind::Smoke, message);
    for other in failing {
        failure = failure.because(format!("{}: {}", other.id, other.message));
    }
    let hint = match gravest.id {
        errors::SMOKE_EMPTY => format!(
            "the broker acknowledged messages that are not in its log: check its volume, and the log of \
             pod {pod}"
        ),
        errors::SMOKE_TRUNCATED => format!(
            "records were removed from the log during the test: check retention.ms, retention.bytes and \
             cleanup.policy of topic {topic}, and whether somebody deletes records"
        ),
        errors::SMOKE_COMPRESSED => format!(
            "topic {topic} recompresses messages (compression.type); test with a topic whose \
             compression.type is producer"
        ),
        errors::SMOKE_FOREIGN => {
            format!("somebody else writes to topic {topic}; test with a separate topic: --topic NAME")
        }
        errors::SMOKE_DUPLICATE | errors::SMOKE_ORDER | errors::SMOKE_CONTENT => format!(
            "messages are repeated, reordered or changed between kstrim and the log: check the log of pod \
             {pod}"
        ),
        _ => status(plan),
    };
    Some(Box::new(failure.hint(hint)))
}
