//! The smoke test of the components that `--with` adds.

use std::cell::OnceCell;
use std::time::Duration;

use async_trait::async_trait;

use super::context::Context;
use crate::cluster::component_test;
use crate::engine::task::{Doneness, Task};
use crate::event::Event;
use crate::failure::Result;
use crate::names::ComponentName;

/// How long all components together may take.
const LIMIT: Duration = Duration::from_secs(120);

/// The task.
pub(crate) struct Proof {
    names: Vec<ComponentName>,
    passed: OnceCell<String>,
}

impl Proof {
    /// A task that tests these components.
    pub(crate) fn new(names: &[ComponentName]) -> Self {
        Self { names: names.to_vec(), passed: OnceCell::new() }
    }
}

#[async_trait(?Send)]
impl Task<Context> for Proof {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        Ok(match self.passed.get() {
            Some(what) => Doneness::Done(what.clone()),
            None => Doneness::Pending("testing the components".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let run_id = cx.journal.borrow().state.run_id.clone();
        let topic = &cx.settings.topic;
        let (reports, failure) =
            component_test::test_components(cx, &self.names, topic, &run_id, LIMIT).await;
        for report in &reports {
            cx.emit.send(Event::ComponentSmoke(report.clone()));
        }
        match failure {
            Some(failure) => Err(failure),
            None => {
                let _ = self.passed.set(component_test::summary(&reports));
                Ok(())
            }
        }
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        Ok(vec![format!("# then messages through each of them, in namespace {}", cx.namespace())])
    }
}
