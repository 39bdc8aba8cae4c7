//! `kstrim upgrade`

use std::process::ExitCode;

use super::living::{self, Living};
use crate::catalogue::{self, Partial, Release};
use crate::cli::{Global, OutputMode, Upgrade};
use crate::failure::Result;
use crate::upgrade::path::{self, Stop};
use crate::upgrade::state::{self, Found};
use crate::upgrade::told;

/// Go to a later release, or show the way.
///
/// # Errors
/// What is wrong with the command line, and with --dry-run that there is no way.
pub async fn run(global: &Global, args: &Upgrade) -> Result<ExitCode> {
    let asked =
        Partial { release: Some(args.release.clone()), kafka: args.kafka.clone(), ..Partial::default() };
    let target = catalogue::resolve(&asked)?.release;
    living::reading(global, &args.topic, async |living| {
        let (found, way) = plan(&living, args, target).await?;
        let told = told::tell(&living.cx.settings.target, &found, &way);
        super::print(&if args.output == OutputMode::Json { super::json(&told) } else { told::text(&told) });
        Ok(ExitCode::SUCCESS)
    })
    .await
}

async fn plan(living: &Living, args: &Upgrade, target: &'static Release) -> Result<(Found, Vec<Stop>)> {
    let pools = living.list("kafkanodepools").await?;
    let cluster = living.cx.cluster();
    let mine = |p: &serde_json::Value| {
        p.pointer("/metadata/labels/strimzi.io~1cluster").and_then(serde_json::Value::as_str) == Some(cluster)
    };
    let pools: Vec<_> = pools.into_iter().filter(mine).collect();
    let found = state::look(&living.cx, &living.kafka, &pools).await?;
    let way = path::plan(&found.state, target, args.kafka.as_ref())?;
    state::alone(&living.cx, &found, &target.version).await?;
    Ok((found, way))
}
