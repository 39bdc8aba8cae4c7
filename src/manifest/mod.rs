//! Kubernetes manifests as structures: load, retarget to a namespace, label, tune, split by
//! phase, render our own resources, write out. Nothing here replaces text in YAML.
//!
//! - [`load`]: files, directories and bytes to [`Object`]s, with limits.
//! - [`mod@plain`]: words without quotes as kubectl reads them.
//! - [`mod@digest`]: the digest of a set of objects, whatever its formatting.
//! - [`mod@retarget`], [`mod@label`], [`phase`], [`tune`]: the changes to Strimzi's install manifest.
//! - [`class_data`]: archives with which the JVMs start faster.
//! - [`mod@component`]: the components of a Kafka cluster.
//! - [`images`], [`pull`]: which images it runs, their registry and pull secrets.
//! - [`recognise`]: the release of an install manifest.
//! - [`render`]: our own Kafka, node pool, topic and namespace resources.
//! - [`source`]: where the install manifest comes from.

pub(crate) mod class_data;
pub(crate) mod component;
pub mod digest;
pub(crate) mod images;
pub mod label;
pub(crate) mod load;
pub(crate) mod object;
pub(crate) mod phase;
pub(crate) mod plain;
pub(crate) mod pull;
pub(crate) mod recognise;
pub(crate) mod render;
pub mod retarget;
pub(crate) mod source;
pub mod tune;
pub(crate) mod user;
pub(crate) mod yaml;

pub use digest::digest;
pub use label::label;
pub use object::Object;
pub(crate) use phase::Phases;
pub use phase::split;
pub use retarget::retarget;
pub use yaml::{text as yaml_text, to_yaml};
