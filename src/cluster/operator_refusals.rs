//! Failures about an operator that kstrim did not install, and how its owner can fix them.

use super::existing_operator::ExistingOperator;
use super::operator_owner::Owner;
use super::operators;
use super::refusals::up_of;
use crate::catalogue::{Release, releases};
use crate::command_line::CommandLine;
use crate::config::Target;
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::kube::Object;
use crate::kube::cluster::Deployment;
use crate::names::Version;
use crate::paths::{ProfilePaths, state_dir};

/// Strimzi's chart, as its documentation installs it.
const CHART: &str = "oci://quay.io/strimzi-helm/strimzi-kafka-operator";

/// Several operators watch the namespace.
pub(super) fn several(target: &Target, found: &ExistingOperator, homes: &[String]) -> Box<Failure> {
    let message = format!(
        "operators in the namespaces {} all watch namespace {}, and kstrim installed none of them",
        homes.join(" and "),
        target.namespace
    );
    Box::new(
        Failure::new(errors::OPERATOR_SECOND, Kind::Foreign, message)
            .because("two operators of one namespace undo each other's changes")
            .because(format!("one of them is {}", found.described()))
            .hint("restrict all but one to other namespaces with STRIMZI_NAMESPACE")
            .hint(elsewhere(target)),
    )
}

/// The catalogue does not have the release of the operator.
pub(crate) fn unknown_release(target: &Target, found: &ExistingOperator, text: Option<&str>) -> Box<Failure> {
    let is = match text {
        Some(text) => format!("is Strimzi {text}, which this kstrim does not know"),
        None => "does not say which Strimzi release it is".to_owned(),
    };
    let (oldest, newest) = match releases() {
        [first, .., last] => (first.version.to_string(), last.version.to_string()),
        _ => (String::new(), String::new()),
    };
    let message = format!("{} {is}", found.named());
    let failure = Failure::new(errors::OPERATOR_RELEASE_UNKNOWN, Kind::Prerequisite, message)
        .because(format!("it watches namespace {}; it was installed {}", target.namespace, found.owner))
        .because(format!("its image is {}", Deployment(&found.deployment).image()))
        .because(format!(
            "the release decides the version of its resources; kstrim knows {oldest} to {newest}"
        ))
        .hint(format!("list all releases: {}", CommandLine::new("kstrim versions")));
    let live = text.and_then(|text| text.parse::<Version>().ok());
    let failure = match (live, newest.parse::<Version>()) {
        (Some(live), Ok(newest)) if live < newest => {
            upgrade_hints(target, found, &newest).into_iter().fold(failure, Failure::hint)
        }
        (Some(_), _) => failure.hint("a newer kstrim may know it"),
        (None, _) => failure,
    };
    Box::new(failure.hint(elsewhere(target)))
}

/// Another release than the operator's was requested.
pub(super) fn another_release(
    target: &Target,
    found: &ExistingOperator,
    live: &Release,
    asked: &Version,
) -> Box<Failure> {
    let live = &live.version;
    let message = format!("{} is Strimzi {live}, not {asked}", found.named());
    let failure = Failure::new(errors::OPERATOR_RELEASE, Kind::Usage, message)
        .because(format!(
            "it watches namespace {}, so it decides the release; it was installed {}",
            target.namespace, found.owner
        ))
        .because("kstrim does not change an operator that it did not install")
        .hint(format!("use it as it is: {}", up_of(target).with("--release", live)));
    let hints = if asked > live { upgrade_hints(target, found, asked) } else { Vec::new() };
    Box::new(hints.into_iter().fold(failure, Failure::hint).hint(elsewhere(target)))
}

/// The operator has no image of the Kafka version.
pub(super) fn another_kafka(
    target: &Target,
    found: &ExistingOperator,
    kafkas: &[Version],
    asked: &Version,
) -> Box<Failure> {
    let list = kafkas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let message = format!("{} cannot run Kafka {}", found.named(), asked);
    let failure = Failure::new(errors::OPERATOR_KAFKA, Kind::Usage, message).because(format!(
        "its STRIMZI_KAFKA_IMAGES and kstrim's catalogue have in common: {}",
        if list.is_empty() { "no version" } else { &list }
    ));
    Box::new(match kafkas.last() {
        Some(newest) => {
            failure.hint(format!("use another version: {}", up_of(target).with("--kafka", newest)))
        }
        None => failure.hint(elsewhere(target)),
    })
}

/// The operator is scaled to 0.
pub(super) fn stopped(target: &Target, found: &ExistingOperator) -> Box<Failure> {
    let (name, namespace) = (found.deployment.name(), found.namespace());
    let message = format!("{} is scaled to 0, so it would not reconcile the Kafka cluster", found.named());
    let scale = target.kubectl("scale --replicas=1").arg(format!("deployment/{name}"));
    Box::new(
        Failure::new(errors::OPERATOR_STOPPED, Kind::Prerequisite, message)
            .because(format!("it watches namespace {}; it was installed {}", target.namespace, found.owner))
            .because("kstrim does not change an operator that it did not install")
            .hint(format!("if it is yours, start it again: {}", scale.args(["-n", namespace]))),
    )
}

/// The operator selects by labels that the Kafka does not have.
pub(super) fn ignored(target: &Target, found: &ExistingOperator) -> Box<Failure> {
    let labels: Vec<String> =
        found.selector().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let message = format!(
        "{} reconciles only resources with the labels {}, which the Kafka resource {} does not have",
        found.named(),
        labels.join(", "),
        &target.cluster
    );
    let label = target.kubectl("label kafkas.kafka.strimzi.io").arg(&target.cluster).args(&labels);
    Box::new(
        Failure::new(errors::OPERATOR_NAMESPACE, Kind::Foreign, message)
            .because("STRIMZI_CUSTOM_RESOURCE_SELECTOR of its Deployment lists them")
            .hint(format!("add them: {}", label.arg("-n").arg(&target.namespace))),
    )
}

/// A user's manifest has other labels than those that the operator selects by.
pub(crate) fn other_label(
    target: &Target,
    found: &ExistingOperator,
    at: &str,
    (name, value): (&str, &str),
) -> Box<Failure> {
    let message = format!("{at}: {} would ignore it: its label {name} is not {value}", found.named());
    Box::new(
        Failure::new(errors::OPERATOR_NAMESPACE, Kind::Foreign, message)
            .because("STRIMZI_CUSTOM_RESOURCE_SELECTOR of its Deployment lists this label")
            .hint(format!("leave the label out, then kstrim adds it, or set it to {value}"))
            .hint(elsewhere(target)),
    )
}

/// An operator in the namespace that watches only other namespaces.
pub(super) fn watches_others(target: &Target, operator: &Object) -> Box<Failure> {
    let (what, watched) = (operators::named(operator), Deployment(operator).watched_namespaces().join(", "));
    let owner = Owner::of(operator.json());
    let message = format!("{what} watches only {watched}, not {}", target.namespace);
    Box::new(
        Failure::new(errors::OPERATOR_NAMESPACE, Kind::Foreign, message)
            .because(format!("kstrim did not install it: it was installed {owner}"))
            .because("a second operator in this namespace would have the same names")
            .hint(watch_hint(target, &owner, operator))
            .hint(elsewhere(target)),
    )
}

/// The definitions and roles of somebody else's Strimzi are in the way; names the namespaces that its operators watch.
pub(crate) fn beside_others(target: &Target, mut failure: Failure, operators: &[Object]) -> Failure {
    for operator in operators {
        let owner = Owner::of(operator.json());
        failure = failure.because(format!(
            "{} watches only {}; it was installed {owner}",
            operators::named(operator),
            Deployment(operator).watched_namespaces().join(", ")
        ));
    }
    match operators {
        [one] => {
            let owner = Owner::of(one.json());
            failure.hint(watch_hint(target, &owner, one))
        }
        _ => failure,
    }
}

/// The operator has no permissions in the namespace.
pub(crate) fn forbidden(
    target: &Target,
    found: &ExistingOperator,
    user: &str,
    denied: &[String],
) -> Box<Failure> {
    let namespace = target.namespace.as_str();
    let message = format!("{} watches namespace {namespace}, but has no permissions there", found.named());
    let account = user.trim_start_matches("system:serviceaccount:");
    let mut failure = Failure::new(errors::OPERATOR_FORBIDDEN, Kind::Prerequisite, message)
        .because(format!("missing permissions of {user}: {}", denied.join(", ")))
        .because(format!("it was installed {}; kstrim does not change its permissions", found.owner));
    if matches!(found.owner, Owner::Helm { .. } | Owner::Hand { .. }) {
        // What Strimzi documents for a list of namespaces.
        let roles = [
            ("strimzi-cluster-operator", "strimzi-cluster-operator-namespaced"),
            ("strimzi-cluster-operator-watched", "strimzi-cluster-operator-watched"),
            ("strimzi-cluster-operator-entity-operator-delegation", "strimzi-entity-operator"),
        ];
        for (name, role) in roles {
            let bind = target.kubectl("create rolebinding").arg(name);
            let bind = bind.arg(format!("--clusterrole={role}")).arg(format!("--serviceaccount={account}"));
            failure = failure.hint(format!("grant them: {}", bind.args(["-n", namespace])));
        }
        return Box::new(failure);
    }
    Box::new(failure.hint(watch_hint(target, &found.owner, &found.deployment)))
}

/// A definition that the operator needs does not exist.
pub(super) fn missing_definition(target: &Target, release: &Release, name: &str) -> Box<Failure> {
    let message = format!("the resource definition {name} does not exist");
    Box::new(
        Failure::new(errors::CRDS_INCOMPLETE, Kind::Prerequisite, message)
            .because("kstrim adds no definitions where it did not install the operator")
            .hint(format!(
                "if they are yours, apply those of the release: {}",
                crds(target, &release.version)
            )),
    )
}

/// The definitions belong to an incompatible release.
pub(super) fn other_definitions(
    target: &Target,
    release: &Release,
    name: &str,
    lacking: &str,
    served: &[&str],
) -> Box<Failure> {
    let message = format!(
        "the resource definition {name} does not serve the version {lacking}, which Strimzi {} uses",
        release.version
    );
    Box::new(
        Failure::new(errors::CRDS_RELEASE, Kind::Prerequisite, message)
            .because(format!("it serves {}", served.join(", ")))
            .because("Helm does not upgrade CRDs with a chart, and kstrim did not create them")
            .hint(format!(
                "if they are yours, apply those of the release: {}",
                crds(target, &release.version)
            )),
    )
}

/// `upgrade` of an operator that kstrim did not install.
pub(crate) fn upgraded_by_owner(target: &Target, found: &ExistingOperator, to: &Version) -> Box<Failure> {
    let message = format!("{} was not installed by kstrim, so kstrim does not upgrade it", found.named());
    let failure = Failure::new(errors::UPGRADE_OPERATOR, Kind::Foreign, message)
        .because(format!("it was installed {}", found.owner));
    let failure = upgrade_hints(target, found, to).into_iter().fold(failure, Failure::hint);
    let again = up_of(&Target { given: Vec::new(), ..target.clone() });
    Box::new(
        failure.hint(format!("then let kstrim use the new release; --kafka VERSION upgrades Kafka: {again}")),
    )
}

/// How the owner of an operator upgrades it, one hint per step.
fn upgrade_hints(target: &Target, found: &ExistingOperator, to: &Version) -> Vec<String> {
    let definitions = || format!("first its CRDs, which Helm does not upgrade: {}", crds(target, to));
    match &found.owner {
        Owner::Helm { release, namespace } => {
            let helm = helm(target, release, namespace).arg("--version").arg(to);
            vec![definitions(), format!("then the chart: {}", helm.arg("--reset-then-reuse-values"))]
        }
        Owner::Olm { namespace, .. } => {
            let get = |what| target.kubectl("get").arg(what).args(["-n", namespace]);
            vec![
                format!(
                    "its Subscription decides the release by channel and approval: {}",
                    get("subscriptions.operators.coreos.com")
                ),
                format!("approve an InstallPlan that waits: {}", get("installplans.operators.coreos.com")),
            ]
        }
        Owner::ArgoCd { application } => vec![format!(
            "set the release {to} in the source of the Application {application}, CRDs included, and sync it"
        )],
        Owner::Flux { kind, name, namespace } => {
            vec![format!(
                "set the release {to} in the source of the {kind} {name} {namespace}, CRDs included"
            )]
        }
        Owner::Kstrim => {
            let upgrade = target.kstrim("upgrade --release").arg(to);
            vec![format!("upgrade that installation: {}", upgrade.with("--namespace", found.namespace()))]
        }
        Owner::Hand { .. } => vec![format!(
            "apply the install files of that release as the current ones were applied, with the same \
             namespaces: https://github.com/strimzi/strimzi-kafka-operator/releases/download/{to}/strimzi-{to}.tar.gz"
        )],
    }
}

/// How the owner can make the operator watch another namespace, too.
fn watch_hint(target: &Target, owner: &Owner, operator: &Object) -> String {
    let namespace = &target.namespace;
    match owner {
        Owner::Helm { release, namespace: home } => {
            // The chart adds the release's own namespace.
            let mut all = Deployment(operator).watched_namespaces();
            all.retain(|watched| *watched != home);
            if namespace.as_str() != home {
                all.push(namespace.as_str());
            }
            let list = format!("watchNamespaces={{{}}}", all.join(","));
            let helm = helm(target, release, home).args(["--reuse-values", "--set"]).arg(list);
            format!("let it watch this namespace, too: {helm}")
        }
        Owner::Olm { namespace: home, .. } => {
            let get = target.kubectl("get operatorgroups.operators.coreos.com -o yaml").args(["-n", home]);
            format!("let its OperatorGroup target this namespace, too: {get}")
        }
        Owner::ArgoCd { application } => {
            format!("let it watch {namespace}, too, in the source of the Application {application}")
        }
        Owner::Flux { kind, name, .. } => {
            format!("let it watch {namespace}, too, in the source of the {kind} {name}")
        }
        Owner::Kstrim | Owner::Hand { .. } => format!(
            "let it watch {namespace}, too: add it to STRIMZI_NAMESPACE, and create its RoleBindings there"
        ),
    }
}

/// `helm upgrade` of a release, on the cluster of the target.
fn helm(target: &Target, release: &str, namespace: &str) -> CommandLine {
    let release = if release.is_empty() { "RELEASE" } else { release };
    let line = CommandLine::new("helm upgrade").arg(release).arg(CHART).args(["-n", namespace]);
    match &target.context {
        Some(context) => line.arg("--kube-context").arg(context),
        None => {
            let paths = ProfilePaths::new(state_dir(), target.profile.as_str());
            line.arg("--kubeconfig").arg(paths.kubeconfig().display())
        }
    }
}

/// The command that applies the definitions of a release.
fn crds(target: &Target, release: &Version) -> CommandLine {
    let base = "https://github.com/strimzi/strimzi-kafka-operator/releases/download";
    let apply = target.kubectl("apply --server-side --force-conflicts -f");
    apply.arg(format!("{base}/{release}/strimzi-crds-{release}.yaml"))
}

/// The hint to use a cluster without such an operator: kstrim's own operator would have the same cluster-wide names.
fn elsewhere(target: &Target) -> String {
    match &target.context {
        Some(_) => "or use another cluster".to_owned(),
        None => format!("or use another profile: {}", up_of(target).with("--profile", "another-name")),
    }
}
