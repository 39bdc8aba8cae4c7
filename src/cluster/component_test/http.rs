//! The bridge, the exporter and the brokers' metrics, over HTTP.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::messages::{COUNT, Wire, values};
use super::{Seen, Trial};
use crate::download::here::{self, Content};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::manifest::component::{BRIDGE_PORT, BRIDGE_TOPIC, METRICS_PORT};

/// What the bridge calls messages whose values are JSON.
const RECORDS: &str = "application/vnd.kafka.json.v2+json";
/// How long to wait before it is asked again.
const PAUSE: Duration = Duration::from_millis(700);

/// Ready pods of a trial's component.
async fn pods(trial: &Trial<'_>) -> Vec<String> {
    let cx = trial.cx;
    let snapshot = cx.synced(&[ObservedKind::Pod]).await;
    let mine = snapshot.pods(cx.namespace()).filter(|p| {
        p.cluster() == Some(cx.cluster())
            && p.ready()
            && p.0.label("strimzi.io/component-type") == Some(trial.component.pods)
    });
    let mut names: Vec<String> = mine.map(|p| p.0.name().to_owned()).collect();
    names.sort();
    names
}

/// Ask a pod by a port-forward of its own.
async fn ask(
    trial: &Trial<'_>,
    pod: &str,
    port: u16,
    path: &str,
    content: Option<Content>,
) -> std::result::Result<(u16, String), String> {
    let forward = trial.cx.kubectl.forward(trial.cx.namespace(), pod, port).await;
    let forward = forward.map_err(|e| format!("no port-forward to {pod}: {}", e.message))?;
    let (local, path) = (forward.port, path.to_owned());
    let asked = tokio::task::spawn_blocking(move || here::ask(local, &path, content.as_ref())).await;
    drop(forward);
    match asked {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(e)) => Err(format!("{pod} does not respond on port {port}: {e}")),
        Err(e) => Err(e.to_string()),
    }
}

fn wrong(trial: &Trial<'_>, message: String) -> Box<Failure> {
    trial.failure(errors::COMPONENT_HTTP, Some(Failure::new(errors::COMPONENT_HTTP, Kind::Smoke, message)))
}

/// The first line of an answer, cut.
fn short(text: &str) -> String {
    text.lines().next().unwrap_or("").chars().take(200).collect()
}

/// The bridge: messages sent over HTTP, read by kstrim's own client.
pub(super) async fn bridge(trial: &Trial<'_>) -> Result<Seen> {
    let mut wire = Wire::open(trial).await?;
    let tried = through(trial, &mut wire).await;
    wire.delete(&[BRIDGE_TOPIC]).await;
    tried?;
    Ok((COUNT as u64, format!("{COUNT} messages produced over HTTP were consumed")))
}

async fn through(trial: &Trial<'_>, wire: &mut Wire<'_>) -> Result<()> {
    wire.topic(BRIDGE_TOPIC).await?;
    let from = wire.where_it_ends(BRIDGE_TOPIC).await?;
    let values = values(&trial.run);
    let records: Vec<_> = values.iter().map(|v| json!({"value": v, "partition": 0})).collect();
    let body = json!({"records": records}).to_string();
    let Some(pod) = pods(trial).await.into_iter().next() else {
        return Err(wrong(trial, "it has no ready pod".into()));
    };
    let path = format!("/topics/{BRIDGE_TOPIC}");
    let (status, text) =
        ask(trial, &pod, BRIDGE_PORT, &path, Some((RECORDS, body))).await.map_err(|why| wrong(trial, why))?;
    if status != 200 || text.contains("error_code") {
        return Err(wrong(trial, format!("{pod} responds with {status} to POST {path}: {}", short(&text))));
    }
    wire.await_all(BRIDGE_TOPIC, from, &values).await
}

/// The exporter and the brokers: what they tell names the topic of the smoke test.
pub(super) async fn metrics(trial: &Trial<'_>) -> Result<Seen> {
    let label = format!("topic=\"{}\"", trial.topic);
    let pods = pods(trial).await;
    if pods.is_empty() {
        return Err(wrong(trial, "it has no ready pod".into()));
    }
    loop {
        let mut said = Vec::new();
        for pod in &pods {
            match ask(trial, pod, METRICS_PORT, "/metrics", None).await {
                Ok((200, text)) => {
                    let lines = text.lines().filter(|l| !l.starts_with('#')).count();
                    if text.lines().any(|l| !l.starts_with('#') && l.contains(&label)) {
                        return Ok((0, format!("{lines} metrics, including topic {}", trial.topic)));
                    }
                    said.push(format!("{pod} exports {lines} metrics, but none with {label}"));
                }
                Ok((status, text)) => {
                    said.push(format!("{pod} responds with {status} to GET /metrics: {}", short(&text)));
                }
                Err(why) => said.push(why),
            }
        }
        // They gather what they tell every few seconds.
        if Instant::now() + PAUSE >= trial.deadline {
            return Err(wrong(trial, said.join("; ")));
        }
        trial.vain().await?;
        tokio::time::sleep(PAUSE).await;
    }
}
