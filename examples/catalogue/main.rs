//! Makes `src/catalogue/releases.json`: see `docs/releases.md`.
//!
//! ```text
//! cargo run --example catalogue -- FACTS.json MANIFESTS         write it anew
//! cargo run --example catalogue -- --add FACTS.json MANIFESTS   add or replace what FACTS holds
//! ```
//!
//! MANIFESTS is a folder with a `strimzi-cluster-operator-RELEASE.yaml` for every release of
//! FACTS. The result is printed; review its diff before committing.

mod derive;

use std::path::Path;

use anyhow::{Context, Result, bail};
use kstrim::catalogue::Catalogue;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (add, facts, manifests) = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--add", facts, manifests] => (true, facts, manifests),
        [facts, manifests] => (false, facts, manifests),
        _ => bail!("usage: catalogue [--add] FACTS.json MANIFESTS"),
    };
    let facts = std::fs::read_to_string(facts).with_context(|| format!("cannot read {facts}"))?;
    let facts: derive::Facts =
        serde_json::from_str(&facts).context("the facts are not in the expected shape")?;
    let derived = derive::catalogue(&facts, |version| {
        let file = Path::new(manifests).join(format!("strimzi-cluster-operator-{version}.yaml"));
        kstrim::manifest::load::from_path(&file).map_err(|failure| anyhow::anyhow!("{failure}"))
    })?;
    let catalogue = if add { merge(kstrim::catalogue::catalogue().clone(), derived) } else { derived };
    println!("{}", serde_json::to_string_pretty(&catalogue)?);
    Ok(())
}

/// `old` with the entries of `new` added or replaced.
fn merge(mut old: Catalogue, new: Catalogue) -> Catalogue {
    old.minikube.retain(|m| new.minikube.iter().all(|n| n.version != m.version));
    old.minikube.extend(new.minikube);
    old.minikube.sort_by(|a, b| a.version.cmp(&b.version));
    old.releases.retain(|r| new.releases.iter().all(|n| n.version != r.version));
    old.releases.extend(new.releases);
    old.releases.sort_by(|a, b| a.version.cmp(&b.version));
    old
}
