//! Makes `src/catalogue/releases.json` (docs/releases.md). `tests/supply` includes this module and tests it.

pub mod derive;
pub mod next;
pub mod schema;

use std::path::Path;

use anyhow::{Context, Result};
use kstrim::internals::catalogue::Catalogue;

/// The catalogue of the releases in `facts`, with their install manifests in the folder `manifests`.
pub fn from_files(facts: &Path, manifests: &Path) -> Result<Catalogue> {
    let text = std::fs::read_to_string(facts).with_context(|| format!("cannot read {}", facts.display()))?;
    let facts: derive::Facts =
        serde_json::from_str(&text).context("the facts are not in the expected shape")?;
    derive::catalogue(&facts, |version| {
        let file = manifests.join(format!("strimzi-cluster-operator-{version}.yaml"));
        kstrim::internals::manifest::load::from_path(&file).map_err(|failure| {
            let causes = failure.causes.iter().map(|cause| format!(": {cause}"));
            anyhow::anyhow!("{failure}{}", causes.collect::<String>())
        })
    })
}

/// `old` with the entries of `new` added or replaced.
pub fn merge(mut old: Catalogue, new: Catalogue) -> Catalogue {
    old.as_of = old.as_of.max(new.as_of);
    old.minikube.retain(|m| new.minikube.iter().all(|n| n.version != m.version));
    old.minikube.extend(new.minikube);
    old.minikube.sort_by(|a, b| a.version.cmp(&b.version));
    old.releases.retain(|r| new.releases.iter().all(|n| n.version != r.version));
    old.releases.extend(new.releases);
    old.releases.sort_by(|a, b| a.version.cmp(&b.version));
    old
}

/// The content of `src/catalogue/releases.json`.
pub fn text(catalogue: &Catalogue) -> Result<String> {
    Ok(serde_json::to_string_pretty(catalogue)? + "\n")
}
