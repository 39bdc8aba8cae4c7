//! The operator's and the broker's image in the cluster, before anybody waits for them.
//!
//! Archives are loaded as soon as the node runs, while the control plane still boots. Without
//! archives images are pulled ahead; when that fails the kubelet tries by itself, so it is a
//! warning here and an error there.

use std::cell::Cell;
use std::path::Path;

use async_trait::async_trait;

use crate::context::{Cx, Machine};
use crate::engine::task::{Doneness, Spec, Task};
use crate::event::Unit;
use crate::failure::{Failure, Id, Kind, Result};
use crate::observe::Kind as ObservedKind;

/// An image archive could not be loaded.
pub const LOAD: Id = Id("KS-IMAGE-ARCHIVE");

/// The task.
#[derive(Default)]
pub struct Images {
    done: Cell<bool>,
}

#[async_trait(?Send)]
impl Task<Cx> for Images {
    fn spec(&self) -> Spec {
        super::spec("images", "Images", &["preflight"], 40)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        let wanted = wanted(cx);
        if self.done.get() {
            return Ok(Doneness::Done(format!("{} images are in the cluster", wanted.len())));
        }
        if *cx.machine.borrow() < Machine::Api {
            return Ok(Doneness::Pending("waiting for the node".into()));
        }
        let snapshot = cx.synced(&[ObservedKind::Node]).await;
        let missing: Vec<String> = wanted
            .iter()
            .filter(|image| !snapshot.nodes().any(|n| n.images().any(|i| i == *image)))
            .cloned()
            .collect();
        Ok(if missing.is_empty() {
            Doneness::Done(format!("{} images are in the cluster", wanted.len()))
        } else {
            Doneness::Pending(format!("missing: {}", missing.join(", ")))
        })
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        let archives = &cx.settings.image_archives;
        if archives.is_empty() {
            cx.machine_reaches(Machine::Api).await;
            pull(cx).await;
        } else {
            cx.machine_reaches(Machine::Up).await;
            load(cx).await?;
        }
        self.done.set(true);
        Ok(())
    }

    async fn describe(&self, cx: &Cx) -> Result<Vec<String>> {
        let archives = &cx.settings.image_archives;
        Ok(if archives.is_empty() {
            wanted(cx).iter().map(|i| cx.minikube.image_pull_cmd(i).to_string()).collect()
        } else {
            archives.iter().map(|a| cx.minikube.image_load_cmd(a).to_string()).collect()
        })
    }
}

/// The images that the quickstart runs.
fn wanted(cx: &Cx) -> Vec<String> {
    vec![cx.choice.operator_image.clone(), cx.choice.kafka_image.clone()]
}

async fn load(cx: &Cx) -> Result<()> {
    let archives = &cx.settings.image_archives;
    for (done, archive) in archives.iter().enumerate() {
        let name = archive.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let of = (done as u64, archives.len() as u64, Unit::Items);
        cx.progress("images", format!("loading {name}"), Some(of));
        load_one(cx, archive).await?;
    }
    Ok(())
}

/// minikube exits 0 for an archive it cannot use and says so on stderr only (recording 21).
async fn load_one(cx: &Cx, archive: &Path) -> Result<()> {
    let cmd = cx.minikube.image_load_cmd(archive);
    let output = cx.minikube.run_cmd(&cmd).await?;
    let complaint = output.stderr.lines().map(str::trim).find(|l| {
        l.starts_with("X ")
            || l.starts_with("! ")
            || l.contains("unable to add it")
            || l.contains("Failed to load")
    });
    if output.exit.success() && complaint.is_none() {
        return Ok(());
    }
    Err(Box::new(
        Failure::new(
            LOAD,
            Kind::Task,
            format!("the image archive {} could not be loaded", archive.display()),
        )
        .because(complaint.unwrap_or_else(|| output.last_stderr_line()))
        .hint("see that it is an image archive as `docker save -o FILE IMAGE` writes it")
        .hint(format!("try it by hand: {cmd}")),
    ))
}

async fn pull(cx: &Cx) {
    let images = wanted(cx);
    cx.progress("images", format!("pulling {}", images.join(", ")), None);
    let (operator, kafka) = tokio::join!(pull_one(cx, &images[0]), pull_one(cx, &images[1]));
    for (image, problem) in images.iter().zip([operator, kafka]) {
        if let Some(problem) = problem {
            let message = format!("{image} could not be pulled ahead; the kubelet will try again: {problem}");
            cx.emit.warn(Some("images"), message);
        }
    }
}

/// Why an image could not be pulled, if it could not.
async fn pull_one(cx: &Cx, image: &str) -> Option<String> {
    match cx.minikube.run_cmd(&cx.minikube.image_pull_cmd(image)).await {
        Err(failure) => Some(failure.message),
        Ok(output) => {
            let complaint = output.last_stderr_line();
            (!output.exit.success() || complaint.starts_with("X ") || complaint.starts_with("! "))
                .then(|| complaint.to_owned())
        }
    }
}
