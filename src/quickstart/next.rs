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
    let mut pods: Vec<_> =
        snapshot.pods(namespace).filter(|p| p.is_broker_of(cluster)).map(|p| p.0.name().to_owned()).collect();
    pods.sort();
    let pod = pods.into_iter().next().unwrap_or_else(|| format!("{cluster}-dual-role-0"));
    let command = |what: &str, line: String| (what.to_owned(), line);
    Next {
        bootstrap,
        commands: vec![
            command("produce (a line is a message)", format!("kstrim produce {topic}{flags}")),
            command("consume", format!("kstrim consume {topic} --from-beginning{flags}")),
            command("programs on this machine", format!("kstrim connect{flags}")),
            // A port-forward would not do: clients go on to the addresses that brokers announce, which
            // are those inside the cluster.
            command(
                "a shell with Kafka's own tools",
                format!("kstrim kubectl{flags} -- exec -it -n {namespace} {pod} -c kafka -- bash"),
            ),
            command("test it again", format!("kstrim smoke-test{flags}")),
            command("look", format!("kstrim status{flags}")),
            command("use your own kubectl", format!("eval \"$(kstrim env{flags})\"")),
            command("delete it all", format!("kstrim down{flags}")),
        ],
    }
}
