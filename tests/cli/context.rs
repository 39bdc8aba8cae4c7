//! `--context`: a cluster that minikube did not create.

use serde_json::{Value, json};

use crate::harness::Test;
use crate::support::{KAFKA, apply_foreign_to, events, failure, fresh, outcomes, quick, told, written};

const CLUSTER: &str = "prod";

/// A Kubernetes cluster that is `prod` in the user's kubeconfig, and no minikube on this machine.
fn world() -> Test {
    let test = fresh().scenario(quick);
    test.fake("minikube", ["start", "-p", CLUSTER]).expect(0);
    test.forget_calls();
    test.without("minikube").without("docker")
}

fn kubeconfig(test: &Test) -> Vec<u8> {
    std::fs::read(test.home().join(".kube/config")).expect("the user's kubeconfig")
}

/// Whether minikube or docker was called.
fn machine_calls(test: &Test) -> usize {
    test.calls().iter().filter(|c| !c.by_hand && c.program != "kubectl").count()
}

/// A profile and a context are two clusters: a flag takes precedence over a variable, and two of equal precedence are
/// rejected.
#[test]
fn profile_and_context_exclude_each_other() {
    let mut test = fresh().scenario(quick);
    test.fake("minikube", ["start", "-p", CLUSTER]).expect(0);
    test.args(["up"]).run().expect(0);
    let theirs = test.objects(CLUSTER);
    let mut test = test.env("KSTRIM_CONTEXT", CLUSTER);
    for args in [&["up", "-p", "kstrim", "--yes"][..], &["topic", "create", "t", "-p", "kstrim"]] {
        test.args(args.iter().copied()).run().expect(0);
    }
    assert_eq!(test.objects(CLUSTER), theirs);
    let status = test.args(["status", "-p", "kstrim", "-o", "json"]).run().expect(0).json();
    assert_eq!(status["profile"]["name"], "kstrim");
    for args in
        [&["down", "--yes", "-p", "kstrim", "--context", CLUSTER][..], &["status", "--context=x", "-pkstrim"]]
    {
        let run = test.args(args.iter().copied()).run().expect(2);
        assert!(run.stderr.contains("two clusters"), "{}", run.stderr);
    }
    let shown = test.args(["config", "show", "-p", "kstrim", "-o", "json"]).run().expect(0).stdout;
    assert!(!shown.contains(CLUSTER), "the profile is used: {shown}");
    let mut test = test.env("KSTRIM_PROFILE", "kstrim");
    test.args(["status"]).run().expect(2);
    // Commands that need no cluster, such as the one that explains the rejection, are not rejected.
    test.args(["explain", "KS-USAGE"]).run().expect(0);
    // A variable with an empty value, as CI systems set it, is ignored.
    let mut test = test.env("KSTRIM_CONTEXT", "").env("KSTRIM_NAMESPACE", "").env("KSTRIM_TIMEOUT", "");
    test.args(["up"]).run().expect(0);
    let run = test.env("KSTRIM_STATE_DIR", "here").args(["status"]).run().expect(2);
    assert!(run.stderr.contains("absolute path"), "{}", run.stderr);
}

#[test]
fn up_and_down_on_an_existing_cluster() {
    let mut test = world();
    let before = kubeconfig(&test);
    let unasked = events(&mut test, ["up", "--context", CLUSTER], 2);
    assert_eq!(failure(&unasked), "KS-CONSENT");
    assert!(told(&unasked).contains("kstrim up --context prod -o json --yes"), "{}", told(&unasked));
    assert_eq!(written(&test), Vec::<String>::new());
    let lines = events(&mut test, ["up", "--context", CLUSTER, "--yes"], 0);
    let tasks: Vec<String> = outcomes(&lines).into_keys().collect();
    assert_eq!(tasks, ["crds", "kafka", "namespace", "operator", "preflight", "ready", "smoke", "topic"]);
    // The preset is ha, Strimzi's own settings are kept, no marker is created.
    let pool = test.object(CLUSTER, "kafkanodepools.kafka.strimzi.io/kafka/broker");
    assert_eq!(pool["spec"]["replicas"], 3);
    assert!(test.object(CLUSTER, KAFKA)["spec"]["kafka"]["readinessProbe"].is_null());
    assert!(test.object(CLUSTER, "configmaps/kube-system/kstrim").is_null());
    // Consent is remembered, and there is nothing left to do.
    test.forget_calls();
    events(&mut test, ["up", "--context", CLUSTER], 0);
    assert_eq!(written(&test), Vec::<String>::new());
    let later: Vec<Vec<&str>> = vec![
        vec!["status", "-o", "json"],
        vec!["smoke-test"],
        vec!["topic", "create", "orders"],
        vec!["plan"],
        vec!["logs", "--tail", "1"],
        vec!["env"],
        vec!["kubectl", "--", "get", "pods", "-n", "kafka"],
        vec!["diagnose"],
        vec!["upgrade", "--release", "1.2.0", "--dry-run"],
        vec!["doctor", "--offline"],
    ];
    for mut args in later {
        let place = args.iter().position(|a| *a == "--").unwrap_or(args.len());
        args.splice(place..place, ["--context", CLUSTER]);
        let run = test.args(args.clone()).run();
        assert_eq!(run.code(), 0, "{args:?}: {}{}", run.stdout, run.stderr);
        assert!(!run.stdout.contains("MINIKUBE_PROFILE"), "{}", run.stdout);
    }
    let status = test.args(["status", "--context", CLUSTER, "-o", "json"]).run().expect(0).json();
    assert_eq!((&status["kafka"]["ready"], &status["profile"]["ours"]), (&json!(true), &json!(false)));
    let unasked = events(&mut test, ["down", "--context", CLUSTER], 2);
    assert_eq!(failure(&unasked), "KS-CONSENT");
    events(&mut test, ["down", "--context", CLUSTER, "--yes"], 0);
    let left = test.objects(CLUSTER);
    let left: Vec<&String> =
        left.as_object().unwrap().keys().filter(|k| k.contains("strimzi") || k.contains("/kafka/")).collect();
    assert_eq!(left, Vec::<&String>::new());
    assert!(test.profile(CLUSTER).is_object(), "the cluster itself stays");
    assert_eq!(machine_calls(&test), 0);
    assert!(kubeconfig(&test) == before, "the user's kubeconfig was changed");
}

#[test]
fn missing_permissions_are_listed() {
    let mut test = world();
    test.change_scenario(|s| {
        s.forbidden =
            vec!["create clusterroles.rbac.authorization.k8s.io".into(), "create pods/portforward".into()]
    });
    let lines = events(&mut test, ["up", "--context", CLUSTER, "--yes"], 3);
    assert_eq!(failure(&lines), "KS-CONTEXT-FORBIDDEN");
    for what in [
        "missing permission: create clusterroles.rbac.authorization.k8s.io in the whole cluster",
        "missing permission: create pods/portforward in namespace kafka",
    ] {
        assert!(told(&lines).contains(what), "{}", told(&lines));
    }
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn a_foreign_strimzi_keeps_its_roles() {
    let mut test = world();
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "strimzi-cluster-operator", "labels": {"app": "strimzi"}},
        "subjects": [], "roleRef": {"kind": "ClusterRole", "name": "x", "apiGroup": "rbac.authorization.k8s.io"}});
    apply_foreign_to(&test, CLUSTER, &[binding]);
    test.forget_calls();
    let lines = events(&mut test, ["up", "--context", CLUSTER, "--yes"], 5);
    assert_eq!(failure(&lines), "KS-CONTEXT-STRIMZI");
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn a_namespace_with_foreign_objects_is_kept() {
    let mut test = world();
    events(&mut test, ["up", "--context", CLUSTER, "--preset", "single", "--yes"], 0);
    let theirs: Value = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "app", "namespace": "kafka"}, "data": {}});
    apply_foreign_to(&test, CLUSTER, &[theirs]);
    let lines = events(&mut test, ["down", "--context", CLUSTER, "--yes"], 0);
    let stays = lines.iter().any(|l| {
        l["detail"].as_str().is_some_and(|d| d.contains("kstrim did not create what is in it: ConfigMap app"))
    });
    assert!(stays, "{lines:#?}");
    assert!(test.object(CLUSTER, "configmaps/kafka/app").is_object());
    assert!(test.object(CLUSTER, KAFKA).is_null());
}

#[test]
fn an_unknown_context_lists_the_existing_ones() {
    let mut test = world();
    let run = test.args(["up", "--context", "nope"]).run().expect(2);
    assert!(
        run.stderr.contains("KS-CONTEXT-UNKNOWN") && run.stderr.contains("it has prod"),
        "{}",
        run.stderr
    );
    let run = test.args(["up", "--context", "a b"]).run().expect(2);
    assert!(run.stderr.contains("is not a valid context"), "{}", run.stderr);
    let run = test.args(["up", "--context", CLUSTER, "--image-archive", "install.yaml"]).run().expect(2);
    assert!(run.stderr.contains("KS-SETTING-INVALID"), "{}", run.stderr);
}

#[test]
fn an_unreachable_cluster_is_reported_with_its_context() {
    let mut test = world().with("docker");
    let file = "/etc/kubernetes/manifests/kube-apiserver.yaml";
    test.fake("docker", ["exec", CLUSTER, "mv", file, "/tmp/"]).expect(0);
    test = test.without("docker");
    let args = ["doctor", "--offline", "--fix", "--yes", "--context", CLUSTER, "-o", "json"];
    let document = test.args(args).run().expect(1).json();
    let checks = document["checks"].as_array().expect("checks");
    let check = |id: &str| checks.iter().find(|c| c["id"] == id).expect("the check");
    assert_eq!(check("profile.state")["verdict"], "skipped", "{document:#}");
    let api = &check("cluster.api")["problem"];
    assert_eq!(
        (&api["id"], &api["message"]),
        (&json!("KS-API-UNREACHABLE"), &json!("the API server of the context prod does not respond"))
    );
    assert_eq!((&document["fixes"], machine_calls(&test)), (&json!([]), 0));
}

/// Its volumes would wait forever: reported before anything is changed.
#[test]
fn a_cluster_without_a_default_storage_class_is_refused_unless_no_volumes_are_needed() {
    let mut test = world();
    let class = |annotations: Value| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": "example.com/disks",
            "metadata": {"name": "disks", "annotations": annotations}})
    };
    test.fake("kubectl", ["--context", CLUSTER, "delete", "storageclass", "standard"]).expect(0);
    let up = ["up", "--context", CLUSTER, "--preset", "single", "--yes"];
    let lines = events(&mut test, up, 3);
    assert_eq!(failure(&lines), "KS-STORAGE-CLASS");
    assert!(
        told(&lines).contains("kstrim up --context prod --yes -o json --preset ephemeral"),
        "{}",
        told(&lines)
    );
    apply_foreign_to(&test, CLUSTER, &[class(json!({}))]);
    let lines = events(&mut test, up, 3);
    assert_eq!(failure(&lines), "KS-STORAGE-CLASS");
    assert!(
        told(&lines).contains(
            "kstrim kubectl --context prod -- annotate storageclass disks \
             storageclass.kubernetes.io/is-default-class=true"
        ),
        "{}",
        told(&lines)
    );
    assert_eq!(written(&test), Vec::<String>::new());
    let ephemeral = ["up", "--context", CLUSTER, "--preset", "ephemeral", "--yes"];
    events(&mut test, ephemeral, 0);
    events(&mut test, ["down", "--context", CLUSTER, "--yes"], 0);
    let default = json!({"storageclass.kubernetes.io/is-default-class": "true"});
    apply_foreign_to(&test, CLUSTER, &[class(default)]);
    events(&mut test, up, 0);
}
