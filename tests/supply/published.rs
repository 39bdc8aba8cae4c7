//! The built program, with Strimzi's own newest manifest.

use std::fs;

use kstrim::internals::catalogue;

use crate::bare;
use crate::harness::Test;
use crate::strimzi::Data;
use crate::support::{PROFILE, events};

/// `up` downloads the release's asset and checks its pinned digest.
pub fn a_container_engine_and_kstrim_are_enough(data: &Data) {
    let newest = &catalogue::releases().last().unwrap().version;
    bare::a_container_engine_and_kstrim_are_enough(Some(&fs::read(data.file(newest)).unwrap()));
}

/// A manifest passed with `--manifests` is recognized by its digest, and everything in it is applied.
pub fn the_published_manifest_is_applied(data: &Data) {
    let newest = &catalogue::releases().last().unwrap().version;
    let mut test = Test::new();
    let manifest = test.write("published.yaml", fs::read(data.file(newest)).unwrap());
    let lines = events(&mut test, ["up", "--manifests", manifest.to_str().unwrap()], 0);
    let warnings: Vec<_> = lines.iter().filter(|l| l["type"] == "warning").collect();
    assert!(warnings.is_empty(), "{warnings:?}");
    let live = test.objects(PROFILE);
    let crds = live.as_object().expect("objects").keys().filter(|k| k.starts_with("customresourcedef"));
    assert_eq!(crds.count(), 10);
}
