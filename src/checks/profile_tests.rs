use super::*;

fn profile(addressed: bool) -> Listed {
    Listed::Valid(Profile {
        name: "p".into(),
        memory_mb: 4096,
        cpus: 2,
        driver: "docker".into(),
        kubernetes: "1.34.4".into(),
        runtime: "containerd".into(),
        nodes: 1,
        addressed,
    })
}

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Ok(_) => "ok".into(),
        Verdict::Skip(_) => "skip".into(),
        Verdict::Warn(f) => format!("warn {} {:?}", f.id, f.kind),
        Verdict::Fail(f) => format!("fail {} {:?}", f.id, f.kind),
    }
}

#[test]
fn each_state_of_a_profile_is_named() {
    let (mine, cut, theirs) = ((true, false), (true, true), (false, false));
    for (listed, state, whose, want) in [
        (Listed::Absent, State::Absent, theirs, "ok"),
        (profile(true), State::Running, mine, "ok"),
        (profile(true), State::Running, cut, "warn KS-PROFILE-HALF-MADE Task"),
        (profile(true), State::Stopped, mine, "warn KS-PROFILE-STOPPED Task"),
        (profile(true), State::Paused, mine, "warn KS-PROFILE-PAUSED Task"),
        (profile(true), State::Partial, mine, "fail KS-PROFILE-PARTIAL Task"),
        (profile(true), State::Gone, mine, "fail KS-PROFILE-GONE Task"),
        (profile(true), State::EngineDown("x".into()), mine, "skip"),
        (profile(false), State::Gone, mine, "warn KS-PROFILE-HALF-MADE Task"),
        (profile(false), State::Gone, theirs, "fail KS-PROFILE-HALF-MADE Foreign"),
        (Listed::Broken, State::Absent, mine, "warn KS-PROFILE-HALF-MADE Task"),
        (Listed::Broken, State::Absent, theirs, "warn KS-PROFILE-HALF-MADE Task"),
    ] {
        assert_eq!(
            word(&judge_state(&listed, &state, "p", whose, &Target::default())),
            want,
            "{listed:?} {state:?}"
        );
    }
}

#[test]
fn certificates_that_expire_soon_warn_and_expired_ones_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let old = file("old", include_bytes!("../../tests/fixtures/ended-2021.crt"));
    let new = file("new", include_bytes!("../../tests/fixtures/until-2120.crt"));
    let at = |text: &str| text.parse::<Timestamp>().expect("a time");
    let judged = |files: &[&Path], now: &str| word(&judge_certificates(files, at(now), "p"));
    assert_eq!(judged(&[&new], "2026-11-25T00:00:00Z"), "ok");
    assert_eq!(judged(&[&new, &old], "2026-11-25T00:00:00Z"), "fail KS-CERTIFICATES-EXPIRED Task");
    assert_eq!(judged(&[&old], "2020-12-25T00:00:00Z"), "warn KS-CERTIFICATES-EXPIRED Task");
    assert_eq!(judged(&[&folder.path().join("none")], "2026-11-25T00:00:00Z"), "skip");
}
