//! The text output, at a width of 80 columns.

use super::data::{Check, Doctor, Outcome};
use super::*;
use crate::command_line::CommandLine;
use crate::failure::{Failure, Kind};
use crate::terminal::style::Look;

fn check(id: &str, group: Group, outcome: Outcome, ms: u64, fix: Option<&str>) -> Check {
    let Outcome { word, found, problem } = outcome;
    let title = id.to_owned();
    Check { id: id.into(), group, title, verdict: word, found, problem, ms, fix: fix.map(str::to_owned) }
}

fn doctor() -> Doctor {
    let down = Failure::new(
        crate::errors::ENGINE_DOWN,
        Kind::Prerequisite,
        "Docker is installed but not running",
    )
    .because(
        "docker says: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?",
    )
    .hint("start it: sudo systemctl start docker (Linux), or start Docker Desktop");
    let stopped = Failure::new(crate::errors::PROFILE_STOPPED, Kind::Task, "the profile kstrim is stopped")
        .hint(format!("continue: {}", CommandLine::new("kstrim up")));
    let checks = vec![
        check("machine.memory", Group::Machine, Outcome::ok("23.5 GiB, 4.0 GiB for the cluster"), 0, None),
        check("engine.driver", Group::Engine, Outcome::ok("docker, minikube's choice"), 2, None),
        check("engine.answers", Group::Engine, Outcome::failed(&down), 140, None),
        check("engine.size", Group::Engine, Outcome::skipped("no container engine responds"), 140, None),
        check(
            "profile.state",
            Group::Profile,
            Outcome::warning(&stopped),
            210,
            Some("start the profile kstrim"),
        ),
        check("cluster.api", Group::Cluster, Outcome::skipped("there is no running cluster"), 215, None),
    ];
    Doctor::new("kstrim", checks, 216)
}

#[test]
fn the_list_at_80_columns() {
    let unicode = Look { color: false, unicode: true };
    let text = draw::text(&doctor(), unicode, Some(80), false, &CommandLine::new("kstrim doctor"));
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    insta::assert_snapshot!("list_80", text);
}

#[test]
fn the_ascii_list_has_the_same_words_and_can_include_everything() {
    let text = draw::text(&doctor(), Look::ASCII, Some(80), true, &CommandLine::new("kstrim doctor"));
    assert!(text.is_ascii(), "{text}");
    for word in ["ok", "warning", "failed", "skipped", "[KS-ENGINE-DOWN]", "hint:", "fix:"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    insta::assert_snapshot!("list_ascii_all", text);
}

#[test]
fn colours_do_not_change_the_text() {
    let plain = draw::text(
        &doctor(),
        Look { color: false, unicode: true },
        Some(80),
        false,
        &CommandLine::new("kstrim doctor"),
    );
    let coloured = draw::text(
        &doctor(),
        Look { color: true, unicode: true },
        Some(80),
        false,
        &CommandLine::new("kstrim doctor"),
    );
    assert_ne!(plain, coloured);
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
}
