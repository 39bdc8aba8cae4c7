//! What the command does, from its arguments to the text it prints.

use std::path::Path;

use anyhow::{Context, Result, bail};
use kstrim::catalogue::Catalogue;

use crate::derive;

/// `[--add] FACTS.json MANIFESTS`: the catalogue made of them, or `before` with what they hold added or
/// replaced.
pub fn run(args: &[&str], before: &Catalogue) -> Result<Catalogue> {
    let (add, facts, manifests) = match *args {
        ["--add", facts, manifests] => (true, facts, manifests),
        [facts, manifests] => (false, facts, manifests),
        _ => bail!("usage: catalogue [--add] FACTS.json MANIFESTS, or catalogue next FOLDER"),
    };
    let facts = std::fs::read_to_string(facts).with_context(|| format!("cannot read {facts}"))?;
    let facts: derive::Facts =
        serde_json::from_str(&facts).context("the facts are not in the expected shape")?;
    let derived = derive::catalogue(&facts, |version| {
        let file = Path::new(manifests).join(format!("strimzi-cluster-operator-{version}.yaml"));
        kstrim::manifest::load::from_path(&file).map_err(|failure| {
            let causes = failure.causes.iter().map(|cause| format!(": {cause}"));
            anyhow::anyhow!("{failure}{}", causes.collect::<String>())
        })
    })?;
    Ok(if add { merge(before.clone(), derived) } else { derived })
}

/// `old` with the entries of `new` added or replaced.
fn merge(mut old: Catalogue, new: Catalogue) -> Catalogue {
    old.as_of = old.as_of.max(new.as_of);
    old.minikube.retain(|m| new.minikube.iter().all(|n| n.version != m.version));
    old.minikube.extend(new.minikube);
    old.minikube.sort_by(|a, b| a.version.cmp(&b.version));
    old.releases.retain(|r| new.releases.iter().all(|n| n.version != r.version));
    old.releases.extend(new.releases);
    old.releases.sort_by(|a, b| a.version.cmp(&b.version));
    old
}
