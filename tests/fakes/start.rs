//! `minikube start`: the errors, and the steps with the states that a kill leaves between them.

use std::time::Duration;

use crate::cluster::Cluster;
use crate::flags::Args;
use crate::io::{Done, End};
use crate::kubeconfig;
use crate::minikube::{Out, engine, engine_error, thaw};
use crate::scenario::{CutOff, Engine, Host};
use crate::world::{Place, Profile};

struct Request {
    name: String,
    memory: u64,
    bad_memory: Option<String>,
    cpus: u64,
    driver: String,
    kubernetes: String,
    runtime: String,
    nodes: u64,
    uuid: String,
    /// Whether it is to enable storage-provisioner-rancher.
    local_path: bool,
    /// Whether minikube unpacks its own images over those of an existing volume.
    preload: bool,
    force: bool,
}

/// MB of `4096`, `4g`, `4096mb`.
fn megabytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let number: u64 = digits.parse().ok()?;
    match text[digits.len()..].to_lowercase().as_str() {
        "" | "m" | "mb" | "mi" | "mib" => Some(number),
        "g" | "gb" | "gi" | "gib" => Some(number * 1024),
        "k" | "kb" | "ki" | "kib" => Some(number / 1024),
        _ => None,
    }
}

/// Major and minor of `v1.34.4`.
fn minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.trim_start_matches('v').split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

pub fn run(place: &Place, out: &mut Out, args: &Args) -> Done {
    let name = args.profile().to_owned();
    let version = &place.scenario.minikube.version;
    out.step(
        "Initial Minikube Setup",
        &format!("[{name}] minikube v{version} on Debian 12.11 (docker/amd64)"),
    )?;
    let valid = name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    if !valid {
        out.say("warning", &format!("Profile name '{name}' is not valid"))?;
        let message = "Only alphanumeric and dashes '-' are permitted. Minimum 2 characters, starting with alphanumeric.";
        return out.fail("MK_USAGE", 14, message, "");
    }
    let home = std::env::var("MINIKUBE_HOME").or_else(|_| std::env::var("HOME")).unwrap_or_default();
    out.say("info", &format!("MINIKUBE_HOME={home}"))?;
    let force = args.is("force");
    if force {
        out.say("warning", "minikube skips various validations when --force is supplied; this may lead to unexpected behavior")?;
    }
    let existing = place.lock().profiles.get(&name).cloned().filter(|p| p.host != Host::Invalid);
    let configured = |name: &str| place.scenario.minikube_config.get(name).map(String::as_str);
    let asked = |name: &str| args.flag(name).or_else(|| configured(name));
    let release = &place.scenario.minikube;
    let request = Request {
        memory: match asked("memory") {
            None => existing.as_ref().map_or(4000, |p| p.memory),
            Some(text) => megabytes(text).unwrap_or(0),
        },
        bad_memory: asked("memory").filter(|text| megabytes(text).is_none()).map(str::to_owned),
        cpus: asked("cpus").and_then(|n| n.parse().ok()).unwrap_or(existing.as_ref().map_or(2, |p| p.cpus)),
        driver: asked("driver").unwrap_or("docker").to_owned(),
        kubernetes: {
            let version = asked("kubernetes-version")
                .unwrap_or_else(|| existing.as_ref().map_or(&*release.kubernetes, |p| p.kubernetes.as_str()));
            format!("v{}", version.trim_start_matches('v'))
        },
        // As `getContainerRuntime` of its cmd/minikube/cmd/start.go.
        runtime: asked("container-runtime")
            .unwrap_or_else(|| existing.as_ref().map_or(&*release.runtime, |p| p.runtime.as_str()))
            .to_owned(),
        uuid: asked("uuid").unwrap_or_default().to_owned(),
        nodes: asked("nodes").and_then(|n| n.parse().ok()).unwrap_or(1),
        local_path: asked("addons").is_some_and(|addons| addons == "storage-provisioner-rancher"),
        preload: args.flag("preload") != Some("false"),
        force,
        name,
    };
    if let Some(done) = refuse(place, out, &request, existing.as_ref(), asked("driver").is_some())? {
        if existing.is_none() {
            // Even a rejected start leaves a directory (recordings 24, 25).
            let mut world = place.lock();
            let profile = made(&request, world.free_ip(), Host::Invalid);
            crate::minikube::files(&request.name, &profile);
            world.profiles.entry(request.name).or_insert(profile);
            world.save();
        }
        return Ok(done);
    }
    let _ = std::fs::write(place.dir.join(format!("renewed-{}", request.name)), "");
    match existing {
        Some(old) if !matches!(old.host, Host::Made) => again(place, out, &request, &old),
        _ => fresh(place, out, &request, existing.is_some()),
    }
}

fn preparing(kubernetes: &str, runtime: &str) -> String {
    let runtime = match runtime {
        "docker" => "Docker 28.5.2",
        "crio" | "cri-o" => "CRI-O 1.35.0",
        _ => "containerd 1.6.20",
    };
    format!("Preparing Kubernetes {kubernetes} on {runtime} ...")
}

fn made(request: &Request, ip: String, host: Host) -> Profile {
    Profile {
        host,
        memory: request.memory,
        cpus: request.cpus,
        driver: request.driver.clone(),
        kubernetes: request.kubernetes.clone(),
        runtime: request.runtime.clone(),
        nodes: request.nodes,
        ip,
        uuid: request.uuid.clone(),
    }
}

/// The errors, in minikube's order.
fn refuse(
    place: &Place,
    out: &mut Out,
    r: &Request,
    old: Option<&Profile>,
    driver_given: bool,
) -> Result<Option<i32>, End> {
    if let Some(old) = old
        && driver_given
        && old.driver != r.driver
    {
        let advice = format!(
            "Delete the existing '{0}' cluster using: 'minikube delete -p {0}', or start the existing '{0}' cluster \
             using: 'minikube start -p {0} --driver={1}'",
            r.name, old.driver
        );
        let message = format!(
            "The existing \"{}\" cluster was created using the \"{}\" driver, which is incompatible with requested \
             \"{}\" driver.",
            r.name, old.driver, r.driver
        );
        return out.fail("GUEST_DRIVER_MISMATCH", 81, &message, &advice).map(Some);
    }
    let Some(version) = minor(&r.kubernetes) else {
        let text = r.kubernetes.trim_start_matches('v');
        let message = format!("Unable to parse \"{text}\": No Major.Minor.Patch elements found");
        return out.fail("MK_USAGE", 14, &message, "").map(Some);
    };
    let plain = r.kubernetes.trim_start_matches('v');
    if let Some(old) = old
        && minor(&old.kubernetes) > Some(version)
    {
        let message = format!(
            "Unable to safely downgrade existing Kubernetes {} cluster to {}",
            old.kubernetes, r.kubernetes
        );
        let advice = "1) Recreate the cluster with Kubernetes {{.new}}, by running:\n\n\t\t  minikube delete{{.profile}}\n\t\t  minikube start{{.profile}} --kubernetes-version={{.prefix}}{{.new}}";
        return out.fail("K8S_DOWNGRADE_UNSUPPORTED", 106, &message, advice).map(Some);
    }
    if version < (1, 28) && !r.force {
        out.say("warning", &format!("Specified Kubernetes version {plain} is less than the oldest supported version: v1.28.0. Use `minikube config defaults kubernetes-version` for details."))?;
        let message = format!("Kubernetes {plain} is not supported by this release of minikube");
        return out.fail("K8S_OLD_UNSUPPORTED", 106, &message, "").map(Some);
    }
    let newest = &place.scenario.minikube.kubernetes;
    if Some(version) > minor(newest) {
        out.say("warning", &format!("Specified Kubernetes version {plain} is newer than the newest supported version: v{newest}. Use `minikube config defaults kubernetes-version` for details."))?;
        let message = format!(
            "Get \"https://api.github.com/repos/kubernetes/kubernetes/releases/tags/v{plain}\": dial tcp: lookup api.github.com on 10.255.255.53:53: no such host"
        );
        let advice = "Verify that your HTTP_PROXY and HTTPS_PROXY environment variables are set correctly.";
        return out.fail("INET_LOOKUP_HOST", 48, &message, advice).map(Some);
    }
    if !matches!(r.driver.as_str(), "docker" | "podman" | "kvm2" | "none" | "ssh" | "virtualbox" | "qemu2") {
        let message = format!("The driver '{}' is not supported on linux/amd64", r.driver);
        return out.fail("DRV_UNSUPPORTED_OS", 56, &message, "").map(Some);
    }
    let chosen = if old.is_some() { "existing profile" } else { "user configuration" };
    out.step("Selecting Driver", &format!("Using the {} driver based on {chosen}", r.driver))?;
    match engine(place) {
        None => {
            let message =
                "The 'docker' provider was not found: exec: \"docker\": executable file not found in $PATH";
            return out.fail("PROVIDER_DOCKER_NOT_FOUND", 65, message, "Install Docker").map(Some);
        }
        Some(Engine::Up) => {}
        Some(engine) => {
            let message = format!(
                "\"docker version --format <no value>-<no value>:<no value>\" exit status 1: {}",
                engine_error(engine)
            );
            let (name, code, advice) = match engine {
                Engine::Denied => (
                    "PROVIDER_DOCKER_NEWGRP",
                    69,
                    "Add your user to the 'docker' group: 'sudo usermod -aG docker $USER && newgrp docker'",
                ),
                _ => ("PROVIDER_DOCKER_NOT_RUNNING", 63, "Start the Docker service"),
            };
            let code = out.fail(name, code, &message, advice)?;
            if r.force {
                // With --force a second, misleading error decides the exit code (recording 24).
                return out
                    .fail("MK_USAGE", 14, "Ensure your Docker is running and is healthy.", "")
                    .map(Some);
            }
            return Ok(Some(code));
        }
    }
    if !matches!(r.runtime.as_str(), "docker" | "cri-o" | "crio" | "containerd") {
        let message = format!(
            "Invalid Container Runtime: {}. Valid runtimes are: [docker cri-o containerd]",
            r.runtime
        );
        return out.fail("MK_USAGE", 14, &message, "").map(Some);
    }
    if let Some(text) = &r.bad_memory {
        let message = format!("Unable to parse memory '{text}': FromHumanSize: invalid size: '{text}'");
        return out.fail("MK_USAGE", 14, &message, "").map(Some);
    }
    let limit = 24105;
    if r.memory > limit {
        let message =
            format!("Requested memory allocation {}MB is more than your system limit {limit}MB.", r.memory);
        let advice = "Start minikube with less memory allocated: 'minikube start --memory={{.advised}}mb'";
        return out.fail("RSRC_OVER_ALLOC_MEM", 10, &message, advice).map(Some);
    }
    if r.memory < 1800 && !r.force {
        let message =
            format!("Requested memory allocation {}MiB is less than the usable minimum of 1800MB", r.memory);
        return out.fail("RSRC_INSUFFICIENT_REQ_MEMORY", 23, &message, "").map(Some);
    }
    let cores = if r.cpus < 2 { Some("less than the minimum allowed of 2") } else { None };
    let cores = cores.or((r.cpus > 32).then_some("greater than the available cpus of 32"));
    if let Some(why) = cores {
        let code =
            out.fail("RSRC_INSUFFICIENT_CORES", 29, &format!("Requested cpu count {} is {why}", r.cpus), "")?;
        if !r.force {
            return Ok(Some(code));
        }
    }
    if place.scenario.root {
        out.say("error", "The \"docker\" driver should not be used with root privileges. If you wish to continue as root, use --force.")?;
        out.say("error", "If you are running minikube within a VM, consider using --driver=none:")?;
        out.say("error", "https://minikube.sigs.k8s.io/docs/reference/drivers/none/")?;
        if !r.force {
            let message = "The \"docker\" driver should not be used with root privileges.";
            return out.fail("DRV_AS_ROOT", 57, message, "").map(Some);
        }
    }
    Ok(None)
}

fn put(place: &Place, r: &Request, host: Host) -> Profile {
    let mut world = place.lock();
    let ip = world.free_ip();
    let profile = world.profiles.entry(r.name.clone()).or_insert_with(|| made(r, ip, host));
    if profile.host == Host::Invalid {
        *profile = made(r, profile.ip.clone(), host);
    }
    profile.host = host;
    let profile = profile.clone();
    crate::minikube::files(&r.name, &profile);
    world.save();
    profile
}

fn pause(total: u64, share: u64) {
    std::thread::sleep(Duration::from_millis(total * share / 100));
}

fn start_node(place: &Place, out: &mut Out, r: &Request) -> Result<(), End> {
    let message = format!("Starting \"{0}\" primary control-plane node in \"{0}\" cluster", r.name);
    out.step("Starting Node", &message)?;
    let image = &place.scenario.minikube.base_image;
    out.step("Pulling Base Image", &format!("Pulling base image {image} ..."))
}

fn recreate(out: &mut Out, r: &Request) -> Result<(), End> {
    let message = format!("docker \"{}\" container is missing, will recreate.", r.name);
    out.step("Pulling Base Image", &message)
}

fn create(out: &mut Out, r: &Request) -> Result<(), End> {
    let message = format!("Creating docker container (CPUs={}, Memory={}MB) ...", r.cpus, r.memory);
    out.step("Creating Container", &message)
}

fn fresh(place: &Place, out: &mut Out, r: &Request, half_made: bool) -> Done {
    let total = place.scenario.timings.start;
    put(place, r, Host::Made);
    if place.scenario.root {
        out.say("info", "Using Docker driver with root privileges")?;
    }
    start_node(place, out, r)?;
    pause(total, 10);
    if half_made {
        recreate(out, r)?;
    }
    create(out, r)?;
    pause(total, 20);
    put(place, r, Host::Starting);
    registry_noise(place, out)?;
    out.step("Preparing Kubernetes", &preparing(&r.kubernetes, &r.runtime))?;
    pause(total, 20);
    out.step("Generating certificates", "Generating certificates and keys ...")?;
    pause(total, 10);
    out.step("Booting control plane", "Booting up control plane ...")?;
    pause(total, 30);
    out.step("Configuring RBAC rules", "Configuring RBAC rules ...")?;
    out.step("Configuring CNI", "Configuring bridge CNI (Container Networking Interface) ...")?;
    pause(total, 10);
    out.io.err("E1122 20:23:39.253986    6000 docker.go:243] \"Failed to disable\" err=<\n\tsudo systemctl disable docker.socket: Process exited with status 1\n >");
    finish(place, out, r, None)
}

fn registry_noise(place: &Place, out: &mut Out) -> Result<(), End> {
    if place.scenario.registry == crate::scenario::Registry::Up {
        return Ok(());
    }
    out.say("warning", "Failing to connect to https://registry.k8s.io/ from both inside the minikube container and host machine")?;
    // An error event on a start that succeeds (recording 21).
    out.say("error", "To pull new external images, you may need to configure a proxy: https://minikube.sigs.k8s.io/docs/reference/networking/proxy/")
}

fn finish(place: &Place, out: &mut Out, r: &Request, lacks: Option<CutOff>) -> Done {
    out.step("Verifying Kubernetes", "Verifying Kubernetes components...")?;
    out.say("info", "Using image gcr.io/k8s-minikube/storage-provisioner:v5")?;
    {
        let mut world = place.lock();
        let Some(profile) = world.profiles.get_mut(&r.name) else { return Ok(1) };
        let stopped = profile.host == Host::Stopped;
        profile.host = Host::Running;
        let profile = profile.clone();
        crate::minikube::files(&r.name, &profile);
        if place.cluster_file(&r.name, "json").exists() {
            thaw(place, &mut world, &r.name);
            if stopped {
                let mut cluster = Cluster::load(place, &r.name);
                crate::pods::started_again(&mut cluster);
                cluster.save(place);
            }
        } else {
            let mut cluster = Cluster::new(place, &r.name, &profile);
            if lacks != Some(CutOff::NoAddOns) {
                crate::nodes::add_ons(&mut cluster);
            }
            if r.local_path {
                crate::nodes::local_path(&mut cluster);
            }
            let volume = world.volumes.get(&r.name).filter(|_| !r.preload);
            for image in volume.into_iter().flat_map(|volume| &volume.images) {
                crate::nodes::add_image(&mut cluster, image);
            }
            cluster.memory.no_network = lacks == Some(CutOff::NoNetwork);
            let now = cluster.clock;
            cluster.advance(now);
            cluster.save(place);
        }
        world.save();
        kubeconfig::add(&r.name, &profile.ip);
    }
    crate::certificates::files(&place.scenario, &r.name);
    out.step("Enabling Addons", "Enabled addons: storage-provisioner, default-storageclass")?;
    for number in 2..=r.nodes {
        join(place, out, r, number)?;
    }
    out.step("Done", &format!("To connect to this cluster, use:  --context={}", r.name))?;
    Ok(0)
}

/// Add another node, long after the first one is ready.
fn join(place: &Place, out: &mut Out, r: &Request, number: u64) -> Result<(), End> {
    let node = format!("{}-m{number:02}", r.name);
    let message = format!("Starting \"{node}\" worker node in \"{}\" cluster", r.name);
    out.step("Starting Node", &message)?;
    pause(place.scenario.timings.start, 100);
    let world = place.lock();
    let mut cluster = world.cluster(&r.name);
    crate::nodes::join(&mut cluster, &node);
    cluster.save(place);
    Ok(())
}

/// A start of an existing profile.
fn again(place: &Place, out: &mut Out, r: &Request, old: &Profile) -> Done {
    let t = &place.scenario.timings;
    let change = |what: &str| {
        format!(
            "You cannot change the {what} for an existing minikube cluster. Please first delete the cluster."
        )
    };
    if r.memory != old.memory {
        out.say("warning", &change("memory size"))?;
    }
    if r.cpus != old.cpus {
        out.say("warning", &change("CPUs"))?;
    }
    if place.scenario.root {
        let name = &r.name;
        out.say(
            "error",
            &format!("Tip: To remove this root owned cluster, run: sudo minikube delete -p {name}"),
        )?;
    }
    start_node(place, out, r)?;
    match old.host {
        Host::Gone | Host::Dead => {
            // The container no longer exists, and its replacement has no Kubernetes in it.
            recreate(out, r)?;
            create(out, r)?;
            put(place, r, Host::Dead);
            out.step("Preparing Kubernetes", &preparing(&r.kubernetes, &r.runtime))?;
            return never_appeared(place, out);
        }
        Host::Stopped => {
            let message = format!("Restarting existing docker container for \"{}\" ...", r.name);
            out.step("Pulling Base Image", &message)?;
        }
        _ => {
            let message = format!("Updating the running docker \"{}\" container ...", r.name);
            out.step("Updating Driver", &message)?;
        }
    }
    registry_noise(place, out)?;
    pause(t.restart, 60);
    let kubernetes = {
        let mut world = place.lock();
        // An upgrade is accepted.
        if let Some(profile) = world.profiles.get_mut(&r.name) {
            profile.kubernetes = r.kubernetes.clone();
            // So is another runtime, which the node may not have.
            profile.runtime = r.runtime.clone();
        }
        world.save();
        r.kubernetes.clone()
    };
    out.step("Preparing Kubernetes", &preparing(&kubernetes, &r.runtime))?;
    pause(t.restart, 40);
    if old.host == Host::Headless {
        // Its configuration is unchanged: nothing is set up again (seen with 1.38.1).
        return never_appeared(place, out);
    }
    if old.host == Host::Running {
        if old.nodes > 1 {
            let world = place.lock();
            let mut cluster = world.cluster(&r.name);
            crate::nodes::start_workers(&mut cluster);
            cluster.save(place);
        }
        out.step("Verifying Kubernetes", "Verifying Kubernetes components...")?;
        out.say("info", "Using image gcr.io/k8s-minikube/storage-provisioner:v5")?;
        kubeconfig::add(&r.name, &old.ip);
        out.step("Enabling Addons", "Enabled addons: default-storageclass, storage-provisioner")?;
        out.step("Done", &format!("To connect to this cluster, use:  --context={}", r.name))?;
        return Ok(0);
    }
    match place.scenario.kubeadm_cut_off.filter(|_| old.host == Host::Starting) {
        lacks @ (None | Some(CutOff::NoAddOns | CutOff::NoNetwork)) => finish(place, out, r, lacks),
        Some(CutOff::Fails) => {
            let message = "failed to start node: wait: sudo /bin/bash -c \"env PATH=\"/var/lib/minikube/binaries/v1.34.4:$PATH\" kubeadm init --config /var/tmp/minikube/kubeadm.yaml --ignore-preflight-errors=DirAvailable--etc-kubernetes-manifests\": exit status 1";
            out.fail("GUEST_START", 80, message, "")
        }
    }
}

/// Six minutes, then a misleading failure (recording 27).
fn never_appeared(place: &Place, out: &mut Out) -> Done {
    out.step("Verifying Kubernetes", "Verifying Kubernetes components...")?;
    pause(place.scenario.timings.start_gone, 100);
    out.step("Enabling Addons", "Enabled addons:")?;
    let message = "wait 6m0s for node: wait for apiserver proc: apiserver process never appeared";
    let advice = "Check that the provided apiserver flags are valid, and that SELinux is disabled";
    out.fail("K8S_APISERVER_MISSING", 105, message, advice)
}
