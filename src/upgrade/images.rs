//! Loads the images of every step into the cluster before anything is changed: from archives and bundles, for a
//! cluster without a registry.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;

use async_trait::async_trait;

use crate::bundle::Bundle;
use crate::engine::task::{Doneness, Task};
use crate::failure::Result;
use crate::kube::Kind;
use crate::names::ImageName;
use crate::quickstart::context::Context;
use crate::quickstart::{images, sources, unbundle};

/// Where images come from.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Image archives, in the format of `docker save`.
    pub archives: Vec<PathBuf>,
    /// Bundles, each for one release.
    pub bundles: Vec<Bundle>,
}

impl Given {
    /// Whether nothing was specified: the kubelet pulls.
    pub(crate) fn is_empty(&self) -> bool {
        self.archives.is_empty() && self.bundles.is_empty()
    }
}

/// The contexts of the steps, each with a release and a Kafka.
pub(crate) type Contexts = Rc<RefCell<Vec<Rc<Context>>>>;

/// The task.
pub(crate) struct Images {
    given: Rc<Given>,
    steps: Contexts,
    loaded: Cell<bool>,
}

impl Images {
    /// The specified images, for the steps with these contexts.
    pub(crate) fn new(given: Rc<Given>, steps: Contexts) -> Self {
        Self { given, steps, loaded: Cell::new(false) }
    }

    /// The images of all steps, each once.
    async fn required_images(&self) -> Result<Vec<ImageName>> {
        let steps: Vec<Rc<Context>> = self.steps.borrow().clone();
        let mut all: Vec<ImageName> = Vec::new();
        for cx in steps {
            for image in &sources::install(&cx).await?.images {
                if !all.contains(image) {
                    all.push(image.clone());
                }
            }
        }
        Ok(all)
    }

    /// Whether the only node has all of them already. minikube's list combines all nodes.
    async fn all_there(&self, cx: &Context, wanted: &[ImageName]) -> bool {
        let nodes = cx.synced(&[Kind::Node]).await.nodes().count();
        nodes == 1 && images::missing_of(cx, wanted).await.is_some_and(|missing| missing.is_empty())
    }
}

#[async_trait(?Send)]
impl Task<Context> for Images {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let wanted = self.required_images().await?;
        Ok(if self.loaded.get() || self.all_there(cx, &wanted).await {
            Doneness::Done(format!("{} images are needed", wanted.len()))
        } else {
            Doneness::Pending("image archives must be loaded".into())
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let mut archives = Vec::new();
        for bundle in &self.given.bundles {
            archives.extend(unbundle::archives(cx, bundle).await?);
        }
        archives.extend(self.given.archives.iter().map(|a| (images::name(a), a.clone())));
        images::load(cx, &archives).await?;
        let lacking = images::missing_of(cx, &self.required_images().await?).await.unwrap_or_default();
        if !lacking.is_empty() {
            let lacking = lacking.join(", ");
            let message = format!("no image archive contains {lacking}; the kubelet will try to pull it");
            cx.emit.warn(message);
        }
        self.loaded.set(true);
        Ok(())
    }
}
