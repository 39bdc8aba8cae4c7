use super::*;

fn made(token: Option<&str>, machine: Option<&str>) -> Option<Made> {
    let begun = "2026-11-28T12:00:00Z".parse().expect("a time");
    Some(Made { begun, token: token.map(Into::into), machine: machine.map(Into::into), engine: None })
}

fn journal(ours: bool, made: Option<Made>, uid: Option<&str>) -> ProfileState {
    let mut journal = JournalFile::fresh(std::path::Path::new("none"), "p").state;
    journal.profile_is_ours = ours;
    journal.made = made;
    journal.cluster_uid = uid.map(Into::into);
    journal
}

fn disk(token: Option<&str>, key: Option<&str>) -> OnDisk {
    OnDisk {
        folder: true,
        configured: true,
        token: token.map(Into::into),
        driver: "docker".into(),
        addressed: true,
        key: key.map(Into::into),
        dns_domain: None,
    }
}

const OURS: Owner = Owner::Ours;
const RECREATED: Owner = Owner::Foreign(Other::Recreated);

#[test]
fn the_owner_is_determined_while_nothing_is_running() {
    let (t, k) = (Some("token"), Some("key"));
    let whole = || made(t, k);
    for (what, journal, disk, want) in [
        ("as it was made", journal(true, whole(), None), disk(t, k), OURS),
        ("a user's own", journal(false, None, None), disk(None, k), Owner::Foreign(Other::NotMade)),
        ("created again by hand", journal(true, whole(), Some("u")), disk(None, Some("k2")), RECREATED),
        (
            "created again by another kstrim command",
            journal(true, whole(), None),
            disk(Some("t2"), Some("k2")),
            RECREATED,
        ),
        ("created again with the same --uuid", journal(true, whole(), None), disk(t, Some("k2")), RECREATED),
        ("the same key, another start", journal(true, whole(), None), disk(Some("t2"), k), RECREATED),
        ("a minikube that lost the id", journal(true, whole(), None), disk(None, k), OURS),
        ("its machine's files are gone", journal(true, whole(), None), disk(t, None), OURS),
        ("created again, without a machine yet", journal(true, whole(), None), disk(None, None), RECREATED),
        // kstrim's start created nothing; then somebody else ran `minikube start`.
        (
            "killed before anything, then a user's",
            journal(false, made(t, None), None),
            disk(None, k),
            RECREATED,
        ),
        ("killed before the machine", journal(false, made(t, None), None), disk(t, None), OURS),
        (
            "the machine came unseen",
            journal(true, made(t, None), None),
            disk(t, k),
            Owner::Unproven(Doubt::MachineUnseen),
        ),
        (
            "the machine came unseen, and never ran",
            journal(true, made(t, None), None),
            OnDisk { addressed: false, ..disk(t, k) },
            OURS,
        ),
        (
            "an older journal",
            journal(true, None, Some("u")),
            disk(None, k),
            Owner::Unproven(Doubt::OldJournal),
        ),
        ("a driver without a key", journal(true, made(t, None), None), disk(t, None), OURS),
        (
            "a directory of a refused start",
            journal(false, made(t, None), None),
            OnDisk { folder: true, ..OnDisk::default() },
            Owner::Empty,
        ),
        (
            "a machine without a configuration",
            journal(true, whole(), None),
            OnDisk { key: Some("k2".into()), ..OnDisk::default() },
            RECREATED,
        ),
    ] {
        assert_eq!(offline(&journal, &disk), want, "{what}");
    }
}

#[test]
fn the_owner_is_determined_from_a_cluster_that_responds() {
    let (t, k) = (Some("token"), Some("key"));
    let seen = |uid, marked, inhabited| Online { uid: Some(uid), marked, inhabited };
    let other = Owner::Foreign;
    for (what, journal, disk, seen, want) in [
        ("as it was made", journal(true, made(t, k), Some("u")), disk(t, k), seen("u", false, true), OURS),
        ("the first look", journal(true, made(t, k), None), disk(t, k), seen("u", false, true), OURS),
        (
            "another cluster in it",
            journal(true, made(t, k), Some("u")),
            disk(t, k),
            seen("u2", false, true),
            other(Other::DifferentCluster),
        ),
        ("a lost journal", journal(false, None, None), disk(None, k), seen("u", true, true), OURS),
        (
            "a user's own",
            journal(false, None, None),
            disk(None, k),
            seen("u", false, false),
            other(Other::NotMade),
        ),
        (
            "created again by hand",
            journal(true, made(t, k), Some("u")),
            disk(None, Some("k2")),
            seen("u2", false, false),
            RECREATED,
        ),
        (
            "its files changed, the cluster did not",
            journal(true, made(t, k), Some("u")),
            disk(None, Some("k2")),
            seen("u", false, true),
            OURS,
        ),
        ("an older journal", journal(true, None, Some("u")), disk(None, k), seen("u", false, true), OURS),
        (
            "an older journal, another cluster",
            journal(true, None, Some("u")),
            disk(None, k),
            seen("u2", false, false),
            other(Other::DifferentCluster),
        ),
        (
            "an older journal without the uid",
            journal(true, None, None),
            disk(None, k),
            seen("u", false, true),
            other(Other::InUse),
        ),
        (
            "the machine came unseen",
            journal(true, made(t, None), None),
            disk(t, k),
            seen("u", false, false),
            OURS,
        ),
        (
            "the machine came unseen, and is used",
            journal(true, made(t, None), None),
            disk(t, k),
            seen("u", false, true),
            other(Other::InUse),
        ),
    ] {
        assert_eq!(online(&journal, &disk, seen), want, "{what}");
    }
}

#[test]
fn a_start_gives_its_profile_an_identity_once() {
    let (t, k) = (Some("token"), Some("key"));
    let mut begun = journal(false, made(t, None), None);
    assert!(!take(&mut begun, &OnDisk::default()), "nothing is there yet");
    assert!(!take(&mut begun, &disk(Some("another"), k)), "somebody else's");
    assert!(!begun.profile_is_ours);
    assert!(take(&mut begun, &disk(t, None)) && begun.profile_is_ours);
    assert!(take(&mut begun, &disk(t, k)));
    assert_eq!(begun.made, made(t, k));
    assert!(!take(&mut begun, &disk(t, Some("k2"))), "a later machine is not taken for it");
    assert_eq!(begun.made, made(t, k));
}

#[test]
fn an_identity_is_recorded_when_a_running_cluster_has_proved_it() {
    let (t, k) = (Some("token"), Some("key"));
    let mut old = journal(true, None, Some("u"));
    recognised(&mut old, &disk(None, k));
    assert_eq!(offline(&old, &disk(None, k)), OURS);
    assert_eq!(offline(&old, &disk(None, Some("k2"))), RECREATED);
    let mut known = journal(true, made(t, k), Some("u"));
    recognised(&mut known, &disk(t, k));
    assert_eq!(known.made, made(t, k), "as it was");
    // Nothing identifies it: only its running cluster can, as before.
    let mut none = journal(true, None, Some("u"));
    recognised(&mut none, &disk(None, None));
    assert_eq!(offline(&none, &disk(None, None)), Owner::Unproven(Doubt::OldJournal));
}

#[test]
fn a_profile_that_minikube_lists_is_never_empty() {
    use crate::tool::minikube_output::Profile;
    let valid = Listed::Valid(Profile {
        name: "p".into(),
        memory_mb: 1,
        cpus: 1,
        driver: "docker".into(),
        kubernetes: "1.34.4".into(),
        runtime: "containerd".into(),
        nodes: 1,
        addressed: true,
    });
    let begun = journal(true, made(Some("token"), Some("key")), None);
    let nothing = OnDisk::default();
    assert_eq!(listed(&begun, &nothing, &Listed::Broken), Owner::Empty);
    assert_eq!(listed(&begun, &nothing, &valid), Owner::Unproven(Doubt::NoFiles));
}
