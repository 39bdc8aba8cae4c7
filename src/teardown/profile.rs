//! The minikube profile and everything in it.

use async_trait::async_trait;

use super::moment;
use crate::context::Cx;
use crate::engine::task::{Doneness, Spec, Task};
use crate::explain;
use crate::failure::Result;
use crate::tool::minikube_output::{Listed, StartEvent, State, start_event};

/// The task.
pub struct Profile;

#[async_trait(?Send)]
impl Task<Cx> for Profile {
    fn spec(&self) -> Spec {
        super::spec("profile", "minikube profile", &[], 5)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        Ok(match cx.minikube.listed().await? {
            Listed::Absent => Doneness::Done(format!("profile {} is gone", cx.profile())),
            Listed::Broken | Listed::Valid(_) => {
                Doneness::Pending(format!("profile {} is there", cx.profile()))
            }
        })
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        // With the engine out of reach `minikube delete` exits 0, says that all traces are removed
        // and leaves the container running (recording 28): so the engine is asked first.
        if let State::EngineDown(words) = cx.minikube.status().await? {
            return Err(Box::new(explain::minikube::engine_down(&words, cx.profile())));
        }
        let output = cx.minikube.delete().await?;
        if output.exit.success() {
            return Ok(());
        }
        let errors: Vec<_> = output
            .text()
            .lines()
            .filter_map(start_event)
            .filter_map(|e| match e {
                StartEvent::Error(error) => Some(error),
                _ => None,
            })
            .collect();
        let named: Vec<_> =
            errors.iter().map(|e| explain::minikube::Error { name: &e.name, message: &e.message }).collect();
        Err(Box::new(explain::minikube::explain(&named, output.exit, &output.stderr, cx.profile())))
    }

    async fn changed(&self, _: &Cx) {
        moment().await;
    }
}
