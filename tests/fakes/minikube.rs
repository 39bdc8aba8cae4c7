//! minikube: profiles and their states. `start` has its own file.

use std::time::Duration;

use serde_json::{Value, json};

use crate::flags::Args;
use crate::io::{Done, End, Io};
use crate::scenario::{Engine, Host};
use crate::world::{Place, Profile, World, now};
use crate::{images, kubeconfig, ssh, start};

/// One line of output: a CloudEvent with `-o json`, else text with minikube's marks.
pub fn event(io: &mut Io, json: bool, kind: &str, data: Value) -> Result<(), End> {
    if json {
        let id =
            format!("{:08x}-5ba5-4a80-9e6c-{:012x}", std::process::id(), now() as u64 & 0xffff_ffff_ffff);
        let event = json!({"specversion": "1.0", "id": id, "source": "https://minikube.sigs.k8s.io/",
            "type": format!("io.k8s.sigs.minikube.{kind}"), "datacontenttype": "application/json", "data": data});
        return io.line(&event.to_string());
    }
    let message = data["message"].as_str().unwrap_or("");
    match kind {
        "error" => {
            let name = data["name"].as_str().map(|n| format!("Exiting due to {n}: ")).unwrap_or_default();
            io.err(&format!("X {name}{message}"));
            Ok(())
        }
        "warning" => {
            io.err(&format!("! {message}"));
            Ok(())
        }
        _ => io.line(&format!("* {message}")),
    }
}

/// An error that ends the command.
pub fn fail(io: &mut Io, json: bool, name: &str, code: i32, message: &str, advice: &str, url: &str) -> Done {
    let data = json!({"advice": advice, "exitcode": code.to_string(), "issues": "", "message": message,
        "name": name, "url": url});
    event(io, json, "error", data)?;
    Ok(code)
}

/// Whether a `docker` is on PATH, and whether its engine answers.
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

/// Where docker's client connects. minikube, in a shell after its `docker-env`, goes back to what was there before.
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

/// Run one command.
pub fn run(place: &Place, io: &mut Io, args: &[String]) -> Done {
    if let Some(at) = args.iter().position(|a| a == "--").filter(|_| args[0] == "ssh") {
        return ssh::run(place, io, &Args::parse(&args[..at])?, &args[at + 1..]);
    }
    let args = Args::parse(args)?;
    let json = args.flag("output") == Some("json");
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["version"] => version(place, io, &args, json),
        ["start"] => start::run(place, io, &args, json),
        ["status"] => status(place, io, &args, json),
        ["profile", "list"] => profiles(place, io, &args, json),
        ["delete"] => delete(place, io, &args, json),
        ["stop"] => stop(place, io, &args, json),
        ["pause" | "unpause"] => pause(place, io, &args, json, words[0] == "pause"),
        ["image", ..] => images::run(place, io, &args),
        ["logs"] => crate::logs::of_node(place, io, &args),
        ["update-context"] => update_context(place, io, &args),
        ["ip"] => {
            let world = place.lock();
            let ip = world.profiles.get(args.profile()).map(|p| p.ip.clone());
            match ip {
                Some(ip) => io.line(&ip).map(|()| 0),
                None => not_found(io, &args, json),
            }
        }
        ["config", "view"] => {
            for (name, value) in &place.scenario.minikube_config {
                io.line(&format!("- {name}: {value}"))?;
            }
            Ok(0)
        }
        ["config", "get", name] => match place.scenario.minikube_config.get(*name) {
            Some(value) => io.line(value).map(|()| 0),
            None => {
                io.err("Error: specified key could not be found in config");
                Ok(14)
            }
        },
        other => {
            io.err(&format!("Error: unknown command \"{}\" for \"minikube\"", other.join(" ")));
            Ok(14)
        }
    }
}

fn version(place: &Place, io: &mut Io, args: &Args, json: bool) -> Done {
    let version = &place.scenario.minikube.version;
    let text = match () {
        () if json => format!(r#"{{"commit":"local","minikubeVersion":"v{version}"}}"#),
        () if args.is("short") => format!("v{version}"),
        () => format!("minikube version: v{version}\ncommit: local"),
    };
    io.line(&text).map(|()| 0)
}

/// What it says of a profile that is not there.
pub fn not_found(io: &mut Io, args: &Args, json: bool) -> Done {
    let name = args.profile();
    let first = format!("Profile \"{name}\" not found. Run \"minikube profile list\" to view all profiles.");
    let second = format!("To start a cluster, run: \"minikube start -p {name}\"");
    if json {
        event(io, true, "info", json!({"message": first}))?;
        event(io, true, "info", json!({"message": second}))?;
    } else {
        io.line(&format!("* {first}\n  {second}"))?;
    }
    Ok(85)
}

/// Host, kubelet, API server and kubeconfig as `status` says them, with its exit code.
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

fn no_state(io: &Io, profile: &str, engine: Engine, source: &str) {
    let why = match engine {
        Engine::Up => format!("Error response from daemon: No such container: {profile}"),
        _ => engine_error(engine).to_owned(),
    };
    for source in ["status.go:178] status error:", source] {
        io.err(&format!(
            "E1122 20:27:39.807868   23625 {source} host: state: unknown state \"{profile}\": docker container inspect \
             {profile} --format={{{{.State.Status}}}}: exit status 1\nstdout:\n\n\nstderr:\n{why}"
        ));
    }
}

/// What docker says when its engine does not answer.
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

fn status(place: &Place, io: &mut Io, args: &Args, json: bool) -> Done {
    let name = args.profile();
    let host = place.lock().profiles.get(name).map(|p| p.host);
    let engine = engine(place).unwrap_or(Engine::Down);
    let host = match host {
        None | Some(Host::Invalid) => return not_found(io, args, json),
        Some(host) => host,
    };
    if engine != Engine::Up || other_engine() || matches!(host, Host::Gone | Host::Made) {
        no_state(io, name, engine, "status.go:127] status error:");
        if json {
            io.out("null")?;
        }
        return Ok(7);
    }
    let ([host_word, kubelet, server, config], code) = states(name, host);
    if config == "Misconfigured" {
        let path = kubeconfig::path();
        io.err(&format!(
            "E1122 20:40:47.821359   32619 status.go:457] kubeconfig endpoint: get endpoint: \"{name}\" does not appear \
             in {}",
            path.display()
        ));
    }
    if json && args.flag("layout") == Some("cluster") {
        let (number, word) = if code == 0 { (200, "OK") } else { (405, "Stopped") };
        let body = json!({"Name": name, "StatusCode": number, "StatusName": word,
            "BinaryVersion": format!("v{}", place.scenario.minikube.version)});
        io.out(&body.to_string())?;
    } else if json {
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

/// The nodes beside the control plane, as `minikube status` lists them.
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

/// minikube's folder (`pkg/minikube/localpath`).
pub fn home() -> String {
    match std::env::var("MINIKUBE_HOME") {
        Ok(home) if home.ends_with("/.minikube") => home,
        Ok(home) if !home.is_empty() => format!("{home}/.minikube"),
        _ => format!("{}/.minikube", std::env::var("HOME").unwrap_or_default()),
    }
}

/// The files of a profile: its folder, its configuration once a start was not rejected, and the machine's key, which
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

fn profiles(place: &Place, io: &mut Io, args: &Args, json: bool) -> Done {
    let world = place.lock();
    let engine = engine(place).unwrap_or(Engine::Down);
    let (mut valid, mut invalid) = (Vec::new(), Vec::new());
    for (name, profile) in &world.profiles {
        if profile.host == Host::Invalid {
            invalid.push(json!({"Name": name, "Status": "", "Config": null, "Active": false,
                "ActiveKubeContext": false}));
            continue;
        }
        let status = match profile.host {
            _ if args.is("light") => "Skipped",
            Host::Gone | Host::Made => "",
            _ if engine != Engine::Up => "",
            Host::Running => "OK",
            Host::Paused => "Paused",
            Host::Stopped => "Stopped",
            Host::Dead | Host::Headless | Host::Starting | Host::Invalid => "Starting",
        };
        if status.is_empty() {
            no_state(io, name, engine, "profile_list.go:125] error getting statuses:");
        }
        valid.push(
            json!({"Name": name, "Status": status, "Config": config_of(name, profile), "Active": false,
            "ActiveKubeContext": false}),
        );
    }
    if json {
        io.out(&json!({"invalid": invalid, "valid": valid}).to_string())?;
        return Ok(0);
    }
    if valid.is_empty() {
        io.err("* Exiting due to MK_USAGE_NO_PROFILE: No minikube profile was found.");
        return Ok(85);
    }
    for profile in valid {
        io.line(&format!(
            "{}\t{}",
            profile["Name"].as_str().unwrap_or(""),
            profile["Status"].as_str().unwrap_or("")
        ))?;
    }
    Ok(0)
}

fn delete(place: &Place, io: &mut Io, args: &Args, json: bool) -> Done {
    let name = args.profile().to_owned();
    let engine = engine(place);
    let profile = place.lock().profiles.get(&name).cloned();
    let existed = profile.as_ref().is_some_and(|p| p.host != Host::Invalid);
    if existed {
        let message = format!("Deleting \"{name}\" in docker ...");
        event(io, json, "info", json!({"message": message}))?;
        if !matches!(profile.map(|p| p.host), Some(Host::Gone | Host::Made)) && engine == Some(Engine::Up) {
            let message = format!("Deleting container \"{name}\" ...");
            event(
                io,
                json,
                "step",
                json!({"currentstep": "0", "message": message, "name": "Deleting", "totalsteps": "3"}),
            )?;
        }
        sleep(place.scenario.timings.delete);
    } else {
        let message = format!("\"{name}\" profile does not exist, trying anyways.");
        event(io, json, "error", json!({"message": message}))?;
    }
    {
        let mut world = place.lock();
        let had = world.profiles.remove(&name);
        let container = had.is_some_and(|p| !matches!(p.host, Host::Invalid | Host::Gone | Host::Made));
        if engine == Some(Engine::Up) && !other_engine() {
            world.leftovers.remove(&name);
        } else if container {
            // It says that all is gone, and the container runs on (recording 28).
            world.leftovers.insert(name.clone());
        }
        world.drop_cluster(&name);
        world.save();
        kubeconfig::remove(&name);
        for folder in ["profiles", "machines"] {
            let _ = std::fs::remove_dir_all(format!("{}/{folder}/{name}", home()));
        }
    }
    if existed {
        let home = home();
        event(io, json, "info", json!({"message": format!("Removing {home}/machines/{name} ...")}))?;
    }
    let message = format!("Removed all traces of the \"{name}\" cluster.");
    event(io, json, "info", json!({"message": message}))?;
    Ok(0)
}

fn stop(place: &Place, io: &mut Io, args: &Args, json: bool) -> Done {
    let name = args.profile().to_owned();
    let host = place.lock().profiles.get(&name).map(|p| p.host);
    let step = |io: &mut Io, number: &str, title: &str, message: String| {
        event(
            io,
            json,
            "step",
            json!({"currentstep": number, "message": message, "name": title, "totalsteps": "2"}),
        )
    };
    match host {
        None | Some(Host::Invalid) => return not_found(io, args, json),
        Some(Host::Gone | Host::Made) => {
            step(io, "0", "Stopping", format!("Stopping node \"{name}\"  ..."))?;
            let message = format!(
                "Unable to stop VM: ssh power off: unknown state \"{name}\": docker container inspect {name} --format=<no value>: exit status 1\nstdout:\n\n\nstderr:\nError response from daemon: No such container: {name}"
            );
            return fail(io, json, "GUEST_STOP_TIMEOUT", 82, &message, "", "");
        }
        Some(host) => {
            step(io, "0", "Stopping", format!("Stopping node \"{name}\"  ..."))?;
            if host != Host::Stopped {
                step(io, "1", "PowerOff", format!("Powering off \"{name}\" via SSH ..."))?;
                sleep(place.scenario.timings.stop);
                freeze(place, &name, Host::Stopped);
                kubeconfig::remove(&name);
            }
        }
    }
    step(io, "2", "Done", "1 node stopped.".into())?;
    Ok(0)
}

/// Time stands still in a cluster; watches of it end.
fn freeze(place: &Place, name: &str, to: Host) {
    let mut world = place.lock();
    if world.profiles.get(name).is_some_and(|p| p.host == Host::Running) {
        world.cluster(name).save(place);
    }
    if let Some(profile) = world.profiles.get_mut(name) {
        profile.host = to;
    }
    let _ = std::fs::remove_file(place.cluster_file(name, "due"));
    world.save();
}

/// And goes on.
pub fn thaw(place: &Place, _world: &World, name: &str) {
    let mut cluster = crate::cluster::Cluster::load(place, name);
    cluster.thaw();
    cluster.save(place);
}

fn pause(place: &Place, io: &mut Io, args: &Args, json: bool, pause: bool) -> Done {
    let name = args.profile().to_owned();
    let host = place.lock().profiles.get(&name).map(|p| p.host);
    match host {
        None => return not_found(io, args, json),
        Some(Host::Running | Host::Paused) => {}
        Some(_) => {
            let message = format!("The control-plane node {name} host is not running: state=Stopped");
            event(io, json, "info", json!({"message": message}))?;
            let message = format!("To start a cluster, run: \"minikube start -p {name}\"");
            event(io, json, "info", json!({"message": message}))?;
            return Ok(83);
        }
    }
    let (doing, done) = if pause { ("Pausing", "Paused") } else { ("Unpausing", "Unpaused") };
    let message = format!("{doing} node {name} ...");
    event(
        io,
        json,
        "step",
        json!({"currentstep": "0", "message": message, "name": doing, "totalsteps": "1"}),
    )?;
    sleep(place.scenario.timings.stop);
    if pause {
        freeze(place, &name, Host::Paused);
    } else if host == Some(Host::Paused) {
        let mut world = place.lock();
        thaw(place, &world, &name);
        if let Some(profile) = world.profiles.get_mut(&name) {
            profile.host = Host::Running;
        }
        world.save();
    }
    let message = format!("{done} 7 containers in: kube-system, kubernetes-dashboard, istio-operator");
    event(
        io,
        json,
        "step",
        json!({"currentstep": "1", "message": message, "name": "Done", "totalsteps": "1"}),
    )?;
    Ok(0)
}

fn update_context(place: &Place, io: &mut Io, args: &Args) -> Done {
    let name = args.profile();
    let Some(profile) = place.lock().profiles.get(name).cloned() else { return not_found(io, args, false) };
    kubeconfig::add(name, &profile.ip);
    kubeconfig::select(name);
    io.line(&format!("* \"{name}\" context has been updated to point to {}:8443", profile.ip))?;
    io.line(&format!("* Current context is \"{name}\""))?;
    Ok(0)
}
