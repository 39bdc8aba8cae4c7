//! The minikube driver, and its container engine.

use super::machine::{asked, gib, judge_cpus, judge_memory};
use super::{Ground, Verdict};
use crate::errors;
use crate::exec::{self, Exit};
use crate::explain::minikube::{Error, explain};
use crate::failure::{Failure, Kind};
use crate::tool::engine::{Answer, Engine};

/// The engines whose client kstrim can run, in the order in which minikube prefers them.
const ENGINES: [&str; 2] = ["docker", "podman"];
/// Programs of hypervisors, and the driver that uses them.
const HYPERVISORS: [(&str, &str); 5] = [
    ("virsh", "kvm2"),
    ("qemu-system-x86_64", "qemu2"),
    ("vfkit", "vfkit"),
    ("VBoxManage", "virtualbox"),
    ("prlctl", "parallels"),
];

/// minikube's drivers on this system, with its aliases (`pkg/minikube/driver`). minikube itself checks what a driver
/// needs.
const DRIVERS: &[&str] = if cfg!(target_os = "macos") {
    &[
        "docker",
        "podman",
        "qemu2",
        "qemu",
        "virtualbox",
        "parallels",
        "hyperkit",
        "vfkit",
        "krunkit",
        "vmware",
        "ssh",
    ]
} else {
    &["docker", "podman", "kvm2", "kvm", "qemu2", "qemu", "virtualbox", "vmware", "none", "ssh"]
};

/// The driver, and the state of its engine.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The driver; `None` if there is none.
    pub driver: Option<String>,
    /// Who chose it.
    pub by: &'static str,
    /// The state of the engine; `None` if the driver is none of [`ENGINES`].
    pub answer: Option<Answer>,
}

impl Found {
    /// Whether minikube's node is a container.
    pub(crate) fn is_container(&self) -> bool {
        self.driver.as_deref().is_some_and(|d| ENGINES.contains(&d))
    }
}

/// Determine the driver that minikube would use: the requested one, that of the profile, the user's own default, or
/// the first engine that responds.
pub(super) async fn find(ground: &Ground) -> Found {
    let chosen = match (&ground.settings.driver, ground.profile().await) {
        (Some(driver), _) => Some((driver.clone(), "requested")),
        (None, Some(profile)) if !profile.driver.is_empty() => Some((profile.driver, "the profile's")),
        _ => ground.configured("driver").await.map(|d| (d.to_owned(), "your minikube default")),
    };
    if let Some((driver, by)) = chosen {
        let answer = if ENGINES.contains(&driver.as_str()) { Some(ask(ground, &driver).await) } else { None };
        return Found { driver: Some(driver), by, answer: answer.map(|a| a.unwrap_or_else(absent)) };
    }
    let mut first = None;
    for name in ENGINES {
        let Some(answer) = ask(ground, name).await else { continue };
        let up = matches!(answer, Answer::Up(_));
        let found = Found { driver: Some(name.into()), by: "minikube's choice", answer: Some(answer) };
        if up {
            return found;
        }
        first.get_or_insert(found);
    }
    let hypervisor = HYPERVISORS.iter().find(|(program, _)| exec::find(program.as_ref()).is_some());
    first.unwrap_or_else(|| Found {
        driver: hypervisor.map(|(_, driver)| (*driver).to_owned()),
        by: "minikube's choice",
        answer: None,
    })
}

fn absent() -> Answer {
    Answer::Broken(String::new())
}

async fn ask(ground: &Ground, name: &str) -> Option<Answer> {
    Some(Engine::find(name, ground.runner.clone()?)?.info().await)
}

/// The driver that minikube would use.
pub(crate) async fn driver(ground: &Ground) -> Verdict {
    let found = ground.engine().await;
    match &found.driver {
        // In the same words as a failed `up`.
        Some(driver) if !DRIVERS.contains(&driver.as_str()) => {
            let message = format!("{driver}, {}; it supports {}", found.by, DRIVERS.join(", "));
            let error = Error { name: "DRV_UNSUPPORTED_OS", message: &message };
            Verdict::Fail(Box::new(explain(&[error], Exit::Code(1), "", ground.profile_name())))
        }
        Some(driver) => Verdict::Ok(format!("{driver}, {}", found.by)),
        None => Verdict::Fail(Box::new(
            Failure::new(
                errors::ENGINE_MISSING,
                Kind::Prerequisite,
                "there is nothing that minikube can run on",
            )
            .because("neither docker, podman nor a hypervisor was found on PATH")
            .hint("install Docker: https://docs.docker.com/engine/install/")
            .hint("or choose another driver: --driver NAME (https://minikube.sigs.k8s.io/docs/drivers/)"),
        )),
    }
}

/// Whether the engine responds, and the user may use it.
pub(crate) async fn responds(ground: &Ground) -> Verdict {
    let found = ground.engine().await;
    let Some(driver) = &found.driver else { return Verdict::Skip("no container engine is used".into()) };
    match &found.answer {
        None => Verdict::Skip(format!("kstrim cannot check the driver {driver}; minikube will")),
        Some(answer) => judge(driver, answer, ground.profile_name()),
    }
}

fn judge(driver: &str, answer: &Answer, profile: &str) -> Verdict {
    let upper = driver.to_uppercase();
    // minikube's own names, so that the message equals that of a failed `up`.
    let (name, words) = match answer {
        Answer::Up(info) => {
            let rootless = if info.rootless { ", rootless" } else { "" };
            return Verdict::Ok(format!("{driver} {}{rootless}", info.version));
        }
        Answer::Down(words) => (format!("PROVIDER_{upper}_NOT_RUNNING"), words.as_str()),
        Answer::Denied(words) => ("PROVIDER_DOCKER_NEWGRP".to_owned(), words.as_str()),
        Answer::Slow => ("PROVIDER_DOCKER_DEADLINE_EXCEEDED".to_owned(), "no response within 5 s"),
        Answer::Broken(words) if words.is_empty() => (format!("PROVIDER_{upper}_NOT_FOUND"), ""),
        Answer::Broken(words) => (format!("PROVIDER_{upper}_ERROR"), words.as_str()),
    };
    let error = Error { name: &name, message: words };
    let mut failure = explain(&[error], Exit::Code(1), "", profile);
    failure.causes.clear();
    if !words.is_empty() {
        failure = failure.because(format!("{driver} reports: {words}"));
    }
    Verdict::Fail(Box::new(failure))
}

/// Whether the engine has enough memory and CPUs. Its virtual machine (Docker Desktop) often has less than the
/// machine.
pub(crate) async fn size(ground: &Ground) -> Verdict {
    let Some(Answer::Up(info)) = &ground.engine().await.answer else {
        return Verdict::Skip("no container engine responds".into());
    };
    let sizes = format!("{}, {} processors", gib(info.memory_mb), info.cpus);
    if info.memory_mb == 0 || info.cpus == 0 {
        return Verdict::Skip("it does not report this".into());
    }
    if ground.profile().await.is_some() {
        return Verdict::Ok(sizes);
    }
    let (memory, cpus) = asked(ground).await;
    match (
        judge_memory(info.memory_mb, memory, "the container engine"),
        judge_cpus(info.cpus, cpus, "the container engine"),
    ) {
        (failed @ Verdict::Fail(_), _) | (_, failed @ Verdict::Fail(_)) => failed,
        (warned @ Verdict::Warn(_), _) => warned,
        _ => Verdict::Ok(sizes),
    }
}

/// minikube refuses to run as root with every driver but `none` unless forced (`DRV_AS_ROOT`), and requires root for
/// that one.
pub(crate) async fn root(ground: &Ground) -> Verdict {
    let driver = ground.engine().await.driver.clone().unwrap_or_default();
    let given = ground.settings.minikube_args.iter().any(|a| a == "--force" || a == "--force=true");
    let forced = given || ground.configured("force").await == Some("true");
    judge_root(ground.host.root, &driver, forced, ground.profile().await.is_some())
}

fn judge_root(root: bool, driver: &str, forced: bool, there: bool) -> Verdict {
    let failure = |message: &str, hint: &str| {
        Box::new(Failure::new(errors::ROOT, Kind::Prerequisite, message).hint(hint.to_owned()))
    };
    match (root, driver == "none", forced) {
        (true, true, _) | (_, _, true) | (false, false, _) => {
            Verdict::Ok(if root { "root, allowed by --force" } else { "not root" }.into())
        }
        (false, true, false) => {
            Verdict::Fail(failure("the minikube driver none needs root", "choose the docker driver"))
        }
        // The profile exists, so it was possible to create it; only the next start needs it again.
        (true, false, false) if there => Verdict::Ok("root; `minikube start` will require --force".into()),
        (true, false, false) => Verdict::Fail(
            Failure::hint(
                *failure(
                    "minikube refuses to run as root",
                    "run kstrim as an ordinary user who has permission to use the container engine",
                ),
                "or allow it: --minikube-arg=--force",
            )
            .into(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::engine::Info;

    #[test]
    fn each_engine_error_has_its_own_cause() {
        let ids = |answer: Answer| match judge("docker", &answer, "p") {
            Verdict::Ok(found) => found,
            Verdict::Fail(failure) => format!("{} {}", failure.id, failure.causes.join("")),
            other => format!("{other:?}"),
        };
        let info =
            Info { id: String::new(), version: "28.2.2".into(), memory_mb: 1, cpus: 1, rootless: true };
        assert_eq!(ids(Answer::Up(info)), "docker 28.2.2, rootless");
        assert_eq!(ids(Answer::Down("away".into())), "KS-ENGINE-DOWN docker reports: away");
        assert_eq!(ids(Answer::Denied("no".into())), "KS-ENGINE-PERMISSION docker reports: no");
        assert_eq!(ids(Answer::Slow), "KS-ENGINE-SLOW docker reports: no response within 5 s");
        assert_eq!(ids(Answer::Broken("?".into())), "KS-ENGINE-BROKEN docker reports: ?");
        assert_eq!(ids(absent()), "KS-ENGINE-MISSING ");
        let Verdict::Fail(podman) = judge("podman", &Answer::Down("x".into()), "p") else { panic!() };
        assert!(podman.message.contains("Podman"), "{podman}");
    }

    #[test]
    fn root_must_be_forced_unless_the_driver_needs_root() {
        let failed = |root, driver, forced, there| matches!(judge_root(root, driver, forced, there), Verdict::Fail(f) if f.id == errors::ROOT);
        assert!(failed(true, "docker", false, false));
        assert!(failed(false, "none", false, false));
        for (root, driver, forced, there) in [
            (false, "docker", false, false),
            (true, "docker", true, false),
            (true, "docker", false, true),
            (true, "none", false, false),
        ] {
            assert!(!failed(root, driver, forced, there), "{root} {driver} {forced} {there}");
        }
    }
}
