//! A small Kafka wire client, enough to prove that messages go through, without a JVM.
//!
//! - [`conn`]: one TCP connection: frames, correlation ids, the version handshake.
//! - [`client`]: brokers and topics by name; a [`client::Dial`] says how a broker is reached (kstrim
//!   goes through a port-forward to the broker's pod).
//! - [`admin`], [`produce`], [`fetch`]: what can be asked of a [`Client`].
//! - [`groups`]: what consumer groups have committed.
//! - [`records`]: record batches, read and written.
//! - [`security`], [`scram`]: TLS, client certificates, passwords.
//! - [`partition`]: which partition a key goes to.
//! - [`smoke`]: send, read back, compare. [`junit`]: the result for a CI system.
//!
//! The messages are those of the `kafka-protocol` crate, generated from Kafka's own
//! definitions. For every request the highest version both sides know is used, so brokers
//! from Kafka 2.1 on answer; tested are 3.9 and 4.3.

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
