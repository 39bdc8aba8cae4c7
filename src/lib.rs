//! From nothing to a verified Apache Kafka on Kubernetes with Strimzi, on minikube.
//!
//! Data flow: argv and environment → [`config`] (resolved settings, each value with its origin) → [`catalogue`] (a
//! Strimzi release) → [`quickstart`] (the plan of tasks as data) → [`engine`] runs it against the live cluster →
//! [`event`]s → a [`report`]er displays them → exit code. Nothing flows back up.
//!
//! The rooms, from top to bottom; each uses only those below it (`tests/layers.rs`, `docs/design/architecture.md`):
//!
//! - [`cmd`]: one command per file; [`cli`]: its arguments as clap types.
//! - [`diagnose`]: evidence in one archive. [`doctor`]: what is wrong, from the machine up, and what can be fixed.
//! - [`upgrade`]: from one release to a later one. [`lifecycle`]: stop, start, save and restore. [`quickstart`]: what `up` does. [`teardown`]: what `down` does.
//!   [`status`]: the state of the cluster as one document.
//! - [`checks`]: whether this machine is suitable.
//! - [`cluster`]: what every command needs of a live cluster: session, ownership, waiting, remediation, brokers, journal.
//! - [`component`]: what can run in addition to Kafka: one table.
//! - [`user_manifests`]: the manifests of `up -f`: read, checked, fitted to this machine, ordered.
//! - [`explain`]: readiness, and symptom → cause → hint. [`manifest`]: load, retarget, label, patch and render YAML.
//!   [`toolbox`]: kstrim's own minikube and kubectl. [`report`]: events as a live list, plain lines or JSON.
//! - [`kube`]: the Kubernetes API through kubectl: kinds, views, a watch. [`kafka`]: a small Kafka client. [`download`]:
//!   the only room that uses HTTP.
//! - [`engine`]: how tasks run, knowing nothing of Kafka. [`tool`]: argv builders and parsers for minikube and container
//!   engines.
//! - [`bundle`]: everything that a cluster consists of, in one file. [`exec`]: the only room that starts processes.
//!   [`terminal`]: colour, text by width, tables, and the thread that prints.
//! - [`names`]: validated names and versions. [`command_line`]: commands in hints. [`redact`]: redacts secrets.
//!   [`errors`]: the catalogue of errors, a file each. [`words`]: the text of other programs that decides anything.
//!   [`paths`], [`event`], [`failure`]: for all rooms.
//!
//! The library exists for the program and its tests: what these use is in [`internals`], and everything else is
//! private to the crate.

// Not in tests, where a helper may be a method of a fixture, or return what its callers pass on.
#![cfg_attr(not(test), warn(unreachable_pub, clippy::unnecessary_wraps, clippy::unused_self))]

mod bundle;
mod catalogue;
mod checks;
mod cli;
mod cluster;
mod cmd;
mod command_line;
mod component;
mod config;
mod diagnose;
mod doctor;
mod download;
mod engine;
mod errors;
mod event;
mod exec;
mod explain;
mod failure;
#[doc(hidden)]
pub mod internals;
mod kafka;
mod kube;
mod lifecycle;
mod manifest;
mod names;
mod paths;
mod quickstart;
mod redact;
mod report;
#[cfg(test)]
mod schema_tests;
mod sha256;
mod status;
mod teardown;
mod terminal;
mod tool;
mod toolbox;
mod upgrade;
mod user_manifests;
mod words;

pub use cmd::main;
