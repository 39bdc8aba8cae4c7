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
//! - [`upgrade`]: from one release to a later one. [`quickstart`]: what `up` does. [`teardown`]: what `down` does.
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

// Not in tests, where a helper may be a method of a fixture, or return what its callers pass on.
#![cfg_attr(not(test), warn(clippy::unnecessary_wraps, clippy::unused_self))]

pub mod bundle;
pub mod catalogue;
pub mod checks;
pub mod cli;
pub mod cluster;
pub mod cmd;
pub mod command_line;
pub mod component;
pub mod config;
pub mod diagnose;
pub mod doctor;
pub mod download;
pub mod engine;
pub mod errors;
pub mod event;
pub mod exec;
pub mod explain;
pub mod failure;
pub mod kafka;
pub mod kube;
pub mod manifest;
pub mod names;
pub mod paths;
pub mod quickstart;
pub mod redact;
pub mod report;
#[cfg(test)]
mod schema_tests;
pub mod sha256;
pub mod status;
pub mod teardown;
pub mod terminal;
pub mod tool;
pub mod toolbox;
pub mod upgrade;
pub mod user_manifests;
pub mod words;
