//! kubectl's commands that access a pod: exec, port-forward. Logs have their own file.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::flags::Args;
use crate::io::{Done, End, Io};
use crate::kubectl::{Link, not_found, unreachable};
use crate::{broker, http, kinds};

/// The pod that `POD` or `pod/POD` means.
pub fn pod_of(link: &Link, cluster: &Cluster, word: &str) -> Option<Value> {
    let name = word.strip_prefix("pod/").unwrap_or(word);
    cluster.get(&format!("pods/{}/{name}", link.namespace)).cloned()
}

/// `exec`: only its failures; the tests connect to the broker through port-forward.
pub fn exec(link: &Link, io: &mut Io, args: &Args) -> Done {
    let (_world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
    let word = args.word(1);
    if pod_of(link, &cluster, word).is_none() {
        return Err(End::Error(format!("Error from server (NotFound): pods \"{word}\" not found")));
    }
    let program = args.rest.first().map_or("", String::as_str);
    if let ("ls", Some(pod)) = (program, pod_of(link, &cluster, word)) {
        let setup = setup(&cluster, &pod, "9092");
        let path = args.rest.last().map_or("", String::as_str);
        let names = match path.strip_prefix("/var/lib/kafka").map(|rest| rest.trim_matches('/')) {
            Some("") => vec!["data-0".to_owned()],
            Some(rest) if rest == format!("data-0/kafka-log{}", setup.me) => {
                broker::folders(&link.place.broker(), &setup).map_err(|e| End::Error(e.to_string()))?
            }
            _ => {
                io.err(&format!("ls: cannot access '{path}': No such file or directory"));
                return Err(End::Error("command terminated with exit code 2".into()));
            }
        };
        for name in names {
            io.line(&name)?;
        }
        return Ok(0);
    }
    Err(End::Error(format!(
        "error: Internal error occurred: Internal error occurred: error executing command in container: failed to exec in \
         container: failed to start exec: OCI runtime exec failed: exec failed: unable to start container process: exec: \
         \"{program}\": executable file not found in $PATH: unknown"
    )))
}

/// `port-forward pod/NAME [LOCAL]:REMOTE`.
pub fn port_forward(link: &Link, io: &mut Io, args: &Args) -> Done {
    let word = args.word(1).to_owned();
    let ports = Some(args.word(2)).filter(|ports| !ports.is_empty()).unwrap_or(":9092");
    let (local, remote) = ports.split_once(':').unwrap_or((ports, ports));
    let setup = {
        let (_world, cluster) = link.open().map_err(|away| unreachable(io, away, true))?;
        let Some(pod) = pod_of(link, &cluster, &word) else {
            let name = word.strip_prefix("pod/").unwrap_or(&word);
            return Err(End::Error(not_found(&kinds::builtin("pods"), name)));
        };
        let phase = text(&pod, "/status/phase").to_owned();
        let part = text(&pod, "/metadata/labels/strimzi.io~1component-type");
        let broken = cluster.scenario.http_status.iter().find(|(p, _)| p == part).map(|(_, status)| *status);
        let says = match (remote, part) {
            ("9404", _) => Some((http::Says::Metrics, broken)),
            (_, "kafka-bridge") => Some((http::Says::Bridge, broken)),
            _ => None,
        };
        let setup = (setup(&cluster, &pod, remote), says);
        cluster.save(link.place);
        if phase != "Running" {
            return Err(End::Error(format!(
                "error: unable to forward port because pod is not running. Current status={phase}"
            )));
        }
        setup
    };
    let address = format!("127.0.0.1:{}", if local.is_empty() { "0" } else { local });
    let listener = TcpListener::bind(&address).map_err(|e| {
        End::Error(format!("Unable to listen on port {local}: Listeners failed to create with the following errors: [{e}]\nerror: unable to listen on any of the requested ports: [{{{local} {remote}}}]"))
    })?;
    let port = listener.local_addr().map_err(|e| End::Error(e.to_string()))?.port();
    let place = link.place.clone();
    std::thread::spawn(move || match setup {
        (_, Some((says, broken))) => {
            http::serve(&listener, &place.broker(), &says, broken);
            Ok(())
        }
        (setup, None) => broker::serve(&listener, &place.broker(), setup),
    });
    io.line(&format!("Forwarding from 127.0.0.1:{port} -> {remote}"))?;
    crate::faults::hang(false)
}

fn listener(cluster: &Cluster, ns: &str, kafka: &str, port: u16) -> Value {
    let kafka = cluster.get(&format!("kafkas.kafka.strimzi.io/{ns}/{kafka}"));
    let all = kafka.and_then(|k| k.pointer("/spec/kafka/listeners")?.as_array());
    all.into_iter().flatten().find(|l| l["port"] == port).cloned().unwrap_or_default()
}

/// Which broker a pod is, all brokers, and the faults that the test configured.
fn setup(cluster: &Cluster, pod: &Value, port: &str) -> broker::Setup {
    let label =
        |pod: &Value, name: &str| text(pod, &format!("/metadata/labels/strimzi.io~1{name}")).to_owned();
    let (ns, kafka) = (text(pod, "/metadata/namespace"), label(pod, "cluster"));
    let id = |pod: &Value| -> i32 {
        let name = text(pod, "/metadata/name");
        name.rsplit_once('-').and_then(|(_, id)| id.parse().ok()).unwrap_or(0)
    };
    let number: u16 = port.parse().unwrap_or(9092);
    let listener = listener(cluster, ns, &kafka, number);
    let advertised = |id: i32| {
        let brokers = listener.pointer("/configuration/brokers").and_then(Value::as_array);
        brokers.into_iter().flatten().find(|b| b["broker"] == id).cloned().unwrap_or_default()
    };
    let brokers = cluster
        .each("pods", ns)
        .filter(|p| label(p, "cluster") == kafka && label(p, "broker-role") == "true")
        .map(|p| {
            let host = format!("{}.{kafka}-kafka-brokers.{ns}.svc", text(p, "/metadata/name"));
            let own = advertised(id(p));
            let or = |own: &Value, else_: Value| if own.is_null() { else_ } else { own.clone() };
            json!({"id": id(p), "host": or(&own["advertisedHost"], host.into()),
                "port": or(&own["advertisedPort"], number.into())})
        });
    let mut brokers: Vec<Value> = brokers.collect();
    brokers.sort_by_key(|b| b["id"].as_i64());
    let how = listener.pointer("/authentication/type").and_then(Value::as_str).unwrap_or("");
    let authorization = cluster
        .get(&format!("kafkas.kafka.strimzi.io/{ns}/{kafka}"))
        .map_or(Value::Null, |kafka| kafka["spec"]["kafka"]["authorization"].clone());
    let is_super =
        |user: &str| authorization["superUsers"].as_array().into_iter().flatten().any(|known| known == user);
    // ACLs of named users are not simulated: they may do anything.
    let hides = authorization["type"] == "simple" && how.is_empty() && !is_super("User:ANONYMOUS");
    let secured = json!({"tls": listener["tls"] == true, "certificates": how == "tls",
        "password": (how == "scram-sha-512").then_some("scram-password"), "hides": hides});
    let mut setup = json!({"me": id(pod), "brokers": brokers, "secured": secured});
    if !cluster.scenario.broker.is_null() {
        setup["faults"] = cluster.scenario.broker.clone();
    }
    serde_json::from_value(setup).expect("scenario.broker")
}
