//! `kstrim connect`: access to the cluster for programs on this machine. Brokers advertise a loopback address on a
//! separate listener, each with a different port, and a port-forward listens on each of these ports. Because every
//! broker is reached at its advertised address, clients of any kind work with any minikube driver.

mod document;
pub(super) mod forwards;
#[cfg(test)]
mod schema_tests;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::pin::pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use self::document::{Broker, Checked, Connected};
use self::forwards::Forwards;
use super::living::{self, Living};
use super::login;
use super::user;
use super::{change, consent, listeners};
use crate::cli::{Connect, Global, Way};
use crate::cluster::listener::{self, HOST};
use crate::config::Target;
use crate::errors;
use crate::event;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::client::{BrokerAddr, Client, Direct, Options};
use crate::kafka::smoke::{self, Plan};
use crate::kafka::{KafkaError, Security};
use crate::kube::kafka::Kafka;
use crate::manifest::user::Authentication;
use crate::names::UserName;

/// The time limit of the check.
const CHECK: Duration = Duration::from_secs(60);

/// Open the port-forwards and keep them open, or remove the listeners.
///
/// # Errors
/// [`errors::CONNECT_PORT`], [`errors::CONNECT_LISTENER`], [`errors::CONNECT_LATE`], `KS-CONSENT`,
/// `KS-KAFKA-FOREIGN`, `KS-KAFKA-CHANGE-LATE`, those of users and of the smoke test, and those of the connection to
/// the cluster.
pub(crate) async fn run(global: &Global, args: &Connect) -> Result<ExitCode> {
    let mut stop = pin!(super::status::stopped());
    let said = std::cell::Cell::new(false);
    let work = async {
        let living = living::talking(global).await?;
        let done =
            if args.remove { remove(&living, args).await } else { connect(&living, args, &said).await };
        living.cx.stop_observing();
        done
    };
    tokio::select! {
        done = event::in_task("connect", work) => done.map(|()| ExitCode::SUCCESS),
        kind = &mut stop => {
            if said.get() && !global.quiet {
                let target = Target::from(global);
                living::print_to_stderr(&format!(
                    "the port-forwards have ended; the listener is kept in the Kafka cluster; to remove \
                     it: {}",
                    target.kstrim("connect --remove")
                ));
            }
            Ok(ExitCode::from(kind.exit_code()))
        }
    }
}

/// Remove the listeners for programs on this machine.
async fn remove(living: &Living, args: &Connect) -> Result<()> {
    let cx = &living.cx;
    if listener::without_host(&living.kafka()).is_none() {
        living::print_to_stderr(&format!(
            "the Kafka cluster {} has no listener for this machine",
            cx.cluster()
        ));
        return Ok(());
    }
    agreed(living, args, "loses its listeners for programs on this machine").await?;
    let changed = living::exclusively(living, "connect", async || {
        let waiter = change::begin();
        listeners::write(living, args.adopt, listener::without_host).await?;
        change::follow(living, &waiter, args.timeout).await
    });
    changed.await?;
    living::print_to_stderr(&format!(
        "the listeners for this machine were removed from the Kafka cluster {}",
        cx.cluster()
    ));
    Ok(())
}

/// Open the port-forwards; with `--check` test them and exit, otherwise keep them open indefinitely.
async fn connect(living: &Living, args: &Connect, said: &std::cell::Cell<bool>) -> Result<()> {
    let cx = &living.cx;
    let user = match &args.user {
        Some(name) => Some(user::find_user(living, name).await?.0),
        None => None,
    };
    let how = user.as_ref().map(login::authentication).transpose()?;
    let ports = ports(living, args, how).await?;
    check_ports_are_free(&ports, &cx.target)?;
    prepare(living, args, how, &ports).await?;
    let mut document = Connected::new(&ports, user.as_ref().map(|u| u.user.as_str()), how, &cx.target);
    let mut security = Security::default();
    if let Some(user) = &user {
        security = login::security(living, user, true).await?;
        document.export(living, user, args.export.as_deref()).await?;
    }
    let port_in_pods = port_in_pods(living, how).await?;
    let forwards = Forwards::open(cx.clone(), port_in_pods, &ports);
    let end = Instant::now() + args.timeout;
    let pods = tokio::time::timeout_at(end, forwards.all_open())
        .await
        .map_err(|_| late(&cx.target, forwards.troubles()))?;
    document.brokers =
        ports.iter().map(|(id, port)| Broker::new(*id, pods.get(id).cloned(), *port)).collect();
    if args.check {
        document.checked = Some(check(args, &document, security, &cx.target).await?);
    }
    let text = match args.output {
        Way::Json => super::json(&document),
        Way::Text => document.text(),
    };
    super::print(&text);
    if args.check {
        return Ok(());
    }
    said.set(true);
    living::print_to_stderr("open until Ctrl-C; if a broker restarts, its port-forward is opened again");
    forwards.keep(how).await
}

/// The local port of each broker.
async fn ports(living: &Living, args: &Connect, how: Option<Authentication>) -> Result<BTreeMap<i32, u16>> {
    let ids = listeners::broker_ids(living).await?;
    let mut has = listener::host_of(&living.kafka(), how).map(|l| listener::ports(&l)).unwrap_or_default();
    let begins = has.values().min().copied();
    if args.port.is_some_and(|port| begins != Some(port)) {
        has.clear();
    }
    let first = args.port.or(begins).unwrap_or(listener::host_defaults(how).2);
    listener::assign(&has, &ids, first).ok_or_else(|| {
        let message = format!("there are not enough ports for {} brokers from {first} on", ids.len());
        Box::new(Failure::new(errors::CONNECT_PORT, Kind::Usage, message).hint("start lower: --port 9094"))
    })
}

/// Refuse ports that another program uses, before anything is changed.
fn check_ports_are_free(ports: &BTreeMap<i32, u16>, target: &Target) -> Result<()> {
    for (id, port) in ports {
        let Err(error) = TcpListener::bind((HOST, *port)) else { continue };
        let failure = Failure::new(
            errors::CONNECT_PORT,
            Kind::Prerequisite,
            format!("{HOST}:{port}, for broker {id}, is not available"),
        );
        let other = ports.values().max().copied().unwrap_or(*port).saturating_add(100);
        return Err(Box::new(
            failure
                .because(error)
                .because(
                    "another `kstrim connect` may be using it: one is enough for all programs on this machine",
                )
                .hint(format!("or use other ports: {}", target.again().with("--port", other))),
        ));
    }
    Ok(())
}

/// Ensure that every broker has the listener.
async fn prepare(
    living: &Living,
    args: &Connect,
    how: Option<Authentication>,
    ports: &BTreeMap<i32, u16>,
) -> Result<()> {
    let wanted = listener::with_host(&living.kafka(), how, ports)
        .map_err(|name| foreign_listener(living.cx.cluster(), name))?;
    let waiter = change::begin();
    if wanted.is_some() {
        let what = format!("gets a listener {} for programs on this machine", listener::host_defaults(how).0);
        agreed(living, args, &what).await?;
        // If somebody else has created a listener of that name in the meantime, it is kept: the port-forwards then
        // report what is missing.
        let with_host = |now: &Kafka<'_>| listener::with_host(now, how, ports).ok().flatten();
        return living::exclusively(living, "connect", async || {
            waiter.changed_now();
            listeners::write(living, args.adopt, with_host).await?;
            change::follow(living, &waiter, args.timeout).await
        })
        .await;
    }
    change::follow(living, &waiter, args.timeout).await
}

/// The failure if the Kafka resource has a foreign listener of that name.
pub(super) fn foreign_listener(cluster: &str, name: &str) -> Box<Failure> {
    let message = format!("the Kafka cluster {cluster} has a listener {name} that kstrim did not create");
    Box::new(
        Failure::new(errors::CONNECT_LISTENER, Kind::Foreign, message)
            .because("kstrim needs a listener of this name, and does not change one that it did not create")
            .hint("rename that listener in spec.kafka.listeners of the Kafka resource"),
    )
}

/// Ask for consent before brokers restart.
async fn agreed(living: &Living, args: &Connect, what: &str) -> Result<()> {
    change::ours(living, args.adopt)?;
    consent::to_restart(living, "connect", what, args.yes).await
}

/// The failure if not all port-forwards are open in time; `causes` say why.
pub(super) fn late(target: &Target, causes: impl IntoIterator<Item = String>) -> Box<Failure> {
    let message = "not every broker can be reached from this machine yet";
    let failure = Failure::new(errors::CONNECT_LATE, Kind::Timeout, message);
    let failure = causes.into_iter().fold(failure, Failure::because);
    Box::new(failure.hint(format!("check what exists: {}", target.kstrim("status"))))
}

/// The port of the listener inside the pods.
pub(super) async fn port_in_pods(living: &Living, how: Option<Authentication>) -> Result<u16> {
    let kafka = listeners::kafka(living).await?;
    let port = listener::host_of(&Kafka(&kafka), how).and_then(|l| l.port());
    port.ok_or_else(|| {
        Box::new(Failure::new(
            errors::CONNECT_LATE,
            Kind::Task,
            "the listener was removed: somebody else changed the Kafka cluster",
        ))
    })
}

/// Produce messages and consume them as a program on this machine would: only through the advertised addresses.
async fn check(args: &Connect, way: &Connected, security: Security, target: &Target) -> Result<Checked> {
    let (host, port) = way.bootstrap.rsplit_once(':').unwrap_or((HOST, "0"));
    let bootstrap = BrokerAddr { id: -1, host: host.to_owned(), port: port.parse().unwrap_or(0) };
    let options = Options { security, ..Options::default() };
    let what = "the check failed";
    let known = |e: &KafkaError| {
        let rule = format!("topic:{}:read,write", args.topic);
        login::failure(e, what, args.user.as_ref().map(UserName::as_str), &rule, target)
    };
    let refused = |e: KafkaError| {
        let failure = known(&e);
        let other = || Failure::new(errors::SMOKE_CONNECT, Kind::Smoke, what).because(e);
        Box::new(failure.unwrap_or_else(other))
    };
    let deadline = Instant::now() + CHECK;
    let dial = Rc::new(Direct);
    let client = Client::connect(bootstrap.clone(), dial.clone(), options.clone(), deadline).await;
    let looked = client.map_err(refused)?.topic_now(args.topic.as_str(), deadline).await;
    if let Err(error) = looked.as_ref()
        && error.is_denied()
    {
        return Err(looked.map(|_| ()).map_err(refused).err().unwrap_or_else(|| unreachable!("denied")));
    }
    let run_id = format!("connect-{}-{}", jiff::Timestamp::now().as_millisecond(), std::process::id());
    let plan = Plan { allow_foreign: true, timeout: CHECK, ..Plan::new(run_id, args.topic.as_str(), target) };
    let run = smoke::run(&plan, bootstrap, dial, options, &|_| {}).await;
    match run.failure {
        // Only an attempt shows whether a user has the permission.
        Some(failure) => Err(run.error.as_ref().and_then(known).map_or(failure, Box::new)),
        None => Ok(Checked::of(&run.report)),
    }
}
