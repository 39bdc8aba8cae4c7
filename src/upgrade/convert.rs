//! Stores all of Strimzi's resources as `v1`, like Strimzi's own tool (`v1-api-conversion.sh crd-upgrade`; Strimzi's
//! proposal 117): the CRDs store `v1` from now on, every resource is written once, and the CRDs' status then lists no
//! older version.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::cluster::definitions;
use crate::cluster::installation;
use crate::engine::task::{Doneness, Task};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::manifest::Object;
use crate::quickstart::context::Context;
use crate::quickstart::sources;

/// The version that remains.
const V1: &str = "v1";
/// Number of resources per command.
const MANY: usize = 200;

/// The task.
pub(crate) struct Convert;

impl Convert {
    /// The release's CRDs, with `v1` as the storage version.
    async fn definitions(&self, cx: &Context) -> Result<Vec<Object>> {
        let install = sources::install(cx).await?;
        let mut all = install.phases.crds.clone();
        for definition in &mut all {
            let versions = definition.get_mut("/spec/versions").and_then(Value::as_array_mut);
            for version in versions.into_iter().flatten() {
                version["storage"] = (version["name"] == V1).into();
            }
        }
        Ok(all)
    }
}

#[async_trait(?Send)]
impl Task<Context> for Convert {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let wanted = self.definitions(cx).await?;
        let live = definitions::list(cx).await?;
        let open = wanted
            .iter()
            .filter(|w| !live.iter().any(|c| installation::name(c) == w.name() && stored(c)))
            .count();
        Ok(match open {
            0 => Doneness::Done(format!("{} definitions store only v1", wanted.len())),
            _ => Doneness::Pending(format!(
                "{open} of {} definitions may have stored older versions",
                wanted.len()
            )),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let definitions = self.definitions(cx).await?;
        let all = list(cx, &definitions).await?;
        let failed = |doing: &'static str| move |e| cx.api_failure(doing, &e);
        // Pod sets are managed by the operator; other resources would lose fields that v1 does not have.
        let kept: Vec<String> = all.iter().filter(|(.., own)| *own).map(bare).collect();
        for some in kept.chunks(MANY) {
            cx.kubectl.would_apply(&some.concat(), true).await.map_err(|e| refused(&e.to_string()))?;
        }
        cx.apply(&definitions, true).await.map_err(failed("make the definitions store v1"))?;
        // Listed again: objects created before the CRDs stored v1 are stored in the older version.
        let named: Vec<String> = list(cx, &definitions).await?.iter().map(name).collect();
        for (at, some) in named.chunks(MANY).enumerate() {
            let done = (at * MANY) as u64;
            cx.emit.progress(
                "storing everything as v1",
                Some((done, named.len() as u64, crate::event::Unit::Items)),
            );
            cx.kubectl.touch(&some.concat()).await.map_err(failed("store a resource as v1"))?;
        }
        for definition in &definitions {
            let patch = json!({"status": {"storedVersions": [V1]}});
            let patched =
                cx.kubectl.patch_status("customresourcedefinitions", definition.name(), &patch).await;
            patched.map_err(failed("record that only v1 is stored"))?;
        }
        Ok(())
    }
}

/// Every resource of these CRDs, in the whole cluster.
async fn list(cx: &Context, definitions: &[Object]) -> Result<Vec<Item>> {
    let mut all = Vec::new();
    for definition in definitions {
        let text = |at: &str| definition.get(at).and_then(Value::as_str).unwrap_or_default();
        let path = format!("/apis/{}/{V1}/{}", text("/spec/group"), text("/spec/names/plural"));
        let own = text("/spec/names/kind") != "StrimziPodSet";
        for item in cx.list(&path, "list Strimzi's resources").await? {
            all.push((item, text("/spec/group").to_owned(), text("/spec/names/kind").to_owned(), own));
        }
    }
    Ok(all)
}

/// Whether a live CRD stores `v1`, and lists no other stored version.
fn stored(definition: &Value) -> bool {
    let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
    let storage = versions.into_iter().flatten().find(|v| v["storage"] == true);
    storage.is_some_and(|v| v["name"] == V1)
        && definition.pointer("/status/storedVersions") == Some(&json!([V1]))
}

type Item = (Value, String, String, bool);

/// A resource as `v1`, without the API server's metadata.
fn bare((item, group, kind, _): &Item) -> String {
    let mut metadata = item["metadata"].clone();
    if let Some(map) = metadata.as_object_mut() {
        map.retain(|key, _| ["name", "namespace", "labels", "annotations"].contains(&key.as_str()));
    }
    let mut object = json!({"apiVersion": format!("{group}/{V1}"), "kind": kind, "metadata": metadata});
    if let Some(spec) = item.get("spec") {
        object["spec"] = spec.clone();
    }
    format!("---\n{object}\n")
}

/// Only the name of a resource.
fn name((item, group, kind, _): &Item) -> String {
    let metadata = json!({"name": item["metadata"]["name"], "namespace": item["metadata"]["namespace"]});
    format!("---\n{}\n", json!({"apiVersion": format!("{group}/{V1}"), "kind": kind, "metadata": metadata}))
}

fn refused(why: &str) -> Box<Failure> {
    Box::new(
        Failure::new(errors::UPGRADE_CONVERSION, Kind::Prerequisite, "a Strimzi resource has fields that kafka.strimzi.io/v1 \
                                                   does not have")
            .because(why)
            .hint("nothing was changed in this step; for the changes that v1 requires, see \
                   https://strimzi.io/docs/operators/1.0.0/deploying.html#assembly-api-conversion-str")
            .hint("convert it with Strimzi's own tool: bin/v1-api-conversion.sh convert-resource, then run the same command again"),
    )
}
