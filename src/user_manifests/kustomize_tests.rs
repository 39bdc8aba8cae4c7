use super::*;
use crate::errors;

fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    directory
}

#[test]
fn local_files_and_bases_are_accepted() {
    let all = tree(&[
        ("base/kustomization.yaml", "resources:\n- kafka.yaml\n"),
        ("base/kafka.yaml", ""),
        ("parts/metrics/Kustomization", "kind: Component\nresources: [x.yaml]\n"),
        ("parts/metrics/x.yaml", ""),
        (
            "overlays/dev/kustomization.yml",
            "namespace: kafka\nnamePrefix: dev-\nresources: [../../base, topics.yaml]\ncomponents: [../../parts/metrics]\n\
             patches:\n- path: patch.yaml\n- patch: |\n    - op: remove\n      path: /http://x\n  target: {kind: Kafka}\n\
             patchesStrategicMerge: [patch.yaml, \"{\\\"kind\\\": \\\"Kafka\\\"}\"]\nimages: [{name: a, newName: b.example/a}]\n\
             configMapGenerator:\n- name: a\n  files: [topics.yaml, key=patch.yaml]\n  literals: [url=http://example.com]\n  \
             envs: [a.env]\nsecretGenerator: [{name: s, env: a.env}]\nreplacements: [{path: patch.yaml}]\n",
        ),
        ("overlays/dev/topics.yaml", ""),
        ("overlays/dev/patch.yaml", ""),
        ("overlays/dev/a.env", ""),
    ]);
    check(&all.path().join("overlays/dev")).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn remote_and_outside_paths_are_refused_before_kubectl_starts() {
    for (field, words) in [
        ("resources: [https://example.com/kafka.yaml]", "is an address"),
        ("resources: [http://example.com/x//y?ref=v1]", "is an address"),
        ("resources: [\"git::https://example.com/x\"]", "is an address"),
        ("resources: [\"git@github.com:strimzi/x\"]", "is an address"),
        ("resources: [github.com/strimzi/strimzi-kafka-operator/examples]", "is an address"),
        ("resources: [GitHub.com/strimzi/x]", "is an address"),
        ("resources: [\"gh:strimzi/x\"]", "is an address"),
        ("resources: [\"host.example:x\"]", "is an address"),
        ("resources: [\"file:///etc\"]", "is an address"),
        ("bases: [\"ssh://git@example.com/x\"]", "is an address"),
        ("components: [\"example.com//x\"]", "is an address"),
        ("patches: [{path: \"http://example.com/p\"}]", "is an address"),
        ("patchesStrategicMerge: [\"https://example.com/p\"]", "is an address"),
        ("patchesJson6902: [{path: \"https://example.com/p\"}]", "is an address"),
        ("replacements: [{path: \"https://example.com/p\"}]", "is an address"),
        ("openapi: {path: \"https://example.com/p\"}", "is an address"),
        ("crds: [\"https://example.com/p\"]", "is an address"),
        ("configurations: [\"https://example.com/p\"]", "is an address"),
        ("configMapGenerator: [{name: a, files: [\"k=https://example.com/p\"]}]", "is an address"),
        ("configMapGenerator: [{name: a, envs: [\"https://example.com/p\"]}]", "is an address"),
        ("secretGenerator: [{name: a, env: \"https://example.com/p\"}]", "is an address"),
        ("helmCharts: [{name: a}]", "Helm"),
        ("helmGlobals: {}", "Helm"),
        ("generators: [a.yaml]", "can start programs"),
        ("transformers: [a.yaml]", "can start programs"),
        ("validators: [a.yaml]", "can start programs"),
        ("imageTags: []", "does not pass"),
        ("resources: [/etc/passwd]", "absolute"),
        ("resources: [../outside.yaml]", "outside"),
        ("resources: [link.yaml]", "outside"),
        ("resources: [missing.yaml]", "does not exist"),
        ("resources: [../plain]", "has no kustomization.yaml"),
        ("resources: [../k]", "uses itself"),
        ("Resources: [a.yaml]", "does not pass"),
        ("patches: [{Path: \"http://example.com/p\"}]", "does not pass"),
        ("configMapGenerator: [{name: a, FILES: [\"http://example.com/p\"]}]", "does not pass"),
        ("configMapGenerator: [{name: a, \"envſ\": [\"http://example.com/p\"]}]", "does not pass"),
        ("configMapGenerator: [a.yaml]", "not a mapping"),
        ("# a comment\u{2028}resources: [\"http://example.com/p\"]", "line separator"),
        ("# a comment\u{85}resources: [\"http://example.com/p\"]", "line separator"),
        ("resources: {a: b}", "not a sequence"),
        ("resources: [1]", "not a path"),
    ] {
        let text = format!("# first\n{field}\n");
        let all =
            tree(&[("k/kustomization.yaml", &text), ("k/a.yaml", ""), ("outside.yaml", ""), ("plain/x", "")]);
        std::os::unix::fs::symlink("../outside.yaml", all.path().join("k/link.yaml")).expect("a link");
        let failure = check(&all.path().join("k")).expect_err(field);
        assert_eq!(failure.id, errors::FILE_KUSTOMIZE, "{field}");
        assert!(failure.message.contains(words), "{field}: {failure}");
        let line = failure.message.contains("kustomization.yaml:2: ");
        assert!(line || words.contains("kustomization") || words.contains("itself"), "{failure}");
    }
}

#[test]
fn files_of_a_base_are_checked_too() {
    let all = tree(&[
        ("kustomization.yaml", "resources: [base]\n"),
        ("base/kustomization.yaml", "resources: [again]\n"),
        ("base/again/kustomization.yaml", "resources: [\"https://example.com/x.yaml\"]\n"),
    ]);
    let failure = check(all.path()).expect_err("an address");
    assert!(
        failure.message.contains("base/again/kustomization.yaml:1: resources[0] is an address"),
        "{failure}"
    );
    let all =
        tree(&[("a/kustomization.yaml", "resources: [../b]"), ("b/kustomization.yaml", "resources: [../a]")]);
    assert!(check(&all.path().join("a")).expect_err("a circle").message.contains("uses itself"));
    let all = tree(&[("kustomization.yaml", "a: [\n")]);
    assert!(check(all.path()).expect_err("no YAML").message.contains("not valid YAML"));
}

#[test]
fn the_message_of_kubectl_may_have_several_lines() {
    let logged = "I1130 04:59:13 1 x.go:1] starting\nE1130 04:59:13.902701   22501 run.go:72] \"command failed\" err=<\n\t                  accumulating resources: MalformedYAMLError\n\tin File: a.yaml\n >\n";
    assert_eq!(complaint(logged), "accumulating resources: MalformedYAMLError in File: a.yaml");
    let quoted =
        "E1130 04:59:13.987532   22522 run.go:72] \"command failed\" err=\"no resource matches \\\"a\\\"\"\n";
    assert_eq!(complaint(quoted), "no resource matches \"a\"");
    assert_eq!(complaint("# a warning\nerror: it fails:\n  x\n  >\n\n"), "error: it fails: x >");
    assert_eq!(complaint("kubectl: not found\n"), "kubectl: not found");
    assert_eq!(complaint(""), "");
}
