//! The manifests of `up -f`: what users keep in files of their own.

#![allow(dead_code, reason = "the commands that use it follow")]

mod choose;
mod document;
mod fit;
mod ids;
mod kustomize;
mod named;
mod order;
mod parse;
mod problem;
mod read;
mod references;
mod replaced;
mod schema;
mod scope;
#[cfg(test)]
mod test_support;
