//! kstrim on a real cluster: real minikube, real Kubernetes, real Kafka (`tests/ground`).
//!
//! ```text
//! tests/ground/ground test                    # builds and starts what is missing, then runs these
//! tests/ground/ground test --operator real    # the same tests on Strimzi's own images, where they are
//! ```
//! Every test stands alone: it asks for what it needs (a running cluster, or none) and brings that
//! about with kstrim itself, which is cheap when it is there. Those that share a profile run one at a time,
//! also across processes. `ground test` runs two lanes beside each other, each with a profile of its own; its
//! list says which modules follow each other. What only one of the two operators can run is in [`operator::EXCEPTIONS`].

mod ground;
mod operator;
mod results;
mod run;
mod through;

mod bystanders;
mod class_data;
mod clients;
mod commands;
mod components;
mod creation;
mod cruise_control;
mod daily;
mod dry_run;
mod elsewhere;
mod files;
mod foreign_namespace;
mod foreign_profile;
mod from_older;
mod from_zookeeper;
mod hopeless;
mod host;
mod image_cache;
mod keep_cluster;
mod keep_data;
mod living;
mod mishaps;
mod nodes;
mod offline;
mod projects;
mod sigkill;
mod snapshots;
mod stop_start;
mod whole_profile;
