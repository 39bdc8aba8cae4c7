//! `kstrim down` deletes the whole profile, and nothing else.

use crate::ground::{Ground, of_tests, profile};

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn it_goes_and_nothing_else() {
    // From nothing: foreign objects that earlier tests left would make it refuse.
    let ground = Ground::with_nothing("whole_profile::it_goes_and_nothing_else");
    ground.up_succeeds(&[]);
    // Without a terminal and without --yes nothing is deleted.
    let refused = ground.kstrim(&["down", "-o", "json"]).expect(2);
    assert_eq!(refused.events().failure().0, "KS-CONSENT", "{refused}");
    ground.kubectl(&["get", "kafka", "my-cluster", "-n", "kafka"]);
    let others = |ground: &Ground| {
        let all = ground.run("docker", &["ps", "-a", "--format", "{{.Names}}"]).expect(0).stdout;
        let mut names: Vec<String> = all.lines().filter(|n| !of_tests(n)).map(str::to_owned).collect();
        names.sort();
        names
    };
    let before = others(&ground);

    let run = ground.kstrim(&["down", "--yes", "-o", "json"]).expect(0);
    assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    let listed = ground.run("minikube", &["profile", "list", "--light", "-o", "json"]);
    assert!(!listed.stdout.contains(&format!("\"{}\"", profile())), "{listed}");
    for (what, words) in [
        ("container", &["ps", "-a", "--format", "{{.Names}}"][..]),
        ("volume", &["volume", "ls", "--format", "{{.Name}}"]),
        ("network", &["network", "ls", "--format", "{{.Name}}"]),
    ] {
        let names = ground.run("docker", words).expect(0).stdout;
        assert!(!names.lines().any(|n| n == profile()), "the {what} {} is left: {names}", profile());
    }
    assert_eq!(others(&ground), before, "containers of others changed");
    assert_eq!(ground.processes(), Vec::<String>::new());
    assert!(!ground.profile_state().join("kubeconfig").exists());

    // Again: a missing profile is a success; and commands that need a cluster report that.
    let again = ground.kstrim(&["down", "--yes", "-o", "json"]).expect(0);
    assert_eq!(again.events().task("profile").0, "already_done", "{again}");
    let run = ground.kstrim(&["smoke-test", "-o", "json"]).expect(3);
    assert_eq!(run.events().failure().0, "KS-NO-CLUSTER", "{run}");
}
