//! The manifests of `up -f`: what users keep in files of their own.

#![allow(dead_code, reason = "the commands that use it follow")]

mod choose;
mod document;
mod ids;
mod kustomize;
mod parse;
mod problem;
mod read;
mod replaced;
mod schema;
#[cfg(test)]
mod test_support;
