//! Tests of the catalogue and its releases, with Strimzi's own install manifests. They are not part of this
//! repository (`strimzi.rs` says where they come from); without them, the tests that need them are shown as ignored,
//! with the reason.
//!
//! Whether the manifests exist is known only when the tests run, and libtest can ignore a test only at compile time.
//! So these tests have a harness of their own, libtest-mimic, and the list of tests is below.

// A test that is missing from the lists would be dead code.
#![deny(dead_code)]

mod added;
#[allow(dead_code, reason = "the cli tests use the rest")]
#[path = "../cli/bare.rs"]
mod bare;
mod components;
mod dry_run;
mod full_disk;
mod future;
#[path = "../cli/harness.rs"]
mod harness;
#[path = "../cli/hint_check.rs"]
mod hint_check;
#[allow(dead_code, reason = "the cli tests use the rest")]
#[path = "../cli/mirror.rs"]
mod mirror;
mod published;
mod readers;
mod releases;
#[path = "../cli/stand_ins.rs"]
mod stand_ins;
mod strimzi;
#[path = "../cli/support.rs"]
mod support;
mod table;
#[allow(dead_code, reason = "the cli tests use the rest")]
#[path = "../cli/trouble.rs"]
mod trouble;
mod user_manifests;
// Not a dev-dependency on xtask, which would have `cargo test --lib` build the library twice.
#[path = "../../xtask/src/catalogue/mod.rs"]
mod xtask;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Trial};
use strimzi::Data;

/// Tests that need only this repository.
macro_rules! plain {
    ($($test:path),* $(,)?) => {
        [$(Trial::test(stringify!($test), || { $test(); Ok(()) })),*]
    };
}

/// Tests that need Strimzi's manifests.
macro_rules! published {
    ($($test:path),* $(,)?) => {
        [$(Trial::ignorable_test(stringify!($test), || Ok(with_data(|data| { $test(data); Ok(()) })))),*]
    };
}

/// Run a test with the manifests; it returns what else it needs, if that is missing.
fn with_data(test: impl FnOnce(&'static Data) -> Result<(), String>) -> Completion {
    match strimzi::data().and_then(test) {
        Ok(()) => Completion::Completed,
        Err(why) => Completion::ignored_with(why),
    }
}

fn main() -> ExitCode {
    let mut tests = Vec::from(plain![
        added::a_new_release_is_added_and_nothing_else_changes,
        future::changes_of_fictitious_releases_are_found,
        future::a_release_that_changes_nothing_is_only_new,
        releases::the_table_of_presets_is_what_is_checked,
    ]);
    tests.extend(published![
        added::a_new_release_is_checked_as_the_others_are,
        components::every_component_has_its_image_and_its_kind_in_every_release,
        published::a_container_engine_and_kstrim_are_enough,
        published::the_published_manifest_is_applied,
        releases::every_image_of_every_release_can_be_pulled_from_another_registry,
        releases::every_install_manifest_can_be_prepared,
        releases::every_preset_fits_the_definitions_of_every_release,
        releases::the_definitions_reject_invalid_resources,
        releases::the_manifest_comes_from_the_user_the_cache_or_the_release,
        user_manifests::every_field_removed_in_v1_has_a_replacement,
        user_manifests::manifests_of_projects_fit_the_chosen_release,
        user_manifests::the_catalogue_lists_what_each_release_serves,
        user_manifests::rendered_manifests_pass_the_users_checks,
    ]);
    tests.push(Trial::ignorable_test("user_manifests::strimzis_examples_fit_their_release", || {
        Ok(with_data(user_manifests::strimzis_examples_fit_their_release))
    }));
    tests.push(Trial::ignorable_test("releases::the_catalogue_matches_its_sources", || {
        Ok(with_data(|data| {
            releases::the_catalogue_matches_its_sources(data, data.facts()?);
            Ok(())
        }))
    }));
    for (name, test) in [
        ("readers::pyyaml_reads_what_kstrim_writes", readers::pyyaml_reads_what_kstrim_writes as fn() -> _),
        ("readers::kubectl_reads_what_kstrim_writes", readers::kubectl_reads_what_kstrim_writes),
        ("readers::kstrim_reads_what_kubectl_reads", readers::kstrim_reads_what_kubectl_reads),
        (
            "full_disk::a_full_disk_is_an_error_and_leaves_no_partial_file",
            full_disk::a_full_disk_is_an_error_and_leaves_no_partial_file,
        ),
    ] {
        tests.push(Trial::ignorable_test(name, move || Ok(test())));
    }
    libtest_mimic::run(&Arguments::from_args(), tests).exit_code()
}
