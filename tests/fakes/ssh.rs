//! `minikube ssh`: kstrim's queries of a node, and its kubeadm command.

use crate::flags::Args;
use crate::io::{Done, Io};
use crate::minikube::thaw;
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
        ["sudo", program, "init", "phase", "control-plane", "apiserver", "--config", config]
            if program.ends_with("/kubeadm") && *config == "/var/tmp/minikube/kubeadm.yaml" =>
        {
            io.line("[control-plane] Creating static Pod manifest for \"kube-apiserver\"")?;
            if headless {
                thaw(place, &mut place.lock(), name);
            }
        }
        other => {
            io.err(&format!("bash: line 1: {}: command not found", other.first().unwrap_or(&"")));
            io.err("ssh: Process exited with status 127");
            return Ok(1);
        }
    }
    Ok(0)
}
