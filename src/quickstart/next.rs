//! What a person needs after a successful `up`.

use super::refused::target_flags;
use crate::context::Cx;
use crate::event::Next;

/// Bootstrap address, how to produce, consume and reach it, how to end it.
pub fn next(cx: &Cx) -> Next {
    let flags = target_flags(&cx.settings.target);
    let (namespace, cluster, topic) = (cx.namespace(), cx.cluster(), &cx.settings.topic);
    let snapshot = cx.store.snapshot();
    let bootstrap = snapshot
        .kafka(namespace, cluster)
        .and_then(|k| k.listeners().iter().find(|l| l.name == "plain").map(|l| l.bootstrap.to_owned()))
        .unwrap_or_else(|| format!("{cluster}-kafka-bootstrap.{namespace}.svc:9092"));
    let mut pods: Vec<_> = snapshot
        .pods(namespace)
        .filter(|p| p.is_kafka_node_of(cluster))
        .map(|p| p.0.name().to_owned())
        .collect();
    pods.sort();
    let pod = pods.into_iter().next().unwrap_or_else(|| format!("{cluster}-dual-role-0"));
    let tool = |name: &str, more: &str, input: &str| {
        format!(
            "kstrim kubectl{flags} -- exec {input} -n {namespace} {pod} -c kafka -- bin/{name} --bootstrap-server {cluster}-kafka-bootstrap:9092 --topic {topic}{more}"
        )
    };
    let command = |what: &str, line: String| (what.to_owned(), line);
    Next {
        bootstrap,
        commands: vec![
            command("produce (a line is a message)", tool("kafka-console-producer.sh", "", "-it")),
            command("consume", tool("kafka-console-consumer.sh", " --from-beginning", "-it")),
            command(
                "reach it from this machine",
                format!(
                    "kstrim kubectl{flags} -- port-forward -n {namespace} service/{cluster}-kafka-bootstrap 9092"
                ),
            ),
            command("test it again", format!("kstrim smoke-test{flags}")),
            command("look", format!("kstrim status{flags}")),
            command("use your own kubectl", format!("eval \"$(kstrim env{flags})\"")),
            command("delete it all", format!("kstrim down{flags}")),
        ],
    }
}
