//! Images: pulled in advance, from another registry, with a login.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bundle;
use crate::harness::{Action, Call, Registry, Test};
use crate::support::{
    OPERATOR, PROFILE, events, failure, fresh, journal, kstrim, kubectl, kubectl_words, outcomes, quick,
    ready, told,
};
use crate::trouble::eventually;

/// A login that must not appear anywhere. `bWU6czNjcjN0LXA0c3M=` is `me:s3cr3t-p4ss` in base64.
const CONFIG: &str = r#"{"auths": {"r.example:5000": {"auth": "bWU6czNjcjN0LXA0c3M="},
    "quay.io": {"auth": "b3RoZXI6b3RoZXI="}}}"#;

const SECRET: &str = "secrets/kafka/kstrim-image-pull";

fn warnings(lines: &[Value]) -> Vec<&Value> {
    lines.iter().filter(|l| l["type"] == "warning" && l["task"] == "images").collect()
}

#[test]
fn images_are_pulled_in_parallel_with_progress() {
    let mut test = fresh().scenario(quick);
    let lines = events(&mut test, ["up"], 0);
    let progress: Vec<&Value> =
        lines.iter().filter(|l| l["type"] == "task_progress" && l["task"] == "images").collect();
    let last = progress.last().expect("progress");
    assert!(last["message"].as_str().is_some_and(|m| m.starts_with("pulled quay.io/strimzi/")), "{last}");
    assert_eq!((&last["done"], &last["total"]), (&json!(2), &json!(2)));
    // The running images are recorded, by digest.
    let images = journal(&test)["images"].clone();
    let of = |image: &str| images[image].as_str().unwrap_or_default().to_owned();
    for image in ["quay.io/strimzi/operator:1.2.0", "quay.io/strimzi/kafka:1.2.0-kafka-4.3.1"] {
        assert!(of(image).starts_with("sha256:"), "{image} in {images}");
    }
    let status = kstrim(&mut test, ["status", "-o", "json"]).expect(0).json();
    let pods = status["pods"].as_array().expect("pods");
    let shown = pods.iter().flat_map(|p| p["images"].as_array().into_iter().flatten());
    for image in shown {
        assert_eq!(
            image["digest"].as_str(),
            Some(of(image["image"].as_str().unwrap_or_default()).as_str()),
            "{image}"
        );
    }
    assert!(pods.len() >= 3, "{pods:?}");
}

/// The kubelet reports its images only every half minute: a second `up` before that loads nothing again.
#[test]
fn images_of_running_pods_exist_even_if_the_kubelet_does_not_list_them() {
    let mut test = ready();
    let unlisted = json!({"status": {"images": []}}).to_string();
    let words = ["patch", "node", PROFILE, "--subresource=status", "--type=merge", "-p", &unlisted];
    kubectl_words(&test, words.map(str::to_owned).into()).expect(0);
    let lines = events(&mut test, ["up"], 0);
    assert_eq!(outcomes(&lines)["images"], "already_done");
    // Without its pods nothing shows that they exist.
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    let lines = events(&mut test, ["up"], 0);
    assert_eq!(outcomes(&lines)["images"], "done");
}

/// A node that was stopped still has its images, long before its API server can list them.
#[test]
fn archives_are_not_loaded_again_into_a_stopped_node() {
    let mut test = fresh().scenario(quick);
    test.write("all.tar", "quay.io/strimzi/operator:1.2.0\nquay.io/strimzi/kafka:1.2.0-kafka-4.3.1\n");
    let up = ["up", "--image-archive", "all.tar"];
    let loads = |test: &Test| test.calls().iter().filter(|c| c.line().contains("image load")).count();
    events(&mut test, up, 0);
    assert_eq!(loads(&test), 1);
    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    assert_eq!(outcomes(&events(&mut test, up, 0))["images"], "done");
    assert_eq!(loads(&test), 1, "it is loaded once");
    // All images exist, or none.
    test.fake("minikube", ["image", "rm", "-p", PROFILE, "quay.io/strimzi/operator:1.2.0"]).expect(0);
    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    assert_eq!(outcomes(&events(&mut test, up, 0))["images"], "done");
    assert_eq!(loads(&test), 2);
}

/// The number of loaded archives is reported, even if the preset uses fewer images.
#[test]
fn archives_that_were_loaded_are_counted() {
    let mut test = fresh().scenario(quick);
    test.write("operator.tar", "quay.io/strimzi/operator:1.2.0\n");
    test.write("kafka.tar", "quay.io/strimzi/kafka:1.2.0-kafka-4.3.1\n");
    test.write("bridge.tar", "quay.io/strimzi/kafka-bridge:1.1.0\n");
    let mut up = vec!["up"];
    for archive in ["operator.tar", "kafka.tar", "bridge.tar"] {
        up.extend(["--image-archive", archive]);
    }
    let lines = test.args([&up[..], &["-o", "json"]].concat()).run().expect(0).json_lines();
    let ended = |lines: &[Value]| {
        let end = lines.iter().find(|l| l["type"] == "task_finished" && l["task"] == "images");
        end.expect("its end")["detail"].clone()
    };
    assert_eq!(ended(&lines), "3 image archives loaded");
    let lines = test.args([&up[..], &["-o", "json"]].concat()).run().expect(0).json_lines();
    assert_eq!(ended(&lines), "2 images are in the cluster", "those that the preset runs");
}

/// The operator's is loaded first, then Kafka's; neither waits for one that nothing of this run uses.
#[test]
fn kafka_does_not_wait_for_other_archives() {
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let mut test = fresh().scenario(quick).fault("minikube", "bridge.tar", Some(1), hang);
    bundle::archives(&test);
    bundle::archive(&test, "bridge.tar", "quay.io/strimzi/kafka-bridge:1.1.0");
    let mut up = vec!["up", "-o", "json"];
    for archive in ["bridge.tar", "kafka.tar", "operator.tar"] {
        up.extend(["--image-archive", archive]);
    }
    let running = test.args(up).spawn();
    let log = test.home().join(".local/state/kstrim/profiles/kstrim/up.events.jsonl");
    eventually("a message is verified", || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("\"type\":\"smoke\""))
    });
    let calls = test.calls();
    let lines = calls.iter().map(Call::line).filter(|line| line.contains("image load"));
    let loaded = ["operator.tar", "kafka.tar", "bridge.tar"];
    let order: Vec<_> = lines.map(|line| loaded.iter().position(|archive| line.contains(archive))).collect();
    assert_eq!(order, [Some(0), Some(1), Some(2)]);
    running.signal(Signal::INT);
    let run = running.wait().expect(130);
    let end = run.json_lines().into_iter().find(|l| l["type"] == "task_finished" && l["task"] == "images");
    assert_ne!(end.expect("its end")["outcome"], "done");
}

#[test]
fn a_registry_error_is_reported_with_its_message() {
    let mut test = fresh().scenario(|s| {
        quick(s);
        s.registry = Registry::Unreachable;
    });
    let lines = events(&mut test, ["up"], 1);
    let warned = warnings(&lines);
    assert_eq!(warned.len(), 2, "{warned:?}");
    for warning in warned {
        assert_eq!(
            (&warning["task"], &warning["id"]),
            (&json!("images"), &json!("KS-NETWORK-DNS")),
            "{warning}"
        );
        let message = warning["message"].as_str().unwrap_or_default();
        for words in
            ["quay.io/strimzi/", "cannot be resolved from inside the node", "dial tcp: lookup quay.io"]
        {
            assert!(message.contains(words), "{message}");
        }
    }
    assert_eq!(failure(&lines), "KS-NETWORK-DNS");
}

#[test]
fn an_invalid_archive_is_reported_with_the_runtimes_message() {
    let mut test = fresh().scenario(quick);
    test.write("bad.tar", "hello");
    let lines = events(&mut test, ["up", "--image-archive", "./bad.tar"], 1);
    assert_eq!(failure(&lines), "KS-IMAGE-ARCHIVE");
    assert!(told(&lines).contains("ctr: unexpected EOF"), "{}", told(&lines));
    // One with other images is used, and the missing ones are reported.
    test.write("other.tar", "quay.io/strimzi/operator:1.2.0\n");
    let lines = events(&mut test, ["up", "--image-archive", "other.tar"], 0);
    let warned = warnings(&lines);
    assert_eq!(warned.len(), 1, "{warned:?}");
    let message = warned[0]["message"].as_str().unwrap_or_default();
    assert!(
        message.starts_with("no image archive contains quay.io/strimzi/kafka:1.2.0-kafka-4.3.1"),
        "{message}"
    );
}

/// Everything in the world and everything that kstrim wrote or ran.
fn everything(test: &Test) -> String {
    let mut text = test.objects(PROFILE).to_string();
    for call in test.calls() {
        text.push_str(&call.line());
    }
    text
}

#[test]
fn another_registry_is_used_for_everything() {
    let mut test = fresh().scenario(quick);
    test.write("kstrim.yaml", "image-registry: r.example:5000/quay\n");
    kstrim(&mut test, ["trust"]).expect(0);
    let plan = kstrim(&mut test, ["plan"]).expect(0).stdout;
    assert!(plan.contains("18 images come from r.example:5000/quay"), "{plan}");
    let lines = events(&mut test, ["up"], 0);
    assert_eq!(warnings(&lines), Vec::<&Value>::new());
    let all = everything(&test);
    assert!(!all.contains("quay.io/strimzi"), "{all}");
    let pulled: Vec<String> =
        test.calls().iter().map(|c| c.line()).filter(|l| l.contains("image pull")).collect();
    assert!(
        pulled.len() == 2 && pulled.iter().all(|l| l.contains(" r.example:5000/quay/strimzi/")),
        "{pulled:?}"
    );
    let again = events(&mut test, ["up"], 0);
    assert_eq!(outcomes(&again)["operator"], "already_done");
    let script = kstrim(&mut test, ["plan", "--script"]).expect(0).stdout;
    assert!(script.contains("s#quay\\.io/strimzi/#r.example:5000/quay/strimzi/#"), "{script}");
}

#[test]
fn registries_secrets_and_logins_are_checked_before_anything_runs() {
    for (flag, words) in [
        ("--image-registry=https://r.example/x", "try \"r.example/x\""),
        ("--image-registry=quay", "a host with a dot or a port"),
        ("--image-pull-secret=a/b", "DNS-1123 subdomain"),
        ("--image-pull-config=none.json", "--image-pull-config"),
    ] {
        let mut test = fresh();
        let run = kstrim(&mut test, ["up", flag]).expect(2);
        assert!(run.stderr.contains(words), "{flag}: {}", run.stderr);
        assert_eq!(test.calls(), []);
    }
}

/// Also if minikube itself would have to be installed first.
#[test]
fn a_plan_shows_what_is_pulled_with_a_login() {
    for mut test in [fresh(), fresh().without("minikube").without("kubectl")] {
        let run = kstrim(&mut test, ["plan", "--image-pull-secret", "mine"]).expect(0);
        let words = "the kubelet pulls them with the Secret mine";
        assert!(run.stdout.contains(words) && !run.stdout.contains("image pull -p"), "{}", run.stdout);
    }
}

#[test]
fn a_login_is_used_and_not_printed() {
    let mut test = fresh().scenario(quick).env("KSTRIM_IMAGE_REGISTRY", "r.example:5000/quay");
    test.write("login.json", CONFIG);
    let words = ["--image-pull-config", "login.json"];
    let lines = events(&mut test, ["up", words[0], words[1], "-v"], 0);
    let secret = test.object(PROFILE, SECRET);
    assert_eq!(secret["type"], "kubernetes.io/dockerconfigjson");
    let data = secret["data"][".dockerconfigjson"].as_str().unwrap_or_default().to_owned();
    assert!(data.len() > 20, "{secret}");
    let deployment = test.object(PROFILE, OPERATOR);
    let template = &deployment["spec"]["template"]["spec"];
    assert_eq!(template["imagePullSecrets"], json!([{"name": "kstrim-image-pull"}]));
    let env = template["containers"][0]["env"].to_string();
    assert!(env.contains(r#"{"name":"STRIMZI_IMAGE_PULL_SECRETS","value":"kstrim-image-pull"}"#), "{env}");
    let account = test.object(PROFILE, "serviceaccounts/kafka/strimzi-cluster-operator");
    assert_eq!(account["imagePullSecrets"], template["imagePullSecrets"]);
    // The node's runtime has no login: nothing is pulled in advance.
    assert!(test.calls().iter().all(|c| !c.line().contains("image pull")));
    assert_eq!(outcomes(&lines)["images"], "already_done");

    // Neither the login nor its encoding is anywhere but in the Secret.
    let mut shown = serde_json::to_string(&lines).expect("text");
    for verb in [&["render"][..], &["plan"], &["plan", "--script"], &["status", "-o", "json"]] {
        let mut all = verb.to_vec();
        if verb[0] != "status" {
            all.extend(words);
        }
        let run = test.args(all).run().expect(0);
        shown.push_str(&run.stdout);
        shown.push_str(&run.stderr);
    }
    let state = test.home().join(".local/state/kstrim/profiles/kstrim");
    for file in std::fs::read_dir(state).expect("the state").flatten() {
        shown.push_str(&std::fs::read_to_string(file.path()).unwrap_or_default());
    }
    for call in test.calls() {
        shown.push_str(&call.line());
    }
    for secret in ["bWU6czNjcjN0LXA0c3M", "s3cr3t-p4ss", "b3RoZXI6b3RoZXI", data.as_str()] {
        assert!(!shown.contains(secret), "{secret} was shown");
    }

    // Nothing to do the second time; another login is applied.
    let again = events(&mut test, ["up", words[0], words[1]], 0);
    assert_eq!(outcomes(&again)["operator"], "already_done");
    test.write("login.json", CONFIG.replace("bWU6czNjcjN0LXA0c3M=", "bWU6bmV3"));
    let again = events(&mut test, ["up", words[0], words[1]], 0);
    assert_eq!(outcomes(&again)["operator"], "done");
    assert_ne!(test.object(PROFILE, SECRET)["data"][".dockerconfigjson"].as_str(), Some(data.as_str()));
    kstrim(&mut test, ["down", "--keep-data", "--yes"]).expect(0);
    assert!(test.object(PROFILE, SECRET).is_null(), "down leaves the login behind");
}

#[test]
fn an_invalid_login_is_rejected_without_its_content() {
    for (config, words) in
        [(r#"{"auths": {"quay.io": {"auth": "#, "is not in Docker's format"), ("{}", "no login for")]
    {
        let mut test = fresh().scenario(quick);
        test.write("login.json", config);
        let lines = events(&mut test, ["up", "--image-pull-config", "login.json"], 2);
        assert_eq!(failure(&lines), "KS-PULL-CONFIG");
        assert!(told(&lines).contains(words), "{}", told(&lines));
    }
}

#[test]
fn a_missing_secret_is_reported_and_a_foreign_one_is_kept() {
    let mut test = ready();
    let lines = events(&mut test, ["up", "--image-pull-secret", "mine"], 3);
    assert_eq!(failure(&lines), "KS-PULL-SECRET");
    assert!(told(&lines).contains("create secret generic mine -n kafka"), "{}", told(&lines));
    let made = |test: &Test, name: &str| {
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
            "metadata": {"name": name, "namespace": "kafka"}, "data": {".dockerconfigjson": "e30="}});
        crate::support::apply_foreign(test, &[secret]);
    };
    made(&test, "mine");
    events(&mut test, ["up", "--image-pull-secret", "mine"], 0);
    let deployment = test.object(PROFILE, OPERATOR);
    assert_eq!(deployment["spec"]["template"]["spec"]["imagePullSecrets"], json!([{"name": "mine"}]));

    made(&test, "kstrim-image-pull");
    test.write("login.json", CONFIG);
    let lines = events(&mut test, ["up", "--image-pull-config", "login.json"], 5);
    assert_eq!(failure(&lines), "KS-SECRET-FOREIGN");
    let kept = kubectl(&test, "get secret kstrim-image-pull -n kafka -o json").expect(0).json();
    assert_eq!(kept["data"][".dockerconfigjson"], "e30=");
}
