//! What `kstrim doctor` checks: this machine and what `up` would need ([`crate::checks`]), and the running cluster
//! ([`live`]).
//!
//! The checks of the machine are those of `up`'s preflight; [`crate::status`] and [`crate::explain`] find what is
//! wrong in the cluster. Here they are only run in parallel and put in order.

pub(crate) mod data;
pub(crate) mod draw;
pub(crate) mod fix;
pub(crate) mod live;

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

use std::time::Instant;

use futures_util::future::join_all;

use data::{Check, Doctor, Outcome};

use crate::checks::{self, Ground, Group};
use crate::failure::Result;
use crate::status::look::Looker;

/// Check everything, and determine what could be fixed. `looker` is the reason why a program is missing.
pub(crate) async fn examine(ground: &Ground, looker: &Result<Looker>) -> (Doctor, Vec<fix::Planned>) {
    let began = Instant::now();
    let of_cluster = |c: &&checks::Check| c.group == Group::Profile;
    let of_machine =
        join_all(checks::TABLE.iter().filter(|c| !of_cluster(c)).map(|c| timed(ground, c, began)));
    let of_profile = async {
        let live = live::Live::look(ground, looker, began).await;
        let (profile, cluster) = tokio::join!(
            join_all(checks::TABLE.iter().filter(of_cluster).map(|c| timed(ground, c, began))),
            live.checks(began)
        );
        (profile, cluster, live)
    };
    let (mut all, (profile, cluster, live)) = tokio::join!(of_machine, of_profile);
    all.extend(profile);
    all.extend(cluster);
    let fixes = fix::plan(ground, &live, &all).await;
    for fix in &fixes {
        all.iter_mut().filter(|c| c.id == fix.check).for_each(|c| c.fix = Some(fix.what.clone()));
    }
    (Doctor::new(ground.profile_name(), all, ms(began)), fixes)
}

fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

async fn timed(ground: &Ground, check: &checks::Check, began: Instant) -> Check {
    // With --context neither minikube nor its machine matters.
    let of_minikube = !matches!(check.group, Group::Disk | Group::Network | Group::Profile)
        && check.id != "tools.kubectl"
        || matches!(check.id, "network.subnet" | "network.minikube" | "disk.minikube" | "profile.state");
    let verdict = match &ground.settings.target.context {
        Some(_) if of_minikube => checks::Verdict::Skip("there is no minikube with --context".into()),
        _ => (check.run)(ground).await,
    };
    entry(check.id, check.group, check.title, verdict.into(), began)
}

fn entry(id: &str, group: Group, title: &str, outcome: Outcome, began: Instant) -> Check {
    let Outcome { word, found, problem } = outcome;
    Check {
        id: id.into(),
        group,
        title: title.into(),
        verdict: word,
        found,
        problem,
        ms: ms(began),
        fix: None,
    }
}
