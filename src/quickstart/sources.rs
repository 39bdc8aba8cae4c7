//! The install manifest of the run: fetched once, retargeted, tuned, labelled.

use std::rc::Rc;

use crate::context::{Cx, Install};
use crate::failure::Result;
use crate::manifest::{self, source, tune};
use crate::quickstart::operator::DEPLOYMENT;

/// Begin to fetch it, so that it is there when the first task needs it. A failure is kept for
/// that task.
pub fn prefetch(cx: &Cx) {
    cx.fetching.borrow_mut().get_or_insert_with(|| {
        let request = request(cx);
        let emit = cx.emit.clone();
        tokio::task::spawn_local(async move {
            let loaded = tokio::task::spawn_blocking(move || source::load(&request)).await;
            let loaded = loaded.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()));
            if let Ok(loaded) = &loaded {
                for warning in &loaded.warnings {
                    emit.warn(Some("crds"), warning.clone());
                }
            }
            loaded
        })
    });
}

/// The install manifest; waits for the fetch.
///
/// # Errors
/// `KS-MANIFEST-*` and `KS-DOWNLOAD-*`.
pub async fn install(cx: &Cx) -> Result<Rc<Install>> {
    cx.install
        .get_or_try_init(|| async {
            prefetch(cx);
            let handle = cx.fetching.borrow_mut().take();
            let loaded = match handle {
                Some(handle) => handle.await.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))?,
                None => unreachable!("prefetch has just begun it"),
            };
            prepare(cx, loaded).map(Rc::new)
        })
        .await
        .cloned()
}

fn request(cx: &Cx) -> source::Request {
    source::Request {
        release: cx.choice.release,
        given: cx.settings.manifests.clone(),
        mirror: cx.settings.mirror.clone(),
        cache: crate::paths::cache_dir(),
    }
}

fn prepare(cx: &Cx, loaded: source::Loaded) -> Result<Install> {
    let mut objects = loaded.objects;
    manifest::retarget(&mut objects, cx.namespace())?;
    let mut tuned = Vec::new();
    for object in objects.iter_mut().filter(|o| o.kind() == "Deployment" && o.name() == DEPLOYMENT) {
        if !cx.settings.stock {
            tuned.extend(tune::operator(object));
        }
        manifest::render::operator_gates(object, cx.choice.release, super::kafka::preset(cx.settings.preset));
    }
    // The digest is over what is applied, so that other settings are seen as a change.
    let digest = manifest::digest(&objects);
    manifest::label(&mut objects, &digest, &cx.choice.release.version.to_string());
    Ok(Install { phases: manifest::split(objects), digest, origin: loaded.origin, tuned })
}
