//! A small Kafka wire client, enough to prove that messages go through, without a JVM.
//!
//! - [`conn`]: one TCP connection: frames, correlation ids, the version handshake.
//! - [`client`]: brokers and topics by name; a [`Dial`] says how a broker is reached (kstrim
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

pub mod admin;
pub mod client;
pub mod conn;
pub mod error;
pub mod fetch;
pub mod groups;
pub mod junit;
pub mod partition;
pub mod produce;
pub mod records;
pub mod scram;
pub mod security;
pub mod smoke;
mod turns;

pub use client::{BrokerAddr, Client, Dial, Options, Topic};
pub use error::KafkaError;
pub use security::Security;

#[cfg(test)]
mod tests;
