//! From nothing to a verified Apache Kafka on Kubernetes with Strimzi, on minikube.
//!
//! Data's way through it: argv and environment → [`config`] (resolved settings, each
//! value with its origin) → [`catalogue`] (a Strimzi release) → [`quickstart`] (the task
//! graph as data) → [`engine`] walks it against the live cluster → [`event`]s → a
//! [`report`]er draws them → exit code. Nothing flows back up.
//!
//! - [`cli`]: clap types only. [`cmd`]: one verb a file.
//! - [`quickstart`]: WHAT the product does, one task a file.
//! - [`teardown`]: what `down` does when the profile stays, one task a file.
//! - [`upgrade`]: from one release to a later one: the path, and its steps as tasks.
//! - [`engine`]: HOW tasks run (graph, scheduler, deadlines, journal), knowing nothing of Kafka.
//! - [`cluster`]: who owns an object in a cluster, and changes to objects that kstrim owns.
//! - [`context`]: what a task may use: runner, settings, release, event sender, cancel token.
//! - [`tool`]: argv builders and pure parsers for `minikube` and `kubectl`.
//! - [`toolbox`]: minikube and kubectl of kstrim's own, where the machine has none that fits.
//! - [`observe`]: what the cluster shows: typed views and a watch stream.
//! - [`ready`]: pure predicates over what was observed. [`explain`]: symptom → cause → hint.
//! - [`component`]: what can stand beside a Kafka: one table.
//! - [`manifest`]: load, retarget, label, patch and render YAML, always as structures.
//! - [`kafka`]: a small Kafka wire client; the smoke test needs no JVM.
//! - [`bundle`]: all that a cluster is made of, in one file.
//! - [`download`]: the only room that speaks HTTP. [`exec`]: the only room that spawns.
//! - [`status`]: what `kstrim status` shows, as one document. [`doctor`]: what is wrong, from the machine up.
//! - [`diagnose`]: evidence of what is wrong in one archive, bounded and without secrets.
//! - [`report`]: terminal, plain and JSON drawings of the same events.
//! - [`names`]: validated names and versions.
//! - [`words`]: the words of other programs that decide anything, in one table.
//! - [`command_line`]: commands in hints: an argv with the flags that name the cluster.
//! - [`redact`]: redacts secrets in text, arguments and objects.
//! - [`errors`]: the catalogue of errors, a file each. [`paths`], [`event`], [`failure`]: what everybody may use.

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
pub mod words;
