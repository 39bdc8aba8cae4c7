//! Listeners of a live Kafka cluster that kstrim adds and removes: for programs on this machine, and for users.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::kube::Object;
use crate::kube::kafka::{Kafka, Listener};
use crate::manifest::user::Authentication;

/// The address that brokers advertise to programs on this machine.
pub(crate) const HOST: &str = "127.0.0.1";

/// Ports of a pod that Strimzi uses for metrics and JMX.
const STRIMZIS: [u16; 2] = [9404, 9999];

/// The listener for programs on this machine, by its authentication: its name, its port in the pod, and the first
/// port on this machine. Each has separate ports, so that several can be used at once.
pub(crate) const fn host_defaults(authentication: Option<Authentication>) -> (&'static str, u16, u16) {
    match authentication {
        None => ("host", 9094, 9094),
        Some(Authentication::Tls) => ("hosttls", 9097, 9194),
        Some(Authentication::Scram) => ("hostscram", 9098, 9294),
    }
}

/// Whether a listener is one of those for programs on this machine.
pub(crate) fn is_host(listener: &Listener<'_>) -> bool {
    let names = [None, Some(Authentication::Tls), Some(Authentication::Scram)].map(|a| host_defaults(a).0);
    names.contains(&listener.name())
        && listener.kind() == "internal"
        && !listener.overrides().is_empty()
        && listener.overrides().iter().all(|b| b["advertisedHost"] == HOST)
}

/// The Kafka cluster's listener for programs on this machine with this authentication.
pub(crate) fn host_of<'a>(kafka: &Kafka<'a>, authentication: Option<Authentication>) -> Option<Listener<'a>> {
    kafka.listeners().find(|l| is_host(l) && l.name() == host_defaults(authentication).0)
}

/// The Kafka cluster's listener that accepts users with this authentication inside the Kubernetes cluster.
pub(crate) fn for_users<'a>(kafka: &Kafka<'a>, authentication: Authentication) -> Option<Listener<'a>> {
    kafka.listeners().find(|l| accepts(l, authentication) && !is_host(l))
}

/// Whether a listener accepts users with this authentication.
pub(crate) fn accepts(listener: &Listener<'_>, authentication: Authentication) -> bool {
    listener.authentication() == Some(authentication.strimzi())
}

/// The port of each broker on this machine, by the broker's id, as the listener specifies it.
pub(crate) fn ports(listener: &Listener<'_>) -> BTreeMap<i32, u16> {
    let port = |b: &Value| {
        let id = b["broker"].as_i64().and_then(|id| i32::try_from(id).ok())?;
        Some((id, b["advertisedPort"].as_u64().and_then(|p| u16::try_from(p).ok())?))
    };
    listener.overrides().iter().filter_map(port).collect()
}

/// The ports of the brokers: existing ones are kept, other brokers get the next free port from `first` on. Ids that
/// are not among the brokers are removed. `None` if there are not enough ports.
pub(crate) fn assign(
    has: &BTreeMap<i32, u16>,
    ids: &BTreeSet<i32>,
    first: u16,
) -> Option<BTreeMap<i32, u16>> {
    let mut ports: BTreeMap<i32, u16> =
        has.iter().filter(|(id, _)| ids.contains(id)).map(|(id, port)| (*id, *port)).collect();
    for id in ids {
        if !ports.contains_key(id) {
            let free = (first..=u16::MAX).find(|port| !ports.values().any(|taken| taken == port))?;
            ports.insert(*id, free);
        }
    }
    Some(ports)
}

/// The first port from `first` on that no listener of the pod and nothing of Strimzi uses.
fn free_port(first: u16, taken: &BTreeSet<u16>) -> u16 {
    let free = |port: &u16| !taken.contains(port) && !STRIMZIS.contains(port);
    (first..u16::MAX).find(free).unwrap_or(first)
}

/// The listeners of a Kafka cluster after one for programs on this machine was added. `None` if it already exists.
///
/// # Errors
/// The name of the listener, if kstrim did not create it.
pub(crate) fn with_host(
    kafka: &Kafka<'_>,
    authentication: Option<Authentication>,
    ports: &BTreeMap<i32, u16>,
) -> Result<Option<Value>, &'static str> {
    let (name, inside, _) = host_defaults(authentication);
    let mut all: Vec<Value> = kafka.listeners().map(|l| l.0.clone()).collect();
    let has = all.iter().position(|l| l["name"] == name);
    if has.is_some_and(|at| !is_host(&Listener(&all[at]))) {
        return Err(name);
    }
    let taken: BTreeSet<u16> =
        kafka.listeners().filter(|l| l.name() != name).filter_map(|l| l.port()).collect();
    let there = has.and_then(|at| Listener(&all[at]).port());
    let inside = there.unwrap_or_else(|| free_port(inside, &taken));
    let brokers: Vec<Value> = ports
        .iter()
        .map(|(id, port)| json!({"broker": id, "advertisedHost": HOST, "advertisedPort": port}))
        .collect();
    let mut wanted = json!({"name": name, "port": inside, "type": "internal", "tls": authentication.is_some(),
        "configuration": {"brokers": brokers}});
    if let Some(authentication) = authentication {
        wanted["authentication"] = json!({"type": authentication.strimzi()});
        // The advertised address is in the brokers' certificates anyway.
        wanted["configuration"]["bootstrap"] = json!({"alternativeNames": ["localhost"]});
    }
    match has {
        Some(at) if all[at] == wanted => return Ok(None),
        Some(at) => all[at] = wanted,
        None => all.push(wanted),
    }
    Ok(Some(json!(all)))
}

/// The listeners of a Kafka cluster after those for programs on this machine were removed. `None` if it has none.
pub(crate) fn without_host(kafka: &Kafka<'_>) -> Option<Value> {
    let stay: Vec<&Value> = kafka.listeners().filter(|l| !is_host(l)).map(|l| l.0).collect();
    (stay.len() < kafka.listeners().count()).then(|| json!(stay))
}

/// The listeners of a Kafka cluster with the brokers `ids`: each broker has a port on this machine for every listener
/// for programs on this machine. `None` if nothing changes, or there is no such listener.
pub(crate) fn for_brokers(kafka: &Kafka<'_>, ids: &BTreeSet<i32>) -> Option<Value> {
    let mut made = kafka.0.clone();
    let mut changed = None;
    for authentication in [None, Some(Authentication::Tls), Some(Authentication::Scram)] {
        let Some(has) = host_of(&Kafka(&made), authentication).map(|l| ports(&l)) else { continue };
        let first = has.values().min().copied().unwrap_or(host_defaults(authentication).2);
        let Some(ports) = assign(&has, ids, first) else { continue };
        if let Ok(Some(all)) = with_host(&Kafka(&made), authentication, &ports) {
            let mut json = made.json().clone();
            json["spec"]["kafka"]["listeners"] = all.clone();
            made = Object::new(json);
            changed = Some(all);
        }
    }
    changed
}

/// The patch for a Kafka resource's spec that is needed to accept such a user, with a sentence for each part. `None`
/// if nothing is missing. An existing authorization is not replaced.
pub(crate) fn preparation(
    kafka: &Kafka<'_>,
    authentication: Authentication,
    acls: bool,
) -> Option<(Value, Vec<String>)> {
    let mut patch = json!({});
    let mut said = Vec::new();
    // A listener that is only for clients outside, or that advertises another address, is of no use to programs in
    // the cluster and to kstrim.
    if !kafka.listeners().any(|l| accepts(&l, authentication) && !is_host(&l) && l.advertises_pods()) {
        let (base, first) = authentication.listener_defaults();
        // Names and ports of existing listeners are not reused: Strimzi rejects duplicates.
        let named = |name: &String| kafka.listeners().all(|l| l.name() != name);
        let name =
            std::iter::once(base.to_owned()).chain((2_u32..).map(|n| format!("{base}{n}"))).find(named);
        let name = name.unwrap_or_default();
        let taken: BTreeSet<u16> = kafka.listeners().filter_map(|l| l.port()).collect();
        let port = free_port(first, &taken);
        let mut all: Vec<Value> = kafka.listeners().map(|l| l.0.clone()).collect();
        all.push(authentication.listener(&name, port));
        patch["spec"]["kafka"]["listeners"] = json!(all);
        said.push(format!("a listener {name} on port {port} with {}", authentication.strimzi()));
    }
    if acls && kafka.authorization().is_none() {
        // A client of a listener without authentication is ANONYMOUS: as a super user it keeps its permissions, and
        // the plain listener of the presets keeps working.
        patch["spec"]["kafka"]["authorization"] = json!({"type": "simple", "superUsers": ["ANONYMOUS"]});
        said.push("authorization; clients of listeners without authentication keep all permissions".into());
    }
    (!said.is_empty()).then_some((patch, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(listeners: &Value) -> Object {
        Object::new(json!({"spec": {"kafka": {"listeners": listeners}}}))
    }

    fn plain() -> Value {
        json!({"name": "plain", "port": 9092, "type": "internal", "tls": false})
    }

    fn ids(ids: &[i32]) -> BTreeSet<i32> {
        ids.iter().copied().collect()
    }

    #[test]
    fn existing_ports_are_kept_and_new_brokers_get_the_next() {
        let first = assign(&BTreeMap::new(), &ids(&[3, 4, 5]), 9094).unwrap();
        assert_eq!(
            first.iter().map(|(i, p)| (*i, *p)).collect::<Vec<_>>(),
            [(3, 9094), (4, 9095), (5, 9096)]
        );
        let later = assign(&first, &ids(&[0, 3, 5]), 9094).unwrap();
        assert_eq!(
            later.iter().map(|(i, p)| (*i, *p)).collect::<Vec<_>>(),
            [(0, 9095), (3, 9094), (5, 9096)]
        );
        assert_eq!(assign(&BTreeMap::new(), &ids(&[0, 1]), u16::MAX), None);
    }

    #[test]
    fn a_listener_is_added_once_and_removed() {
        let before = kafka(&json!([plain()]));
        let ports = assign(&BTreeMap::new(), &ids(&[0]), 9094).unwrap();
        let all = with_host(&Kafka(&before), None, &ports).unwrap().unwrap();
        assert_eq!(all[0], plain());
        assert_eq!(
            all[1],
            json!({"name": "host", "port": 9094, "type": "internal", "tls": false, "configuration": {"brokers":
                [{"broker": 0, "advertisedHost": "127.0.0.1", "advertisedPort": 9094}]}})
        );
        let after = kafka(&all);
        assert_eq!(with_host(&Kafka(&after), None, &ports), Ok(None), "it has it already");
        assert!(Listener(&all[0]).advertises_pods() && !Listener(&all[1]).advertises_pods());
        assert_eq!(self::ports(&host_of(&Kafka(&after), None).unwrap()), ports);
        assert_eq!(host_of(&Kafka(&after), Some(Authentication::Tls)), None);
        assert_eq!(without_host(&Kafka(&after)), Some(json!([plain()])));
        assert_eq!(without_host(&Kafka(&before)), None);
        let more = for_brokers(&Kafka(&after), &ids(&[0, 1])).unwrap();
        assert_eq!(more[1]["configuration"]["brokers"][1]["advertisedPort"], 9095);
        assert_eq!(for_brokers(&Kafka(&after), &ids(&[0])), None);
        assert_eq!(for_brokers(&Kafka(&before), &ids(&[0, 1])), None);
    }

    #[test]
    fn foreign_ports_and_names_are_not_used() {
        let external = json!({"name": "external", "port": 9094, "type": "nodeport", "tls": false});
        let ports = assign(&BTreeMap::new(), &ids(&[0]), 9094).unwrap();
        let all = with_host(&Kafka(&kafka(&json!([plain(), external]))), None, &ports).unwrap().unwrap();
        assert_eq!(all[2]["port"], 9095);
        let theirs = json!({"name": "host", "port": 9094, "type": "nodeport", "tls": false});
        assert_eq!(with_host(&Kafka(&kafka(&json!([theirs]))), None, &ports), Err("host"));
        assert_eq!(without_host(&Kafka(&kafka(&json!([theirs])))), None);
        let secured =
            with_host(&Kafka(&kafka(&json!([]))), Some(Authentication::Scram), &ports).unwrap().unwrap();
        assert_eq!(secured[0]["authentication"]["type"], "scram-sha-512");
        assert_eq!(secured[0]["configuration"]["bootstrap"]["alternativeNames"], json!(["localhost"]));
    }

    #[test]
    fn only_what_is_missing_is_added() {
        let of = |spec: Value| Object::new(json!({"spec": {"kafka": spec}}));
        let bare = of(json!({"listeners": [plain()]}));
        let (patch, said) = preparation(&Kafka(&bare), Authentication::Tls, true).unwrap();
        let listeners = patch["spec"]["kafka"]["listeners"].as_array().unwrap();
        assert_eq!(listeners[0], plain());
        assert_eq!(listeners[1]["authentication"]["type"], "tls");
        assert_eq!(patch["spec"]["kafka"]["authorization"]["superUsers"], json!(["ANONYMOUS"]));
        assert_eq!(said.len(), 2);
        let has = of(json!({"listeners": listeners, "authorization": {"type": "opa"}}));
        assert_eq!(preparation(&Kafka(&has), Authentication::Tls, true), None);
        let (patch, _) = preparation(&Kafka(&has), Authentication::Scram, false).unwrap();
        assert_eq!(patch["spec"]["kafka"]["listeners"].as_array().unwrap().len(), 3);
        assert!(patch["spec"]["kafka"]["authorization"].is_null());
    }

    #[test]
    fn foreign_listeners_are_not_changed() {
        let theirs = json!([plain(), {"name": "mtls", "port": 9096, "type": "nodeport", "tls": true,
            "authentication": {"type": "oauth"}}, {"name": "apps", "port": 9095, "type": "internal", "tls": true}]);
        let object = kafka(&theirs);
        let (patch, said) = preparation(&Kafka(&object), Authentication::Tls, false).unwrap();
        let all = patch["spec"]["kafka"]["listeners"].as_array().unwrap();
        assert_eq!(all[..3], *theirs.as_array().unwrap());
        assert_eq!((&all[3]["name"], &all[3]["port"]), (&json!("mtls2"), &json!(9097)));
        assert_eq!(said, ["a listener mtls2 on port 9097 with tls"]);
    }
}
