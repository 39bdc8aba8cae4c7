//! `minikube ssh`: kstrim's queries of a node, and its kubeadm command.

use serde_json::{Value, json};

use crate::class_data;
use crate::cluster::{Cluster, text};
use crate::flags::Args;
use crate::io::{Done, Io};
use crate::minikube::thaw;
use crate::node_state;
use crate::scenario::Host;
use crate::world::Place;

pub fn run(place: &Place, io: &mut Io, args: &Args) -> Done {
    let name = args.profile();
    let host = place.lock().profiles.get(name).map(|p| p.host);
    let headless = match host {
        Some(Host::Running | Host::Headless | Host::Dead) => host == Some(Host::Headless),
        _ => {
            io.line(&format!("* The control-plane node {name} host is not running: state=Stopped"))?;
            return Ok(83);
        }
    };
    let words: Vec<&str> = args.rest.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["sudo", "ls", "/etc/kubernetes/manifests"] => {
            // A container that replaced a lost one has no Kubernetes in it yet.
            if host == Some(Host::Dead) {
                return Ok(0);
            }
            io.line("etcd.yaml")?;
            if !headless {
                io.line("kube-apiserver.yaml")?;
            }
            io.line("kube-controller-manager.yaml")?;
            io.line("kube-scheduler.yaml")?;
        }
        ["sudo", "ls", "/etc/cni/net.d"] => {
            if !place.lock().cluster(name).memory.no_network {
                io.line("1-k8s.conflist")?;
            }
            // Like those of its base image that minikube's `pkg/minikube/cni` keeps.
            io.line("200-loopback.conf")?;
            io.line("87-podman-bridge.conflist.mk_disabled")?;
        }
        ["sudo", "ls", "/sys/fs/cgroup"] => {
            for name in ["blkio", "cpu", "memory", "pids"] {
                io.line(name)?;
            }
            if !place.scenario.no_freezer {
                io.line("freezer")?;
            }
        }
        ["sudo", "systemctl", "stop", "kubelet"] => {}
        ["sudo", "sh", "-c", script] if script.contains(" /etc/systemd/system/containerd.service.d") => {}
        ["sudo", "systemctl", "start", "kubelet"] => {
            let world = place.lock();
            let mut cluster = world.cluster(name);
            crate::pods::started_again(&mut cluster);
            cluster.save(place);
        }
        ["sudo", "df", "--output=avail", "--block-size=1M", "/var/lib/containerd"] => {
            io.line("  Avail")?;
            io.line(&format!(" {}", place.scenario.free_for_images.unwrap_or(100_000)))?;
        }
        ["sudo", "crictl", "rmp", "-a", "-f"]
        | ["sudo", "ctr", "-n", "k8s.io", "leases", ..]
        | ["sudo", "systemctl", "stop", "containerd"] => {}
        ["sudo", "ctr", "namespaces", "ls", "-q"] => io.line("k8s.io")?,
        ["sudo", "ctr", "-n", "k8s.io", "snapshots", "--snapshotter=overlayfs", "ls"] => {
            io.line("KEY                 PARENT              KIND")?;
            io.line("sha256:0a57f67a9187                     Committed")?;
        }
        ["sudo", "crictl", "rmi", digests @ ..] => {
            let world = place.lock();
            let mut cluster = world.cluster(name);
            for image in crate::nodes::images(&cluster) {
                if digests.contains(&crate::images::digest(&image).as_str()) {
                    crate::nodes::remove_image(&mut cluster, &image);
                }
            }
            cluster.save(place);
        }
        ["sudo", "crictl", "pods", "-o", "json"] => {
            let pods = pods(&place.lock().cluster(name), args.flag("node"));
            io.line(&json!({"items": pods.iter().map(sandbox).collect::<Vec<_>>()}).to_string())?;
        }
        ["sudo", "crictl", "ps", "-o", "json"] => {
            let pods = pods(&place.lock().cluster(name), args.flag("node"));
            let running: Vec<Value> = pods.iter().flat_map(containers).collect();
            io.line(&json!({"containers": running}).to_string())?;
        }
        ["sudo", "crictl", "stop", "--timeout", _, ids @ ..] => {
            for id in ids {
                io.line(id)?;
            }
        }
        ["sudo", "crictl", "inspect", "-o", "json", id] => {
            let pods = pods(&place.lock().cluster(name), args.flag("node"));
            let of = pods.iter().find(|pod| containers(pod).iter().any(|c| c["id"] == *id));
            let of = of.map_or("", |pod| text(pod, "/metadata/name"));
            let stubborn = place.scenario.stubborn.iter().any(|part| of.contains(part.as_str()));
            let code = if stubborn { 137 } else { 143 };
            io.line(
                &json!({"status": {"id": id, "state": "CONTAINER_EXITED", "exitCode": code}}).to_string(),
            )?;
        }
        ["sudo", program, "init", "phase", "control-plane", "apiserver", "--config", config]
            if program.ends_with("/kubeadm") && *config == "/var/tmp/minikube/kubeadm.yaml" =>
        {
            io.line("[control-plane] Creating static Pod manifest for \"kube-apiserver\"")?;
            if headless {
                thaw(place, &mut place.lock(), name);
            }
        }
        ["sudo", words @ ..] if let Some(done) = class_data::run(place, io, name, words) => return done,
        ["sudo", words @ ..] if let Some(done) = node_state::run(place, io, name, words) => return done,
        other => {
            io.err(&format!("bash: line 1: {}: command not found", other.first().unwrap_or(&"")));
            io.err("ssh: Process exited with status 127");
            return Ok(1);
        }
    }
    Ok(0)
}

/// The pods of a node; without a name all of them.
fn pods(cluster: &Cluster, node: Option<&str>) -> Vec<Value> {
    let here = |pod: &Value| node.is_none_or(|node| pod["spec"]["nodeName"] == node);
    cluster.list("pods", "").into_iter().filter(here).collect()
}

/// The container runtime's id of a pod, or with a number of one of its containers.
fn id(pod: &Value, container: usize) -> String {
    format!("{}{container:02x}", text(pod, "/metadata/uid").replace('-', ""))
}

/// A pod as `crictl pods -o json` lists it: the kubelet adds labels of its own.
fn sandbox(pod: &Value) -> Value {
    let (name, namespace) = (text(pod, "/metadata/name"), text(pod, "/metadata/namespace"));
    let mut labels = pod["metadata"]["labels"].clone();
    if labels.is_null() {
        labels = json!({});
    }
    labels["io.kubernetes.pod.name"] = json!(name);
    labels["io.kubernetes.pod.namespace"] = json!(namespace);
    json!({"id": id(pod, 0), "metadata": {"name": name, "namespace": namespace, "attempt": 0},
        "state": "SANDBOX_READY", "labels": labels})
}

/// Its running containers as `crictl ps -o json` lists them.
fn containers(pod: &Value) -> Vec<Value> {
    let all = pod["spec"]["containers"].as_array().into_iter().flatten().enumerate();
    all.map(|(at, container)| {
        json!({"id": id(pod, at + 1), "podSandboxId": id(pod, 0), "state": "CONTAINER_RUNNING",
            "metadata": {"name": container["name"], "attempt": 0},
            "labels": {"io.kubernetes.pod.namespace": pod["metadata"]["namespace"],
                "io.kubernetes.pod.name": pod["metadata"]["name"]}})
    })
    .collect()
}
