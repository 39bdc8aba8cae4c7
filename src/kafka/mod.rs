//! A small Kafka wire client, sufficient to verify that messages are delivered, without a JVM.
//!
//! - [`conn`]: one TCP connection: frames, correlation ids, the version handshake.
//! - [`client`]: brokers and topics by name; a [`client::Dial`] defines how a broker is reached (kstrim uses a
//!   port-forward to the broker's pod).
//! - [`admin`], [`produce`], [`fetch`]: the operations of a [`Client`].
//! - [`groups`]: consumer groups' committed offsets.
//! - [`records`]: record batches, read and written.
//! - [`security`], [`scram`]: TLS, client certificates, passwords.
//! - [`partition`]: the partition of a key.
//! - [`smoke`]: produce, consume, compare. [`junit`]: the result for a CI system.
//!
//! The messages are those of the `kafka-protocol` crate, generated from Kafka's own definitions. Every request uses
//! the highest version that both sides support, so it works with brokers from Kafka 2.1 on; it is tested with 3.9 and
//! 4.3.

pub(crate) mod admin;
pub(crate) mod client;
pub(crate) mod conn;
pub(crate) mod error;
pub(crate) mod fetch;
pub(crate) mod groups;
pub(crate) mod junit;
pub(crate) mod partition;
pub(crate) mod produce;
pub(crate) mod records;
pub(crate) mod scram;
pub(crate) mod security;
pub(crate) mod smoke;
mod turns;

pub(crate) use client::{Client, Topic};
pub(crate) use error::KafkaError;
pub(crate) use security::Security;

#[cfg(test)]
mod tests;
