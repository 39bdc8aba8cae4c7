//! The bridge, the exporter and the brokers' metrics, over HTTP.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::messages::{BrokerClient, COUNT, values};
use super::{Outcome, Trial};
use crate::download::here::{self, Content};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::manifest::component::{BRIDGE_PORT, BRIDGE_TOPIC, METRICS_PORT};

/// The bridge's media type for messages with JSON values.
const RECORDS: &str = "application/vnd.kafka.json.v2+json";
/// Time between two requests.
const PAUSE: Duration = Duration::from_millis(700);

/// The ready pods of the component.
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

/// Send a request to a pod through a separate port-forward.
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

fn unexpected_response(trial: &Trial<'_>, message: String) -> Box<Failure> {
    trial.failure(errors::COMPONENT_HTTP, Some(Failure::new(errors::COMPONENT_HTTP, Kind::Smoke, message)))
}

/// The first line of a response, shortened.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or("").chars().take(200).collect()
}

/// The bridge: messages sent over HTTP, read by kstrim's own client.
pub(super) async fn bridge(trial: &Trial<'_>) -> Result<Outcome> {
    let mut wire = BrokerClient::open(trial).await?;
    let tried = send_through_bridge(trial, &mut wire).await;
    wire.delete(&[BRIDGE_TOPIC]).await;
    tried?;
    Ok((COUNT as u64, format!("{COUNT} messages produced over HTTP were consumed")))
}

async fn send_through_bridge(trial: &Trial<'_>, wire: &mut BrokerClient<'_>) -> Result<()> {
    wire.topic(BRIDGE_TOPIC).await?;
    let from = wire.end_offsets(BRIDGE_TOPIC).await?;
    let values = values(&trial.run);
    let records: Vec<_> = values.iter().map(|v| json!({"value": v, "partition": 0})).collect();
    let body = json!({"records": records}).to_string();
    let Some(pod) = pods(trial).await.into_iter().next() else {
        return Err(unexpected_response(trial, "it has no ready pod".into()));
    };
    let path = format!("/topics/{BRIDGE_TOPIC}");
    let (status, text) = ask(trial, &pod, BRIDGE_PORT, &path, Some((RECORDS, body)))
        .await
        .map_err(|why| unexpected_response(trial, why))?;
    if status != 200 || text.contains("error_code") {
        return Err(unexpected_response(
            trial,
            format!("{pod} responds with {status} to POST {path}: {}", first_line(&text)),
        ));
    }
    wire.wait_for_values(BRIDGE_TOPIC, from, &values).await
}

/// The exporter and the brokers: their metrics include the topic of the smoke test.
pub(super) async fn metrics(trial: &Trial<'_>) -> Result<Outcome> {
    let label = format!("topic=\"{}\"", trial.topic);
    let pods = pods(trial).await;
    if pods.is_empty() {
        return Err(unexpected_response(trial, "it has no ready pod".into()));
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
                    said.push(format!("{pod} responds with {status} to GET /metrics: {}", first_line(&text)));
                }
                Err(why) => said.push(why),
            }
        }
        // They update their metrics every few seconds.
        if Instant::now() + PAUSE >= trial.deadline {
            return Err(unexpected_response(trial, said.join("; ")));
        }
        trial.fail_if_hopeless().await?;
        tokio::time::sleep(PAUSE).await;
    }
}
