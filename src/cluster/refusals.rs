//! Failures that several tasks share.

use super::session::Session;
use crate::command_line::CommandLine;
use crate::component::{Component, Home};
use crate::config::Target;
use crate::errors;
use crate::failure::{Failure, Id, Kind};

/// `what` was not created by kstrim. With `--adopt` the user agrees to use it; with another value of the flag
/// `instead`, it is not used.
pub(crate) fn foreign(cx: &Session, id: Id, what: String, instead: &'static str) -> Box<Failure> {
    foreign_to(&cx.target, id, &what, instead)
}

/// The same for a target without a run.
pub(crate) fn foreign_to(target: &Target, id: Id, what: &str, instead: &'static str) -> Box<Failure> {
    Box::new(
        Failure::new(id, Kind::Foreign, format!("{what} was not created by kstrim"))
            .because("kstrim changes only what it created, unless you tell it to")
            .hint(format!("use it anyway: {}", up_of(target).arg("--adopt")))
            .hint(format!("or do not use it: {}", up_of(target).with(instead, "another-name"))),
    )
}

/// kstrim once created a profile of this name; only its cluster, once it runs, can prove whether it is this one.
/// `adopt` is the command that continues anyway.
pub(crate) fn unproven(target: &Target, adopt: &CommandLine) -> Failure {
    let profile = &target.profile;
    Failure::new(errors::PROFILE_UNPROVEN, Kind::Foreign, format!("nothing proves that kstrim created this profile {profile}"))
        .because(
            "the journal has nothing that identifies it, its machine appeared while kstrim was not running, or its \
             minikube files are missing",
        )
        .because("a running cluster has kstrim's marker; this one is not running")
        .hint(format!("start it, then try again: {}", target.minikube("start")))
        .hint(format!("or confirm that it is kstrim's: {adopt}"))
}

/// The Secret for a docker login was not created by kstrim. `--adopt` does not apply: its contents would be lost.
pub(crate) fn foreign_secret(cx: &Session, name: &str) -> Box<Failure> {
    let message = format!("the Secret {name} in namespace {} was not created by kstrim", cx.namespace());
    Box::new(
        Failure::new(errors::SECRET_FOREIGN, Kind::Foreign, message)
            .because("kstrim stores the docker login of --image-pull-config under this name")
            .hint(format!("pull with the existing Secret: {}", up(cx).with("--image-pull-secret", name))),
    )
}

/// The `up` command of this run's target.
pub(crate) fn up(cx: &Session) -> CommandLine {
    up_of(&cx.target)
}

/// The `up` command of a target: for `up` itself, with the flags that were specified.
pub(crate) fn up_of(target: &Target) -> CommandLine {
    let again = target.again();
    if again.verb() == Some("up") { again } else { target.kstrim("up") }
}

/// The cluster would not provision volumes for a new Kafka cluster; lists the storage classes that exist.
pub(crate) fn no_class(target: &Target, classes: &[&str], up: CommandLine) -> Failure {
    let failure = Failure::new(
        crate::errors::STORAGE_CLASS,
        Kind::Prerequisite,
        "the cluster has no default storage class, so Kafka's volumes could not be created",
    );
    let failure = match classes {
        [] => failure.because("it has no storage class at all"),
        names => failure.because(format!("its storage classes: {}", names.join(", "))),
    };
    let failure = match (classes, &target.context) {
        (_, None) => {
            ["storage-provisioner", "default-storageclass"].into_iter().fold(failure, |failure, addon| {
                let enable = target.minikube("addons enable").arg(addon);
                failure.hint(format!("enable minikube's {addon}: {enable}"))
            })
        }
        ([], Some(_)) => failure.hint("install a volume provisioner in it"),
        ([first, ..], Some(_)) => failure.hint(format!(
            "make one the default: {}",
            target
                .kubectl("annotate storageclass")
                .arg(first)
                .arg("storageclass.kubernetes.io/is-default-class=true")
        )),
    };
    failure.hint(format!("or use no volumes, if the data may be lost: {}", up.with("--preset", "ephemeral")))
}

/// The refusal to change a component that kstrim did not create.
pub(crate) fn foreign_component(cx: &Session, component: &Component) -> Box<Failure> {
    let target = &cx.target;
    let (what, see) = match &component.home {
        Home::Resource(kind, _) => {
            (format!("the {kind} {} in namespace {}", cx.cluster(), cx.namespace()), kind.plural())
        }
        Home::Field(field) => {
            (format!("{} of the Kafka {}", field.path.join("."), cx.cluster()), "kafkas.kafka.strimzi.io")
        }
    };
    Box::new(
        Failure::new(
            crate::errors::COMPONENT_FOREIGN,
            Kind::Foreign,
            format!("{what} was not created by kstrim"),
        )
        .because("kstrim changes and removes only what it created")
        .hint(format!(
            "show it: {}",
            target
                .kubectl("get")
                .arg(see)
                .arg(cx.cluster())
                .arg("-n")
                .arg(cx.namespace())
                .args(["-o", "yaml"])
        ))
        .hint(format!("use it unchanged: omit {}", component.name)),
    )
}
