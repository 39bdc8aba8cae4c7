//! Errors between kstrim and a broker.

use std::{fmt, io};

use kafka_protocol::error::ResponseError;

use super::records::{BadRecords, MAX_RECORD};

/// The result of every call to a broker.
pub(crate) type Result<T, E = KafkaError> = std::result::Result<T, E>;

/// Why a call to a broker failed.
#[derive(Debug)]
pub(crate) enum KafkaError {
    /// The connection could not be opened.
    Connect {
        /// The broker, `host:port` as it advertises itself.
        to: String,
        /// Why.
        source: io::Error,
    },
    /// The connection ended before the response was complete.
    Closed {
        /// The broker.
        peer: String,
        /// The current request, or `connecting`.
        during: String,
        /// Why, if the system reported it.
        source: Option<io::Error>,
    },
    /// The deadline passed.
    Timeout {
        /// The broker.
        peer: String,
        /// The current request, or `connecting`.
        during: String,
    },
    /// The broker rejected the credentials.
    Refused {
        /// The broker.
        peer: String,
        /// Its message.
        why: String,
    },
    /// The broker did not prove that it belongs to the cluster.
    Untrusted {
        /// The broker.
        peer: String,
        /// What is wrong with its proof.
        why: String,
    },
    /// A record that, once decompressed, is larger than this client accepts.
    TooLarge {
        /// The topic and its partition.
        what: String,
        /// The offset at which reading stops.
        offset: i64,
        /// The offset at which it can continue.
        after: i64,
    },
    /// The response violates Kafka's protocol.
    Protocol(String),
    /// The broker responded with an error.
    Broker {
        /// Kafka's error code, [`code`].
        code: i16,
        /// The code's name in Kafka, `NOT_LEADER_OR_FOLLOWER`.
        name: String,
        /// What it was about, and the broker's own message, if any.
        message: String,
    },
}

/// The error codes that this client handles (`org.apache.kafka.common.protocol.Errors`).
pub(crate) mod code {
    #![allow(missing_docs)]
    pub(crate) const OFFSET_OUT_OF_RANGE: i16 = 1;
    pub(crate) const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
    pub(crate) const LEADER_NOT_AVAILABLE: i16 = 5;
    pub(crate) const NOT_LEADER_OR_FOLLOWER: i16 = 6;
    pub(crate) const REPLICA_NOT_AVAILABLE: i16 = 9;
    pub(crate) const MESSAGE_TOO_LARGE: i16 = 10;
    pub(crate) const REQUEST_TIMED_OUT: i16 = 7;
    pub(crate) const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
    pub(crate) const COORDINATOR_NOT_AVAILABLE: i16 = 15;
    pub(crate) const NOT_COORDINATOR: i16 = 16;
    pub(crate) const NOT_ENOUGH_REPLICAS: i16 = 19;
    pub(crate) const NOT_ENOUGH_REPLICAS_AFTER_APPEND: i16 = 20;
    pub(crate) const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
    pub(crate) const GROUP_AUTHORIZATION_FAILED: i16 = 30;
    pub(crate) const CLUSTER_AUTHORIZATION_FAILED: i16 = 31;
    pub(crate) const TRANSACTIONAL_ID_AUTHORIZATION_FAILED: i16 = 53;
    pub(crate) const SASL_AUTHENTICATION_FAILED: i16 = 58;
    pub(crate) const UNSUPPORTED_VERSION: i16 = 35;
    pub(crate) const TOPIC_ALREADY_EXISTS: i16 = 36;
    pub(crate) const INVALID_REPLICATION_FACTOR: i16 = 38;
    pub(crate) const NOT_CONTROLLER: i16 = 41;
    pub(crate) const KAFKA_STORAGE_ERROR: i16 = 56;
    pub(crate) const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;
    pub(crate) const NON_EMPTY_GROUP: i16 = 68;
    pub(crate) const GROUP_ID_NOT_FOUND: i16 = 69;
    pub(crate) const FENCED_LEADER_EPOCH: i16 = 74;
    pub(crate) const UNKNOWN_LEADER_EPOCH: i16 = 75;
    pub(crate) const OFFSET_NOT_AVAILABLE: i16 = 78;
    pub(crate) const UNKNOWN_TOPIC_ID: i16 = 100;
}

impl KafkaError {
    /// A broker's error `code` about `what`, with the broker's own message, if any.
    pub(crate) fn broker(code: i16, what: impl fmt::Display, words: Option<&str>) -> Self {
        let message = match words.map(str::trim).filter(|w| !w.is_empty()) {
            Some(words) => format!("{what}: {words}"),
            None => what.to_string(),
        };
        KafkaError::Broker { code, name: code_name(code), message }
    }

    /// What is wrong with the records of `what`, a topic's partition.
    pub(crate) fn records(what: impl fmt::Display, bad: BadRecords) -> Self {
        match bad {
            BadRecords::TooLarge { offset, after } => {
                KafkaError::TooLarge { what: what.to_string(), offset, after }
            }
            BadRecords::Unreadable { offset, why } => {
                KafkaError::Protocol(format!("{what}: unreadable records at offset {offset}: {why}"))
            }
        }
    }

    /// The broker's error code, if a broker responded.
    pub(crate) fn code(&self) -> Option<i16> {
        match self {
            KafkaError::Broker { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Whether a retry after new metadata can help and is safe: the broker rejected the request before it did
    /// anything. An append that timed out is not included, because a retry could write the records twice.
    pub(crate) fn is_retriable(&self) -> bool {
        matches!(
            self.code(),
            Some(
                code::UNKNOWN_TOPIC_OR_PARTITION
                    | code::LEADER_NOT_AVAILABLE
                    | code::NOT_LEADER_OR_FOLLOWER
                    | code::REPLICA_NOT_AVAILABLE
                    | code::NOT_ENOUGH_REPLICAS
                    | code::NOT_CONTROLLER
                    | code::KAFKA_STORAGE_ERROR
                    | code::FENCED_LEADER_EPOCH
                    | code::UNKNOWN_LEADER_EPOCH
                    | code::OFFSET_NOT_AVAILABLE
                    | code::UNKNOWN_TOPIC_ID
            )
        )
    }

    /// Whether the result of an append is unknown: it may have been written.
    pub(crate) fn is_append_result_unknown(&self) -> bool {
        self.is_connection()
            || matches!(self, KafkaError::Timeout { .. })
            || matches!(self.code(), Some(code::REQUEST_TIMED_OUT | code::NOT_ENOUGH_REPLICAS_AFTER_APPEND))
    }

    /// Whether the user's access rules do not allow it.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(
            self.code(),
            Some(
                code::TOPIC_AUTHORIZATION_FAILED
                    | code::GROUP_AUTHORIZATION_FAILED
                    | code::CLUSTER_AUTHORIZATION_FAILED
                    | code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
            )
        )
    }

    /// Whether the connection could not be opened or broke.
    pub(crate) fn is_connection(&self) -> bool {
        matches!(self, KafkaError::Connect { .. } | KafkaError::Closed { .. })
    }
}

/// A code's name in Kafka; `UNKNOWN_ERROR_123` for one that this client does not know.
pub(crate) fn code_name(code: i16) -> String {
    match ResponseError::try_from_code(code) {
        None => "NONE".to_owned(),
        Some(ResponseError::Unknown(code)) => format!("UNKNOWN_ERROR_{code}"),
        Some(known) => {
            let mut name = String::new();
            for c in known.to_string().chars() {
                if c.is_ascii_uppercase() && !name.is_empty() {
                    name.push('_');
                }
                name.push(c.to_ascii_uppercase());
            }
            name
        }
    }
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KafkaError::Connect { to, source } => write!(f, "cannot connect to broker {to}: {source}"),
            KafkaError::Closed { peer, during, source: None } => {
                write!(f, "broker {peer} closed the connection ({during})")
            }
            KafkaError::Closed { peer, during, source: Some(source) } => {
                write!(f, "the connection to broker {peer} was interrupted ({during}): {source}")
            }
            KafkaError::Timeout { peer, during } => {
                write!(f, "broker {peer} did not respond in time ({during})")
            }
            KafkaError::Refused { peer, why } => {
                write!(f, "broker {peer} rejects the credentials: {why}")
            }
            KafkaError::Untrusted { peer, why } => write!(f, "broker {peer} is not trusted: {why}"),
            KafkaError::TooLarge { what, offset, .. } => write!(
                f,
                "{what}, offset {offset}: a record of more than {} MiB when decompressed",
                MAX_RECORD >> 20
            ),
            KafkaError::Protocol(what) => f.write_str(what),
            KafkaError::Broker { code, name, message } => write!(f, "{name} (code {code}): {message}"),
        }
    }
}

impl std::error::Error for KafkaError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kafkas_names() {
        assert_eq!(code_name(code::NOT_LEADER_OR_FOLLOWER), "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(code_name(code::UNKNOWN_TOPIC_ID), "UNKNOWN_TOPIC_ID");
        assert_eq!(code_name(17), "INVALID_TOPIC_EXCEPTION");
        assert_eq!(code_name(-1), "UNKNOWN_SERVER_ERROR");
        assert_eq!(code_name(9999), "UNKNOWN_ERROR_9999");
    }

    #[test]
    fn an_append_that_timed_out_is_not_retried() {
        assert!(KafkaError::broker(code::NOT_LEADER_OR_FOLLOWER, "t", None).is_retriable());
        // REQUEST_TIMED_OUT and NOT_ENOUGH_REPLICAS_AFTER_APPEND
        assert!(!KafkaError::broker(7, "t", None).is_retriable());
        assert!(!KafkaError::broker(20, "t", None).is_retriable());
    }
}
