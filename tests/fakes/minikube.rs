//! minikube: profiles and their states. `start` has its own file.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::text;
use crate::flags::Args;
use crate::io::{Done, End, Io};
use crate::scenario::{Engine, Host};
use crate::world::{Place, Profile, World, now};
use crate::{images, kubeconfig, ssh, start};

/// Its output: CloudEvents with `-o json`, otherwise text with minikube's symbols.
pub struct Out<'a> {
    pub io: &'a mut Io,
    pub json: bool,
}

/// The steps of a start, by number.
const STEPS: [&str; 20] = [
    "Initial Minikube Setup",
    "Selecting Driver",
    "Downloading Artifacts",
    "Starting Node",
    "Updating Driver",
    "Pulling Base Image",
    "Running on Localhost",
    "Local OS Release",
    "Creating Container",
    "Creating VM",
    "Configuring Localhost Environment",
    "Preparing Kubernetes",
    "Generating certificates",
    "Booting control plane",
    "Configuring RBAC rules",
    "Configuring CNI",
    "Configuring Localhost Environment",
    "Verifying Kubernetes",
    "Enabling Addons",
    "Done",
];

impl Out<'_> {
    fn event(&mut self, kind: &str, data: &Value) -> Result<(), End> {
        if self.json {
            let id =
                format!("{:08x}-5ba5-4a80-9e6c-{:012x}", std::process::id(), now() as u64 & 0xffff_ffff_ffff);
            let event = json!({"specversion": "1.0", "id": id, "source": "https://minikube.sigs.k8s.io/",
                "type": format!("io.k8s.sigs.minikube.{kind}"), "datacontenttype": "application/json", "data": data});
            return self.io.line(&event.to_string());
        }
        let message = text(data, "/message");
        match (kind, text(data, "/name")) {
            ("error", "") => self.io.err(&format!("X {message}")),
            ("error", name) => self.io.err(&format!("X Exiting due to {name}: {message}")),
            ("warning", _) => self.io.err(&format!("! {message}")),
            _ => return self.io.line(&format!("* {message}")),
        }
        Ok(())
    }

    /// `info`, `warning`, or an `error` that does not end the command.
    pub fn say(&mut self, kind: &str, message: &str) -> Result<(), End> {
        self.event(kind, &json!({"message": message}))
    }

    pub fn step(&mut self, name: &str, message: &str) -> Result<(), End> {
        let number = STEPS.iter().position(|step| *step == name).expect("a step of a start");
        self.step_of(number, STEPS.len() - 1, name, message)
    }

    fn step_of(&mut self, number: usize, total: usize, name: &str, message: &str) -> Result<(), End> {
        let (number, total) = (number.to_string(), total.to_string());
        self.event(
            "step",
            &json!({"currentstep": number, "message": message, "name": name, "totalsteps": total}),
        )
    }

    pub fn fail(&mut self, name: &str, code: i32, message: &str, advice: &str) -> Done {
        let docker = name.starts_with("PROVIDER_DOCKER");
        let url = if docker { "https://minikube.sigs.k8s.io/docs/drivers/docker/" } else { "" };
        let data = json!({"advice": advice, "exitcode": code.to_string(), "issues": "", "message": message,
            "name": name, "url": url});
        self.event("error", &data)?;
        Ok(code)
    }
}

/// Whether a `docker` is on PATH, and whether its engine responds.
pub fn engine(place: &Place) -> Option<Engine> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join("docker").exists());
    if !found {
        return None;
    }
    let elsewhere = docker_host().contains("nonexistent");
    Some(if elsewhere { Engine::Down } else { place.scenario.engine })
}

/// Whether `docker` connects to an engine other than the one that has these machines.
pub fn other_engine() -> bool {
    docker_host().contains("elsewhere")
}

/// Where docker's client connects. In a shell after its `docker-env`, minikube uses the previous values.
pub fn docker_host() -> String {
    let value = |name: &str| std::env::var(name).unwrap_or_default();
    let program = std::env::args_os().next().unwrap_or_default();
    let minikube = std::path::Path::new(&program).ends_with("minikube");
    let inside = minikube && !value("MINIKUBE_ACTIVE_DOCKERD").is_empty();
    value(if inside { "MINIKUBE_EXISTING_DOCKER_HOST" } else { "DOCKER_HOST" })
}

fn sleep(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

pub fn run(place: &Place, io: &mut Io, args: &[String]) -> Done {
    let args = Args::minikube(args)?;
    let json = args.flag("output") == Some("json");
    let out = &mut Out { io, json };
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["version"] if json => version(place, out),
        ["ssh"] => ssh::run(place, out.io, &args),
        ["start"] => start::run(place, out, &args),
        ["status"] => status(place, out, &args),
        ["profile", "list"] if json && args.is("light") => profiles(place, out),
        ["delete"] => delete(place, out, &args),
        ["stop"] => stop(place, out, &args),
        ["pause" | "unpause"] => pause(place, out, &args, words[0] == "pause"),
        ["cp", from, to] => crate::node_state::copy(place, out.io, &args, from, to),
        ["image", ..] => images::run(place, out.io, &args),
        ["logs"] => crate::logs::of_node(place, out.io, &args),
        ["update-context"] => update_context(place, out.io, &args),
        ["config", "view"] => {
            for (name, value) in &place.scenario.minikube_config {
                out.io.line(&format!("- {name}: {value}"))?;
            }
            Ok(0)
        }
        other => {
            out.io.err(&format!("Error: unknown command \"{}\" for \"minikube\"", other.join(" ")));
            Ok(14)
        }
    }
}

fn version(place: &Place, out: &mut Out) -> Done {
    let version = &place.scenario.minikube.version;
    out.io.line(&json!({"commit": "local", "minikubeVersion": format!("v{version}")}).to_string()).map(|()| 0)
}

/// Its message about a profile that does not exist.
pub fn not_found(out: &mut Out, args: &Args) -> Done {
    let name = args.profile();
    let first = format!("Profile \"{name}\" not found. Run \"minikube profile list\" to view all profiles.");
    let second = format!("To start a cluster, run: \"minikube start -p {name}\"");
    if out.json {
        out.say("info", &first)?;
        out.say("info", &second)?;
    } else {
        out.io.line(&format!("* {first}\n  {second}"))?;
    }
    Ok(85)
}

/// Host, kubelet, API server and kubeconfig as in `status`, with its exit code.
fn states(profile: &str, host: Host) -> ([&'static str; 4], i32) {
    let configured = kubeconfig::has(profile);
    match host {
        Host::Running if configured => (["Running", "Running", "Running", "Configured"], 0),
        Host::Running => (["Running", "Running", "Running", "Misconfigured"], 4),
        Host::Paused => (["Running", "Stopped", "Paused", "Configured"], 2),
        Host::Stopped => (["Stopped", "Stopped", "Stopped", "Stopped"], 7),
        Host::Dead | Host::Headless => {
            (["Running", "Running", "Stopped", if configured { "Configured" } else { "Misconfigured" }], 2)
        }
        _ => (["Running", "Stopped", "Stopped", "Misconfigured"], 6),
    }
}

fn no_state(io: &Io, profile: &str, engine: Engine) {
    let why = match engine {
        Engine::Up => format!("Error response from daemon: No such container: {profile}"),
        _ => engine_error(engine).to_owned(),
    };
    for source in ["status.go:178] status error:", "status.go:127] status error:"] {
        io.err(&format!(
            "E1122 20:27:39.807868   23625 {source} host: state: unknown state \"{profile}\": docker container inspect \
             {profile} --format={{{{.State.Status}}}}: exit status 1\nstdout:\n\n\nstderr:\n{why}"
        ));
    }
}

/// docker's message when its engine does not respond.
pub fn engine_error(engine: Engine) -> &'static str {
    match engine {
        Engine::Denied => {
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get \
             \"http://%2Fvar%2Frun%2Fdocker.sock/v1.50/version\": dial unix /var/run/docker.sock: connect: permission \
             denied"
        }
        _ => {
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
        }
    }
}

fn status(place: &Place, out: &mut Out, args: &Args) -> Done {
    let name = args.profile();
    let host = place.lock().profiles.get(name).map(|p| p.host);
    let engine = engine(place).unwrap_or(Engine::Down);
    let host = match host {
        None | Some(Host::Invalid) => return not_found(out, args),
        Some(host) => host,
    };
    if engine != Engine::Up || other_engine() || matches!(host, Host::Gone | Host::Made) {
        no_state(out.io, name, engine);
        if out.json {
            out.io.out("null")?;
        }
        return Ok(7);
    }
    let io = &mut *out.io;
    let ([host_word, kubelet, server, config], code) = states(name, host);
    if config == "Misconfigured" {
        let path = kubeconfig::path();
        io.err(&format!(
            "E1122 20:40:47.821359   32619 status.go:457] kubeconfig endpoint: get endpoint: \"{name}\" does not appear \
             in {}",
            path.display()
        ));
    }
    if out.json {
        let body = json!({"Name": name, "Host": host_word, "Kubelet": kubelet, "APIServer": server,
            "Kubeconfig": config, "Worker": false});
        let mut all = vec![body];
        all.extend(workers(place, name, host));
        // One node is not in a list.
        let body = if let [one] = &all[..] { one.clone() } else { json!(all) };
        io.out(&body.to_string())?;
    } else {
        io.line(&format!(
            "{name}\ntype: Control Plane\nhost: {host_word}\nkubelet: {kubelet}\napiserver: {server}\nkubeconfig: \
             {config}\n"
        ))?;
        if config == "Misconfigured" {
            io.line("\nWARNING: Your kubectl is pointing to stale minikube-vm.\nTo fix the kubectl context, run `minikube update-context`")?;
        }
    }
    Ok(code)
}

/// The nodes other than the control plane, as listed by `minikube status`.
fn workers(place: &Place, name: &str, host: Host) -> Vec<Value> {
    let world = place.lock();
    if host != Host::Running || world.profiles.get(name).is_none_or(|profile| profile.nodes < 2) {
        return Vec::new();
    }
    let word = |node: &Value| if crate::nodes::runs(node) { "Running" } else { "Stopped" };
    let of_node = |node: &Value| {
        json!({"Name": node["metadata"]["name"], "Host": word(node), "Kubelet": word(node), "APIServer": "Irrelevant",
            "Kubeconfig": "Irrelevant", "Worker": true})
    };
    crate::nodes::workers(&world.cluster(name)).iter().map(of_node).collect()
}

/// minikube's directory (`pkg/minikube/localpath`).
pub fn home() -> String {
    match std::env::var("MINIKUBE_HOME") {
        Ok(home) if home.ends_with("/.minikube") => home,
        Ok(home) if !home.is_empty() => format!("{home}/.minikube"),
        _ => format!("{}/.minikube", std::env::var("HOME").unwrap_or_default()),
    }
}

/// The files of a profile: its directory, its configuration once a start was not rejected, and the machine's key, which
/// is generated with the container (`pkg/drivers/kic`) and not again as long as it exists.
pub fn files(name: &str, profile: &Profile) {
    let home = home();
    let folder = format!("{home}/profiles/{name}");
    let _ = std::fs::create_dir_all(&folder);
    if profile.host == Host::Invalid {
        return;
    }
    let config = config_of(name, profile);
    crate::world::write(std::path::Path::new(&format!("{folder}/config.json")), &config);
    let machine = format!("{home}/machines/{name}");
    let key = format!("{machine}/id_rsa.pub");
    let keyless = matches!(profile.driver.as_str(), "none" | "ssh");
    if profile.host != Host::Made && !keyless && !std::path::Path::new(&key).exists() {
        let _ = std::fs::create_dir_all(&machine);
        let _ = std::fs::write(key, format!("ssh-rsa {:x}{:x}\n", now(), std::process::id()));
    }
}

/// The recorded `Config` of a profile.
fn config_of(name: &str, profile: &Profile) -> Value {
    let mut config: Value = include_str!("profile.json").parse().expect("profile.json");
    config["Name"] = json!(name);
    config["UUID"] = json!(profile.uuid);
    config["Memory"] = json!(profile.memory);
    config["CPUs"] = json!(profile.cpus);
    config["Driver"] = json!(profile.driver);
    config["KubernetesConfig"]["KubernetesVersion"] = json!(profile.kubernetes);
    config["KubernetesConfig"]["ClusterName"] = json!(name);
    config["KubernetesConfig"]["ContainerRuntime"] = json!(profile.runtime);
    let node = config["Nodes"][0].clone();
    let nodes = (0..profile.nodes).map(|index| {
        let mut node = node.clone();
        // Recorded once the machine exists (recording 26-mk-killed-5s).
        node["IP"] = json!(if profile.host == Host::Made { "" } else { &profile.ip });
        node["KubernetesVersion"] = json!(profile.kubernetes);
        node["ContainerRuntime"] = json!(profile.runtime);
        if index > 0 {
            node["Name"] = json!(format!("m{:02}", index + 1));
            node["ControlPlane"] = json!(false);
        }
        node
    });
    config["Nodes"] = json!(nodes.collect::<Vec<_>>());
    config["MultiNodeRequested"] = json!(profile.nodes > 1);
    config
}

/// `profile list --light`, which looks at no machine.
fn profiles(place: &Place, out: &mut Out) -> Done {
    let world = place.lock();
    let (mut valid, mut invalid) = (Vec::new(), Vec::new());
    for (name, profile) in &world.profiles {
        let entry = |status: &str, config: Value| json!({"Name": name, "Status": status, "Config": config, "Active": false, "ActiveKubeContext": false});
        match profile.host {
            Host::Invalid => invalid.push(entry("", Value::Null)),
            _ => valid.push(entry("Skipped", config_of(name, profile))),
        }
    }
    out.io.out(&json!({"invalid": invalid, "valid": valid}).to_string()).map(|()| 0)
}

fn delete(place: &Place, out: &mut Out, args: &Args) -> Done {
    let name = args.profile().to_owned();
    let engine = engine(place);
    let profile = place.lock().profiles.get(&name).cloned();
    let existed = profile.as_ref().is_some_and(|p| p.host != Host::Invalid);
    if existed {
        out.say("info", &format!("Deleting \"{name}\" in docker ..."))?;
        if !matches!(profile.map(|p| p.host), Some(Host::Gone | Host::Made)) && engine == Some(Engine::Up) {
            out.step_of(0, 3, "Deleting", &format!("Deleting container \"{name}\" ..."))?;
        }
        sleep(place.scenario.timings.delete);
    } else {
        out.say("error", &format!("\"{name}\" profile does not exist, trying anyways."))?;
    }
    {
        let mut world = place.lock();
        let had = world.profiles.remove(&name);
        let container = had.is_some_and(|p| !matches!(p.host, Host::Invalid | Host::Gone | Host::Made));
        if engine == Some(Engine::Up) && !other_engine() {
            world.leftovers.remove(&name);
        } else if container {
            // It reports success, and the container keeps running (recording 28).
            world.leftovers.insert(name.clone());
        }
        world.drop_cluster(&name);
        world.volumes.remove(&name);
        let _ = std::fs::remove_dir_all(crate::class_data::folder(&place.dir, &name));
        world.save();
        kubeconfig::remove(&name);
        for folder in ["profiles", "machines"] {
            let _ = std::fs::remove_dir_all(format!("{}/{folder}/{name}", home()));
        }
    }
    if existed {
        out.say("info", &format!("Removing {}/machines/{name} ...", home()))?;
    }
    out.say("info", &format!("Removed all traces of the \"{name}\" cluster."))?;
    Ok(0)
}

fn stop(place: &Place, out: &mut Out, args: &Args) -> Done {
    let name = args.profile().to_owned();
    let host = place.lock().profiles.get(&name).map(|p| p.host);
    if matches!(host, None | Some(Host::Invalid)) {
        return not_found(out, args);
    }
    out.step_of(0, 2, "Stopping", &format!("Stopping node \"{name}\"  ..."))?;
    if matches!(host, Some(Host::Gone | Host::Made)) {
        let message = format!(
            "Unable to stop VM: ssh power off: unknown state \"{name}\": docker container inspect {name} \
             --format=<no value>: exit status 1\nstdout:\n\n\nstderr:\nError response from daemon: No such container: \
             {name}"
        );
        return out.fail("GUEST_STOP_TIMEOUT", 82, &message, "");
    }
    if host != Some(Host::Stopped) {
        out.step_of(1, 2, "PowerOff", &format!("Powering off \"{name}\" via SSH ..."))?;
        sleep(place.scenario.timings.stop);
        freeze(place, &mut place.lock(), &name, Host::Stopped);
        kubeconfig::remove(&name);
    }
    out.step_of(2, 2, "Done", "1 node stopped.")?;
    Ok(0)
}

/// Time is suspended in a cluster; watches of it end.
pub fn freeze(place: &Place, world: &mut World, name: &str, to: Host) {
    if world.profiles.get(name).is_some_and(|p| p.host == Host::Running) {
        world.cluster(name).save(place);
    }
    if let Some(profile) = world.profiles.get_mut(name) {
        profile.host = to;
    }
    let _ = std::fs::remove_file(place.cluster_file(name, "due"));
    world.save();
}

/// And continues.
pub fn thaw(place: &Place, world: &mut World, name: &str) {
    let mut cluster = crate::cluster::Cluster::load(place, name);
    cluster.thaw();
    cluster.save(place);
    if let Some(profile) = world.profiles.get_mut(name) {
        profile.host = Host::Running;
    }
    world.save();
}

fn pause(place: &Place, out: &mut Out, args: &Args, pause: bool) -> Done {
    let name = args.profile().to_owned();
    let host = place.lock().profiles.get(&name).map(|p| p.host);
    match host {
        None => return not_found(out, args),
        Some(Host::Running | Host::Paused) => {}
        Some(_) => {
            out.say("info", &format!("The control-plane node {name} host is not running: state=Stopped"))?;
            out.say("info", &format!("To start a cluster, run: \"minikube start -p {name}\""))?;
            return Ok(83);
        }
    }
    // By itself it freezes Kubernetes alone (`constants.DefaultNamespaces`), and lets it alone go on.
    let all = args.is("all-namespaces");
    let of = if all { "" } else { " in: kube-system, kubernetes-dashboard, istio-operator" };
    let (doing, done) = if pause { ("Pausing", "Paused") } else { ("Unpausing", "Unpaused") };
    out.step_of(0, 1, doing, &format!("{doing} node {name} ..."))?;
    sleep(place.scenario.timings.stop);
    if pause && place.scenario.no_freezer {
        let message = "Pause: pausing containers: runc: sudo runc --root /run/containerd/runc/k8s.io pause 5a51: Process \
            exited with status 1\nstdout:\n\nstderr:\ncgroups: cgroup freezer not available";
        return out.fail("GUEST_PAUSE", 80, message, "");
    }
    if pause {
        freeze(place, &mut place.lock(), &name, Host::Paused);
    } else if host == Some(Host::Paused) {
        thaw(place, &mut place.lock(), &name);
    }
    out.step_of(1, 1, "Done", &format!("{done} 7 containers{of}"))?;
    Ok(0)
}

fn update_context(place: &Place, io: &mut Io, args: &Args) -> Done {
    let name = args.profile();
    let Some(profile) = place.lock().profiles.get(name).cloned() else {
        return not_found(&mut Out { io, json: false }, args);
    };
    kubeconfig::add(name, &profile.ip);
    kubeconfig::select(name);
    io.line(&format!("* \"{name}\" context has been updated to point to {}:8443", profile.ip))?;
    io.line(&format!("* Current context is \"{name}\""))?;
    Ok(0)
}
