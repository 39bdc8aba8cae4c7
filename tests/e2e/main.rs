//! kstrim on a real cluster: real minikube, real Kubernetes, real Kafka (`tests/ground`).
//!
//! ```text
//! tests/ground/ground test          # builds and starts what is missing, then runs these
//! ```
//! Every test stands alone: it asks for what it needs (a running cluster, or none) and brings that
//! about with kstrim itself, which is cheap when it is there. Those that share a profile run one at a time,
//! also across processes, in the order of their names: those that begin without a Kafka have names beside
//! each other. `ground test` runs two processes beside each other, each with a profile of its own; it says
//! which of the modules below go into the second.

mod ground;
mod run;

// In the order in which they run.
mod components;
mod creation;
mod daily;
mod dry_run;
mod elsewhere;
mod foreign;
mod from_older;
mod hopeless;
mod host;
mod living;
mod mishaps;
mod offline;
mod removal;
mod sigkill;
