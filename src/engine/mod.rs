//! How tasks run: a graph of [`task::Task`]s, walked by [`run`], each transition in the
//! [`journal`]. It knows nothing of Kafka, minikube or kubectl.

pub mod graph;
pub mod journal;
pub mod lock;
pub mod run;
pub mod task;
