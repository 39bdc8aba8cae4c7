//! Listeners of a Kafka: which a client reaches through the cluster, and those for programs on this machine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::user::Authentication;

/// What brokers advertise to programs on this machine.
pub const HOST: &str = "127.0.0.1";

/// Ports of a pod that Strimzi gives to no listener: its metrics, and JMX.
const STRIMZIS: [u16; 2] = [9404, 9999];

/// The listener for programs on this machine, by what it asks of them: its name, its port in the pod, and
/// the first port here. Each has ports of its own, so that several can be used at once.
pub const fn host_defaults(authentication: Option<Authentication>) -> (&'static str, u16, u16) {
    match authentication {
        None => ("host", 9094, 9094),
        Some(Authentication::Tls) => ("hosttls", 9097, 9194),
        Some(Authentication::Scram) => ("hostscram", 9098, 9294),
    }
}

fn listeners(kafka: &Value) -> impl Iterator<Item = &Value> {
    kafka.pointer("/spec/kafka/listeners").and_then(Value::as_array).into_iter().flatten()
}

fn overrides(listener: &Value) -> impl Iterator<Item = &Value> {
    listener.pointer("/configuration/brokers").and_then(Value::as_array).into_iter().flatten()
}

/// Whether a listener is an internal one whose brokers advertise their pods' names: what a port-forward to
/// each of them serves.
pub fn is_inner(listener: &Value) -> bool {
    listener["type"] == "internal" && overrides(listener).all(|b| b.get("advertisedHost").is_none())
}

/// Whether a listener is one of those for programs on this machine.
pub fn is_host(listener: &Value) -> bool {
    let names = [None, Some(Authentication::Tls), Some(Authentication::Scram)].map(|a| host_defaults(a).0);
    listener["name"].as_str().is_some_and(|name| names.contains(&name))
        && listener["type"] == "internal"
        && overrides(listener).next().is_some()
        && overrides(listener).all(|b| b["advertisedHost"] == HOST)
}

/// The listener for programs on this machine that a Kafka has, of its spec.
pub fn host_of(kafka: &Value, authentication: Option<Authentication>) -> Option<&Value> {
    listeners(kafka).find(|l| is_host(l) && l["name"] == host_defaults(authentication).0)
}

/// The local port of each broker, by its id, as a listener says.
pub fn ports(listener: &Value) -> BTreeMap<i32, u16> {
    let port = |b: &Value| {
        let id = b["broker"].as_i64().and_then(|id| i32::try_from(id).ok())?;
        Some((id, b["advertisedPort"].as_u64().and_then(|p| u16::try_from(p).ok())?))
    };
    overrides(listener).filter_map(port).collect()
}

/// The ports of brokers: those they have stay, others get the next free from `first` on. Ids that are not
/// among the brokers lose theirs. `None` if there are not enough ports.
pub fn assign(has: &BTreeMap<i32, u16>, ids: &BTreeSet<i32>, first: u16) -> Option<BTreeMap<i32, u16>> {
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

/// What a Kafka's listeners become with one for programs on this machine. `None` if it has it already.
///
/// # Errors
/// The name of the listener, if it is one of somebody else's.
pub fn with_host(
    kafka: &Value,
    authentication: Option<Authentication>,
    ports: &BTreeMap<i32, u16>,
) -> Result<Option<Value>, &'static str> {
    let (name, inside, _) = host_defaults(authentication);
    let mut all: Vec<Value> = listeners(kafka).cloned().collect();
    let has = all.iter().position(|l| l["name"] == name);
    if has.is_some_and(|at| !is_host(&all[at])) {
        return Err(name);
    }
    let taken: BTreeSet<u64> =
        all.iter().filter(|l| l["name"] != name).filter_map(|l| l["port"].as_u64()).collect();
    let free = |port: &u16| !taken.contains(&u64::from(*port)) && !STRIMZIS.contains(port);
    let there = has.and_then(|at| all[at]["port"].as_u64()).and_then(|p| u16::try_from(p).ok());
    let inside = there.or_else(|| (inside..u16::MAX).find(free)).unwrap_or(inside);
    let brokers: Vec<Value> = ports
        .iter()
        .map(|(id, port)| json!({"broker": id, "advertisedHost": HOST, "advertisedPort": port}))
        .collect();
    let mut wanted = json!({"name": name, "port": inside, "type": "internal", "tls": authentication.is_some(),
        "configuration": {"brokers": brokers}});
    if let Some(authentication) = authentication {
        wanted["authentication"] = json!({"type": authentication.strimzi()});
        // What is advertised is in the brokers' certificates anyway.
        wanted["configuration"]["bootstrap"] = json!({"alternativeNames": ["localhost"]});
    }
    match has {
        Some(at) if all[at] == wanted => return Ok(None),
        Some(at) => all[at] = wanted,
        None => all.push(wanted),
    }
    Ok(Some(json!(all)))
}

/// What a Kafka's listeners become when those for programs on this machine go. `None` if it has none.
pub fn without_host(kafka: &Value) -> Option<Value> {
    let stay: Vec<&Value> = listeners(kafka).filter(|l| !is_host(l)).collect();
    (stay.len() < listeners(kafka).count()).then(|| json!(stay))
}

/// What a Kafka's listeners become when `ids` are its brokers: each of them has a port here on every
/// listener for programs on this machine. `None` if nothing changes, or it has no such listener.
pub fn for_brokers(kafka: &Value, ids: &BTreeSet<i32>) -> Option<Value> {
    let mut made = kafka.clone();
    let mut changed = false;
    for authentication in [None, Some(Authentication::Tls), Some(Authentication::Scram)] {
        let Some(has) = host_of(&made, authentication).map(ports) else { continue };
        let first = has.values().min().copied().unwrap_or(host_defaults(authentication).2);
        let Some(ports) = assign(&has, ids, first) else { continue };
        if let Ok(Some(all)) = with_host(&made, authentication, &ports) {
            made["spec"]["kafka"]["listeners"] = all;
            changed = true;
        }
    }
    changed.then(|| made["spec"]["kafka"]["listeners"].take())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kafka(listeners: &Value) -> Value {
        json!({"spec": {"kafka": {"listeners": listeners}}})
    }

    fn plain() -> Value {
        json!({"name": "plain", "port": 9092, "type": "internal", "tls": false})
    }

    fn ids(ids: &[i32]) -> BTreeSet<i32> {
        ids.iter().copied().collect()
    }

    #[test]
    fn ports_stay_and_new_brokers_get_the_next() {
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
    fn a_listener_comes_once_and_goes() {
        let before = kafka(&json!([plain()]));
        let ports = assign(&BTreeMap::new(), &ids(&[0]), 9094).unwrap();
        let all = with_host(&before, None, &ports).unwrap().unwrap();
        assert_eq!(all[0], plain());
        assert_eq!(
            all[1],
            json!({"name": "host", "port": 9094, "type": "internal", "tls": false, "configuration": {"brokers":
                [{"broker": 0, "advertisedHost": "127.0.0.1", "advertisedPort": 9094}]}})
        );
        let after = kafka(&all);
        assert_eq!(with_host(&after, None, &ports), Ok(None), "it has it already");
        assert!(is_inner(&all[0]) && !is_inner(&all[1]));
        assert_eq!(self::ports(host_of(&after, None).unwrap()), ports);
        assert_eq!(host_of(&after, Some(Authentication::Tls)), None);
        assert_eq!(without_host(&after), Some(json!([plain()])));
        assert_eq!(without_host(&before), None);
        let more = for_brokers(&after, &ids(&[0, 1])).unwrap();
        assert_eq!(more[1]["configuration"]["brokers"][1]["advertisedPort"], 9095);
        assert_eq!(for_brokers(&after, &ids(&[0])), None);
        assert_eq!(for_brokers(&before, &ids(&[0, 1])), None);
    }

    #[test]
    fn ports_and_names_of_others_are_left_alone() {
        let external = json!({"name": "external", "port": 9094, "type": "nodeport", "tls": false});
        let ports = assign(&BTreeMap::new(), &ids(&[0]), 9094).unwrap();
        let all = with_host(&kafka(&json!([plain(), external])), None, &ports).unwrap().unwrap();
        assert_eq!(all[2]["port"], 9095);
        let theirs = json!({"name": "host", "port": 9094, "type": "nodeport", "tls": false});
        assert_eq!(with_host(&kafka(&json!([theirs])), None, &ports), Err("host"));
        assert_eq!(without_host(&kafka(&json!([theirs]))), None);
        let secured = with_host(&kafka(&json!([])), Some(Authentication::Scram), &ports).unwrap().unwrap();
        assert_eq!(secured[0]["authentication"]["type"], "scram-sha-512");
        assert_eq!(secured[0]["configuration"]["bootstrap"]["alternativeNames"], json!(["localhost"]));
    }
}
