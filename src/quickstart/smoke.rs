//! The smoke test: produces messages and consumes them.

use std::cell::OnceCell;
use std::time::Duration;

use async_trait::async_trait;

use super::context::Context;
use crate::cluster::access;
use crate::cluster::brokers::{run_smoke_test, summary};
use crate::engine::task::{Doneness, Task};
use crate::event::{Event, SmokeReport};
use crate::failure::Result;
use crate::kafka::smoke::Plan;

/// The task.
#[derive(Default)]
pub(crate) struct Smoke {
    passed: OnceCell<String>,
    report: OnceCell<SmokeReport>,
}

#[async_trait(?Send)]
impl Task<Context> for Smoke {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        // An earlier result is never reused: each run tests it again.
        Ok(match self.passed.get() {
            Some(what) => Doneness::Done(what.clone()),
            None => Doneness::Pending("producing and consuming messages".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let run_id = cx.journal.borrow().state.run_id.clone();
        // The topic may already be in use: messages of others are not a failure here.
        let plan = Plan {
            allow_foreign: true,
            timeout: Duration::from_secs(120),
            ..Plan::new(run_id, cx.settings.topic.as_str(), &cx.target)
        };
        if let Some(why) = access::determine(cx, cx.settings.topic.as_str()).await? {
            cx.emit.warn(format!("no message was sent and read: {why}"));
            let _ = self.passed.set("not possible with these listeners".into());
            return Ok(());
        }
        let run = run_smoke_test(cx, &plan).await;
        // Whatever the result: the user exists only for the test.
        access::release(cx, &cx.kubectl).await?;
        let run = run?;
        cx.emit.send(Event::Smoke(run.report.clone()));
        if let Some(failure) = run.failure {
            return Err(failure);
        }
        let _ = self.passed.set(summary(&run.report));
        let _ = self.report.set(run.report);
        Ok(())
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        Ok(vec![
            format!("kubectl port-forward -n {} pod/BROKER :{}", cx.namespace(), "9092"),
            format!(
                "# then produce and consume 10 messages on {}, with kstrim's own Kafka client",
                cx.settings.topic
            ),
        ])
    }
}
