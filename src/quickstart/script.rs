//! The quickstart as a shell script: `kstrim plan --script`. The same steps without kstrim, for reading, keeping and
//! comparing.

use serde_json::json;

use super::context::Context;
use super::{kafka, topic};
use crate::bundle;
use crate::catalogue::Release;
use crate::checks::Ground;
use crate::config::PULL_SECRET;
use crate::exec::quote;
use crate::failure::Result;
use crate::manifest::to_yaml;
use crate::redact;

/// The text of the script.
pub(crate) async fn script(cx: &Context) -> Result<String> {
    let (profile, namespace, cluster) = (cx.profile(), cx.namespace(), cx.cluster());
    let topic_name = cx.settings.topic.as_str();
    let start = start(cx).await;
    let manifest = manifest(cx, cx.choice.release);
    let kafka = to_yaml(&kafka::wanted(cx)?);
    let topic = to_yaml(&topic::wanted(cx));
    let archives: String = cx
        .settings
        .image_archives
        .iter()
        .map(|a| format!("minikube -p {profile} image load {}\n", quote(&a.display().to_string())))
        .chain(
            bundled(cx, bundle::Kind::Image)
                .map(|tar| format!("{tar} | minikube -p {profile} image load -\n")),
        )
        .collect();
    let images = if archives.is_empty() {
        String::new()
    } else {
        format!("\n# Images from archives instead of a registry\n{archives}")
    };
    let (login, pull) = pull_secrets(cx);
    let release = &cx.choice.release.version;
    let version = &cx.choice.kafka;
    Ok(format!(
        r#"#!/usr/bin/env bash
# Apache Kafka {version} on Kubernetes with Strimzi {release}, on minikube: the steps of `kstrim up`,
# each waited for. Written by `kstrim plan --script`. Delete it all: minikube delete -p {profile}
set -euo pipefail
k() {{ kubectl --context {profile} "$@"; }}

# A Kubernetes cluster
{start}
minikube status -p {profile}
{images}
# A namespace for Kafka
k create namespace {namespace} --dry-run=client -o yaml | k apply -f -
{login}
# The Strimzi operator and its resource definitions, for that namespace
{manifest} |
  k apply --server-side --force-conflicts -n {namespace} -f -
{pull}k wait --for=condition=Established --timeout=60s crd/kafkas.kafka.strimzi.io crd/kafkatopics.kafka.strimzi.io
k -n {namespace} wait --for=condition=Available --timeout=300s deployment/strimzi-cluster-operator

# The Kafka cluster
k apply --server-side --force-conflicts -f - <<'YAML'
{kafka}YAML
k -n {namespace} wait --for=condition=Ready --timeout=600s kafka/{cluster}

# The topic
k apply --server-side --force-conflicts -f - <<'YAML'
{topic}YAML
k -n {namespace} wait --for=condition=Ready --timeout=60s kafkatopic/{resource}

# A message there and back
pod=$(k -n {namespace} get pods -l strimzi.io/cluster={cluster},strimzi.io/name={cluster}-kafka -o name | head -n 1)
message="hello from $(date +%s)-$$"
echo "$message" | k -n {namespace} exec -i "$pod" -c kafka -- timeout 60 bin/kafka-console-producer.sh \
  --bootstrap-server {cluster}-kafka-bootstrap:9092 --topic {topic_name}
got=$(k -n {namespace} exec "$pod" -c kafka -- timeout 60 bin/kafka-console-consumer.sh \
  --bootstrap-server {cluster}-kafka-bootstrap:9092 --topic {topic_name} --from-beginning --timeout-ms 15000 2>/dev/null)
# The console consumer exits 0 without any message: only its output counts.
grep -qxF "$message" <<<"$got" || {{ echo "the message did not come back" >&2; exit 6; }}
echo "Kafka works: {cluster}-kafka-bootstrap.{namespace}.svc:9092"
"#,
        resource = cx.settings.topic.resource_name(),
    ))
}

/// The Secret of a docker login, and the options with which images are pulled with this and other Secrets.
fn pull_secrets(cx: &Context) -> (String, String) {
    let (namespace, names) = (cx.namespace(), cx.settings.pull_secret_names());
    let login = cx.settings.pull_config.as_ref().map_or_else(String::new, |file| {
        format!(
            "k -n {namespace} create secret generic {PULL_SECRET} --type=kubernetes.io/dockerconfigjson \\\n  \
             --from-file=.dockerconfigjson={} --dry-run=client -o yaml | k apply -f -\n",
            quote(&file.display().to_string())
        )
    });
    if names.is_empty() {
        return (login, String::new());
    }
    let list: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    let account = json!({"imagePullSecrets": list});
    let pod = json!({"spec": {"template": {"spec": account}}});
    let pull = format!(
        "k -n {namespace} patch serviceaccount strimzi-cluster-operator -p {}\n\
         k -n {namespace} patch deployment strimzi-cluster-operator -p {}\n\
         k -n {namespace} set env deployment/strimzi-cluster-operator STRIMZI_IMAGE_PULL_SECRETS={}\n",
        quote(&account.to_string()),
        quote(&pod.to_string()),
        names.join(",")
    );
    (login, pull)
}

/// The commands that extract the bundle's files of a kind.
fn bundled(cx: &Context, kind: bundle::Kind) -> impl Iterator<Item = String> {
    cx.settings.bundle.iter().flat_map(move |bundle| {
        let file = quote(&bundle.path.display().to_string());
        bundle.index.of(kind).map(move |entry| format!("tar -xOf {file} {}", quote(&entry.path)))
    })
}

/// The `minikube start` of `up` for a new profile: the same arguments, except for the output format and the id by
/// which kstrim recognizes its profiles. If minikube is not installed yet, it has no configuration either.
async fn start(cx: &Context) -> String {
    let ground = Ground::of(cx, &cx.settings);
    let chosen =
        ground.resolved().await.map_or_else(|_| cx.choice.kubernetes.clone(), |choice| choice.kubernetes);
    let _ = cx.machine.kubernetes.set(chosen);
    let own = cx.minikube.config().await.unwrap_or_default();
    let mut words = vec!["minikube".to_owned(), "start".into(), "-p".into(), cx.profile().to_owned()];
    words.extend(super::cluster::options_with(cx, Some(&own)).arguments());
    let shown = redact::arguments(&words);
    let note =
        if shown == words { "" } else { "# Secrets are omitted: replace each REDACTED with its secret.\n" };
    note.to_owned() + &shown.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" ")
}

/// The command that prints the install manifest for the namespace. Like Strimzi's own instructions, it replaces the
/// placeholder with sed.
fn manifest(cx: &Context, release: &Release) -> String {
    let namespace = crate::manifest::yaml_text(&cx.namespace());
    let sed = quote(&format!("s/namespace: myproject$/namespace: {}/", namespace.trim_end()));
    let mut sed = format!("sed -e {sed}");
    if let Some(registry) = &cx.settings.image_registry {
        sed.push_str(&format!(" -e 's#quay\\.io/strimzi/#{registry}/strimzi/#'"));
    }
    if let Some(tar) = bundled(cx, bundle::Kind::Manifest).next() {
        return format!("{tar} | {sed}");
    }
    match cx.settings.manifests.as_deref() {
        Some(url) if url.contains("://") => format!("curl -fsSL {} | {sed}", quote(url)),
        Some(path) if std::path::Path::new(path).is_dir() => format!("{sed} {}/*.yaml", quote(path)),
        Some(path) => format!("{sed} {}", quote(path)),
        None => format!("curl -fsSL {} | {sed}", quote(&release.url)),
    }
}
