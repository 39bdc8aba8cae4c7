//! A namespace that kstrim did not create is not changed.

use std::time::Duration;

use crate::ground::{Ground, within};

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn it_is_left_untouched() {
    // With an operator of ours it would be rejected before anything is read.
    let ground = Ground::with_a_cluster("foreign_namespace::it_is_left_untouched");
    ground.kubectl(&["delete", "namespace", "thatone", "--ignore-not-found"]);
    ground.kubectl(&["create", "namespace", "thatone"]);
    ground.kubectl(&["create", "configmap", "mine", "-n", "thatone", "--from-literal=a=b"]);
    let content = || {
        let namespace =
            ground.kubectl(&["get", "namespace", "thatone", "-o", "yaml", "--show-managed-fields"]);
        let kinds = "all,configmap,serviceaccount,rolebinding,secret";
        namespace + &ground.kubectl(&["get", kinds, "-n", "thatone", "-o", "yaml", "--show-managed-fields"])
    };
    let before = settled(&content);
    let run = ground.up(&["--namespace", "thatone"]).finish(Duration::from_secs(120)).expect(5);
    assert_eq!(run.events().failure().0, "KS-NAMESPACE-FOREIGN", "{run}");
    assert_eq!(content(), before);
    ground.kubectl(&["delete", "namespace", "thatone"]);
}

/// A new namespace gets a service account and a certificate after a while.
fn settled(content: &dyn Fn() -> String) -> String {
    within(Duration::from_secs(60), "the new namespace at rest", || {
        let first = content();
        std::thread::sleep(Duration::from_secs(1));
        let second = content();
        if first == second && second.contains("kube-root-ca.crt") && second.contains("kind: ServiceAccount") {
            Ok(second)
        } else {
            Err(second)
        }
    })
}
