//! Useful commands after a successful `up`.

use crate::cluster::session::Session;
use crate::event::Next;
use crate::kube::kafka::Listener;
use crate::manifest::component::PLAIN_PORT;
use crate::names::TopicName;

/// Bootstrap address, and the commands to produce, consume, connect and delete.
pub(crate) fn next(cx: &Session, topic: &TopicName) -> Next {
    let target = &cx.target;
    let (namespace, cluster) = (cx.namespace(), cx.cluster());
    let snapshot = cx.store.snapshot();
    let bootstrap = snapshot
        .kafka(namespace, cluster)
        .and_then(|k| {
            // A listener that requires credentials, if there is no other.
            let listener = k.plain_listener().or_else(|| k.listeners().find(Listener::advertises_pods))?;
            k.bootstrap(&listener).map(str::to_owned)
        })
        .unwrap_or_else(|| format!("{cluster}-kafka-bootstrap.{namespace}.svc:{PLAIN_PORT}"));
    let mut pods: Vec<_> =
        snapshot.pods(namespace).filter(|p| p.is_broker_of(cluster)).map(|p| p.0.name().to_owned()).collect();
    pods.sort();
    let pod = pods.into_iter().next().unwrap_or_else(|| format!("{cluster}-dual-role-0"));
    let command = |what: &str, line: String| (what.to_owned(), line);
    Next {
        bootstrap,
        commands: vec![
            command("produce (one message per line)", target.kstrim("produce").arg(topic).to_string()),
            command("consume", target.kstrim("consume").arg(topic).arg("--from-beginning").to_string()),
            command("connect from this machine", target.kstrim("connect").to_string()),
            // A port-forward would not be enough: clients connect to the addresses that brokers advertise, which are
            // valid only inside the cluster.
            command(
                "shell with Kafka's own tools",
                target
                    .kubectl("exec -it -n")
                    .arg(namespace)
                    .arg(pod)
                    .args(["-c", "kafka", "--", "bash"])
                    .to_string(),
            ),
            command("test it again", target.kstrim("smoke-test").to_string()),
            command("show the status", target.kstrim("status").to_string()),
            command("use your own kubectl", format!("eval \"$({})\"", target.kstrim("env"))),
            command("delete everything", target.kstrim("down").to_string()),
        ],
    }
}
