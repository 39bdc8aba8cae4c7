//! Malicious directories: a cloned repository, another user's file above the working directory, a program in the directory
//! in which kstrim is run. Each row says what must not be run, read or sent.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{Run, Test};
use crate::mirror::{Mirror, sha256, url};
use crate::support::{fresh, kstrim, quick};
use crate::trouble::clean;

/// Another user of this machine.
const STRANGER: u32 = 12_345;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

/// A program that leaves a trace when it is run.
fn trap(test: &Test, name: &str) -> (PathBuf, PathBuf) {
    let trace = test.home().join(format!("{name}-ran"));
    let file = test.write(name, format!("#!/bin/sh\n: > {}\nexit 0\n", trace.display()));
    mode(&file, 0o755);
    (file, trace)
}

/// A FIFO: reading it blocks forever, and the harness reports that.
fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
}

/// Run in a directory other than the test's own.
fn run_in(test: &mut Test, folder: &Path, args: &[&str]) -> Output {
    test.args(args.iter().copied()).kstrim().current_dir(folder).output().expect("it runs")
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

fn refused(run: &Run, test: &Test, id: &str) {
    clean(test, run);
    assert_eq!(run.code(), 2, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stderr.contains(id), "{}", run.stderr);
    assert_eq!(test.calls(), [], "nothing may run");
}

#[test]
fn what_a_cloned_repository_must_not_decide() {
    // (content of its kstrim.yaml, the commands that must refuse to run, text in the error message)
    let rows: [(&str, &[&str], &str); 12] = [
        ("bundle: trap.fifo", &["up", "plan", "render"], "line 1: bundle:"),
        ("manifests: trap.fifo", &["up", "plan", "render"], "line 1: manifests:"),
        ("manifests: http://127.0.0.1:PORT/install.yaml", &["up", "plan", "render"], "line 1: manifests:"),
        ("minikube-arg: [--mount-string=/:/host, --mount]", &["up", "plan"], "line 1: minikube-arg:"),
        (
            "minikube-arg: --docker-env=A=http://a:hunter2@h",
            &["up"],
            "minikube-arg: --docker-env=A=http://REDACTED@h",
        ),
        ("image-registry: 127.0.0.1:PORT/x", &["up", "plan", "render"], "line 1: image-registry:"),
        ("image-archive: [trap.fifo]", &["up", "plan"], "line 1: image-archive:"),
        ("image-pull-secret: [theirs]", &["up", "plan", "render"], "line 1: image-pull-secret:"),
        ("image-pull-config: trap.fifo", &["up", "plan"], "line 1: image-pull-config:"),
        ("driver: none", &["up", "plan"], "line 1: driver: none"),
        ("driver: ssh", &["up", "plan"], "line 1: driver: ssh"),
        (
            "memory: 6g\ncontext: production",
            &[
                "up",
                "down",
                "status",
                "smoke-test",
                "topic list",
                "env",
                "diagnose",
                "doctor",
                "kubectl -- get pods",
            ],
            "line 2: context: production",
        ),
    ];
    for (text, verbs, words) in rows {
        let mut test = Test::new();
        let mirror = Mirror::new(&test);
        let base = mirror.serve();
        let port = base.rsplit_once(':').expect("a port").1;
        test.write("kstrim.yaml", text.replace("PORT", port));
        fifo(&test.work().join("trap.fifo"));
        for verb in verbs {
            let run = test.args(verb.split(' ')).run();
            refused(&run, &test, "KS-CONFIG-UNTRUSTED");
            assert!(run.stderr.contains(words), "{text}: {verb}: {}", run.stderr);
            assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
            let hint = format!("kstrim trust {}", test.work().join("kstrim.yaml").display());
            assert!(run.stderr.contains(&hint), "{}", run.stderr);
        }
        // Commands that do not need it run, and a flag comes from the user.
        kstrim(&mut test, ["config", "show"]).expect(0);
        if !text.contains("context") {
            let run = kstrim(&mut test, ["status"]);
            assert!(!run.stderr.contains("trust"), "{text}: {}", run.stderr);
        }
        assert_eq!(mirror.seen(), Vec::<String>::new(), "{text}");
    }
    let mut test = Test::new();
    test.write("kstrim.yaml", "image-registry: r.example/x\nmanifests: other.yaml\n");
    test.write("install.yaml", crate::support::manifest());
    kstrim(&mut test, ["render", "--image-registry", "mine.example/x", "--manifests", "install.yaml"])
        .expect(0);
    let run = kstrim(&mut test, ["render", "--image-registry", "mine.example/x"]).expect(2);
    assert!(run.stderr.contains("--manifests") && !run.stderr.contains("--image-registry"), "{}", run.stderr);
}

/// A project may select a cluster, but only the user may select what is deleted.
#[test]
fn a_cloned_repository_does_not_select_what_is_deleted() {
    for (text, flag) in [
        ("profile: shop", "--profile=shop"),
        ("namespace: theirs", "--namespace=theirs"),
        ("cluster: orders", "--cluster=orders"),
    ] {
        let mut test = fresh();
        let file = test.write("kstrim.yaml", text);
        for verb in [
            "down --yes",
            "down --keep-data",
            "topic delete t",
            "user delete u",
            "remove bridge",
            "doctor --fix",
        ] {
            let run = test.args(verb.split(' ')).run();
            refused(&run, &test, "KS-CONFIG-UNTRUSTED");
            assert!(run.stderr.contains(&format!("line 1: {text}")), "{verb}: {}", run.stderr);
            assert!(run.stderr.contains(&file.display().to_string()), "{verb}: {}", run.stderr);
        }
        // A flag from the user, a command that deletes nothing, and a file that is trusted.
        for said in [&["down", "--yes", flag][..], &["status"]] {
            let run = test.args(said.iter().copied()).run();
            assert!(!run.stderr.contains("KS-CONFIG-UNTRUSTED"), "{said:?}: {}", run.stderr);
        }
        kstrim(&mut test, ["trust"]).expect(0);
        let run = kstrim(&mut test, ["down", "--yes"]);
        assert!(!run.stderr.contains("KS-CONFIG-UNTRUSTED"), "{}", run.stderr);
    }
    // The command uses a context, which needs no profile.
    let mut test = fresh();
    test.write("kstrim.yaml", "profile: shop");
    let run = kstrim(&mut test, ["down", "--yes", "--context", "prod"]);
    assert!(!run.stderr.contains("KS-CONFIG-UNTRUSTED"), "{}", run.stderr);
}

#[test]
fn no_argument_selects_another_profile() {
    for text in
        ["minikube-arg: -pvictim", "minikube-arg: [--profile, victim]", "minikube-arg: [--force, '--']"]
    {
        let mut test = fresh();
        test.write("kstrim.yaml", text);
        for verb in ["up", "trust"] {
            refused(&kstrim(&mut test, [verb]), &test, "KS-CONFIG-VALUE");
        }
    }
    for bad in ["-pvictim", "-p=victim", "--profile=victim", "-hpvictim", "-ojson"] {
        let mut test = fresh();
        let run = test.args(["up".to_owned(), format!("--minikube-arg={bad}")]).run();
        refused(&run, &test, "--minikube-arg");
    }
}

/// A repository that contains a minikube and a kubectl of its own, with checksums of its own.
#[test]
fn programs_of_a_repositorys_mirror_are_never_run() {
    let test = Test::new().scenario(quick).without("minikube").without("kubectl");
    let mirror = Mirror::new(&test);
    let (evil, trace) = trap(&test, "evil");
    for (tool, version) in [("minikube", "1.38.1"), ("kubectl", "1.35.1")] {
        let bytes = fs::read(&evil).expect("a program");
        mirror.put(&url(tool, version), &bytes);
        mirror.put(&format!("{}.sha256", url(tool, version)), sha256(&bytes));
    }
    let base = mirror.serve();
    let file = test.write("kstrim.yaml", format!("mirror: {base}\noffline: true\n"));
    let mut test = test;
    // Ignored: downloads come from the publisher, or there are none.
    let run = kstrim(&mut test, ["up"]);
    assert!(
        run.stderr.contains("kstrim.yaml:1: mirror is ignored: the file is not trusted"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("KS-DOWNLOAD-OFFLINE"), "{}", run.stderr);
    assert_eq!(mirror.seen(), Vec::<String>::new());
    // The directory itself is the mirror, and it contains a list of digests of its own.
    let digests = format!("{}  minikube-1.38.1-{}\n", sha256(b"x"), kstrim::internals::bundle::platform());
    test.write("digests.txt", digests);
    fs::write(&file, "mirror: mirror\ntool-digests: digests.txt\noffline: true\n").expect("written");
    let run = kstrim(&mut test, ["tools", "install"]);
    assert_eq!(run.code(), 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("KS-DOWNLOAD-OFFLINE") && run.stderr.contains("tool-digests"),
        "{}",
        run.stderr
    );
    // Once trusted, it may be downloaded from, and the files are verified against the catalogue's digests.
    fs::write(&file, format!("mirror: {base}\n")).expect("written");
    kstrim(&mut test, ["trust"]).expect(0);
    let run = kstrim(&mut test, ["up"]);
    assert!(run.stderr.contains("KS-DOWNLOAD-DIGEST"), "{}", run.stderr);
    assert!(!mirror.seen().is_empty());
    // Over plain http from another machine, nothing is even requested.
    let run = kstrim(&mut test, ["tools", "install", "--mirror", "http://mirror.invalid"]).expect(2);
    assert!(run.stderr.contains("KS-TOOL-PLAIN-HTTP"), "{}", run.stderr);
    // A file that an earlier kstrim downloaded from it is not run later, from whatever directory.
    let own = test.home().join(".local/share/kstrim/tools");
    let platform = kstrim::internals::bundle::platform();
    let place = own.join("minikube/1.38.1").join(&platform).join("minikube");
    fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    fs::copy(&evil, &place).expect("a copy");
    let entry = serde_json::json!({"sha256": sha256(&fs::read(&evil).expect("it")), "from": base,
        "obtained": "2026-11-01T00:00:00Z"});
    let key = format!("minikube/1.38.1/{platform}");
    let ledger = serde_json::json!({"schema": 1, "tools": {key: entry}});
    fs::write(own.join("ledger.json"), ledger.to_string()).expect("written");
    fs::remove_file(&file).expect("removed");
    let run = kstrim(&mut test, ["status"]).expect(3);
    assert!(run.stderr.contains("KS-TOOL-UNPINNED"), "{}", run.stderr);
    assert!(!trace.exists(), "the repository's program was run");
    assert_eq!(test.calls(), []);
}

#[test]
fn only_one_content_at_one_path_is_trusted() {
    let mut test = fresh();
    let file = test.write("kstrim.yaml", "image-registry: r.example/x\n");
    let other = test.write("other/kstrim.yaml", "image-registry: r.example/x\n");
    kstrim(&mut test, ["render", "--only", "kafka"]).expect(2);
    let run = kstrim(&mut test, ["trust"]).expect(0);
    assert_eq!(run.stdout, format!("{}\n", file.display()));
    kstrim(&mut test, ["render", "--only", "kafka"]).expect(0);
    let listed = kstrim(&mut test, ["trust", "--list", "-o", "json"]).expect(0).json();
    assert_eq!(listed[0]["path"], file.display().to_string());
    assert_eq!(listed[0]["sha256"], sha256(b"image-registry: r.example/x\n"));
    // The same content at another path is another file; so is other content at the same path.
    let output = run_in(&mut test, other.parent().expect("a folder"), &["render", "--only", "kafka"]);
    assert!(said(&output).contains("KS-CONFIG-UNTRUSTED"), "{}", said(&output));
    fs::write(&file, "image-registry: evil.example/x\n").expect("written");
    kstrim(&mut test, ["render", "--only", "kafka"]).expect(2);
    fs::write(&file, "image-registry: r.example/x\n").expect("written");
    kstrim(&mut test, ["render", "--only", "kafka"]).expect(0);
    kstrim(&mut test, ["trust", "--revoke"]).expect(0);
    kstrim(&mut test, ["render", "--only", "kafka"]).expect(2);
    assert_eq!(kstrim(&mut test, ["trust", "--list", "-o", "json"]).expect(0).json(), serde_json::json!([]));
    fs::remove_file(&file).expect("removed");
    let run = kstrim(&mut test, ["trust"]).expect(2);
    assert!(run.stderr.contains("KS-TRUST-NO-FILE"), "{}", run.stderr);
    // `config show` says which settings are ignored, and why.
    fs::write(&file, "memory: 6g\nmirror: https://m.example\n").expect("written");
    let shown = kstrim(&mut test, ["config", "show", "-o", "json"]).expect(0).json();
    let mirror = setting(&shown, "mirror");
    assert_eq!(mirror["value"], Value::Null);
    assert_eq!(mirror["left_out"]["value"], "https://m.example");
    assert!(mirror["left_out"]["where"].as_str().is_some_and(|at| at.ends_with("kstrim.yaml:2")), "{mirror}");
    assert_eq!(setting(&shown, "memory")["value"], "6g");
    let text = kstrim(&mut test, ["config", "show"]).expect(0).stdout;
    assert!(text.contains("kstrim.yaml:2: mirror: https://m.example: the file is not trusted"), "{text}");
}

fn setting(shown: &Value, key: &str) -> Value {
    let all = shown["settings"].as_array().expect("a list");
    all.iter().find(|one| one["key"] == key).cloned().unwrap_or_default()
}

/// CVE-2022-24765 for kstrim: a file that another user created above the working directory.
#[test]
#[cfg_attr(not(built_by_root), ignore = "needs root: only root can change the owner of a file")]
fn files_that_others_own_or_may_write_are_not_accepted() {
    let text = "memory: 7g\nnamespace: theirs\n";
    // (who owns file and directory, modes of both, text in the output)
    for (file_owner, folder_owner, file_mode, folder_mode, words) in [
        (STRANGER, 0, 0o644, 0o1777, "it belongs to uid 12345, you are uid 0"),
        (0, STRANGER, 0o644, 0o755, "belongs to uid 12345"),
        (0, 0, 0o666, 0o755, "everybody can write to it"),
        (0, 0, 0o644, 0o777, "everybody can write to the directory"),
        (0, 0, 0o644, 0o755, ""),
        (0, 0, 0o644, 0o1777, ""),
    ] {
        let mut test = fresh();
        let file = test.write("shared/kstrim.yaml", text);
        let folder = file.parent().expect("a folder").to_owned();
        let work = folder.join("work/deep");
        fs::create_dir_all(&work).expect("a folder");
        chown(&file, Some(file_owner), Some(file_owner)).expect("given");
        chown(&folder, Some(folder_owner), Some(folder_owner)).expect("given");
        mode(&file, file_mode);
        mode(&folder, folder_mode);
        let shown = run_in(&mut test, &work, &["config", "show", "-o", "json"]);
        let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
        let believed = words.is_empty();
        assert_eq!(setting(&shown, "memory")["value"] == "7g", believed, "{words}: {shown}");
        assert_eq!(shown["files"][0]["believed"], believed, "{shown}");
        let output = run_in(&mut test, &work, &["render", "--only", "namespace"]);
        let render = said(&output);
        assert_eq!(render.contains("theirs"), believed, "{words}: {render}");
        if believed {
            continue;
        }
        assert!(shown["files"][0]["why"].as_str().is_some_and(|why| why.contains(words)), "{shown}");
        assert!(render.contains("is ignored") && render.contains(words), "{render}");
        // The way out, also for a directory that is mounted into a container: trust this exact content.
        let path = file.display().to_string();
        assert!(run_in(&mut test, &work, &["trust", &path]).status.success());
        assert!(said(&run_in(&mut test, &work, &["render", "--only", "namespace"])).contains("theirs"));
        // Not with O_CREAT: where fs.protected_regular is set, that is refused in a directory like /tmp, for root too.
        let mut opened = fs::OpenOptions::new().write(true).truncate(true).open(&file).expect("open");
        std::io::Write::write_all(&mut opened, b"namespace: evil\n").expect("written");
        let after = said(&run_in(&mut test, &work, &["render", "--only", "namespace"]));
        assert!(!after.contains("namespace: evil") && !after.contains("name: evil"), "{after}");
    }
    // A link that another user created, to one of the user's own files.
    let mut test = fresh();
    let target = test.write("mine.yaml", text);
    let link = test.work().join("kstrim.yaml");
    symlink(&target, &link).expect("a link");
    assert_eq!(setting(&kstrim(&mut test, ["config", "show", "-o", "json"]).json(), "memory")["value"], "7g");
    lchown(&link, Some(STRANGER), Some(STRANGER)).expect("given");
    let shown = kstrim(&mut test, ["config", "show", "-o", "json"]).json();
    assert!(shown["files"][0]["why"].as_str().is_some_and(|why| why.contains("the link")), "{shown}");
    // With sudo, files of the user who called it are read.
    let mut test = fresh().env("SUDO_UID", STRANGER.to_string());
    let file = test.write("kstrim.yaml", text);
    chown(&file, Some(STRANGER), Some(STRANGER)).expect("given");
    mode(&file, 0o644);
    assert_eq!(setting(&kstrim(&mut test, ["config", "show", "-o", "json"]).json(), "memory")["value"], "7g");
    // The same checks apply to the user's own file.
    let mut test = fresh();
    let file = test.home().join(".config/kstrim/config.yaml");
    fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
    fs::write(&file, text).expect("a file");
    chown(&file, Some(STRANGER), None).expect("given");
    let shown = kstrim(&mut test, ["config", "show", "-o", "json"]).json();
    assert_eq!(
        (&shown["files"][0]["whose"], &shown["files"][0]["believed"]),
        (&"user".into(), &false.into())
    );
}

#[test]
fn special_files_do_not_block() {
    for (name, id) in
        [("fifo", ""), ("zero", ""), ("folder", ""), ("huge", "KS-CONFIG-UNREADABLE"), ("bomb", "KS-CONFIG")]
    {
        let mut test = fresh();
        let file = test.work().join("kstrim.yaml");
        match name {
            "fifo" => fifo(&file),
            "zero" => symlink("/dev/zero", &file).expect("a link"),
            "folder" => fs::create_dir(&file).expect("a folder"),
            "huge" => fs::write(&file, vec![b'#'; 8 << 20]).expect("a file"),
            _ => {
                let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
                for n in 1..40 {
                    let many = vec![format!("*a{}", n - 1); 9].join(", ");
                    text.push_str(&format!("a{n}: &a{n} [{many}]\n"));
                }
                fs::write(&file, text).expect("a file");
            }
        }
        let run = kstrim(&mut test, ["render", "--only", "namespace"]);
        clean(&test, &run);
        assert!(run.took < std::time::Duration::from_secs(20), "{name}: {:?}", run.took);
        if id.is_empty() {
            assert_eq!(run.code(), 0, "{name}: {}", run.stderr);
            assert!(run.stderr.contains("it is not a regular file"), "{name}: {}", run.stderr);
        } else {
            assert_eq!(run.code(), 2, "{name}: {}", run.stderr);
            assert!(run.stderr.contains(id), "{name}: {}", run.stderr);
        }
    }
}

#[test]
fn programs_in_the_working_directory_are_not_those_on_path() {
    for path in [".", "", "bin", ".:"] {
        let test = fresh().without("minikube").without("kubectl").without("docker");
        let traces: Vec<PathBuf> = ["minikube", "kubectl", "docker", "podman"]
            .into_iter()
            .flat_map(|name| {
                let (file, trace) = trap(&test, name);
                fs::create_dir_all(test.work().join("bin")).expect("a folder");
                fs::copy(&file, test.work().join("bin").join(name)).expect("a copy");
                [trace]
            })
            .collect();
        let full = format!("{path}:{}", test.bin().display());
        let mut test = test.env("PATH", full).env("KSTRIM_SYSTEM_TOOLS", "true");
        for verb in ["up", "status", "doctor", "down"] {
            let run =
                test.args([verb, "--yes"].iter().take(if verb == "down" { 2 } else { 1 }).copied()).run();
            assert_ne!(run.code(), 0, "{verb}");
        }
        for trace in traces {
            assert!(!trace.exists(), "PATH={path}: {}", trace.display());
        }
    }
}

#[test]
fn kstrim_does_not_read_files_of_other_programs() {
    let mut test = fresh();
    test.write(".env", "KSTRIM_MIRROR=http://127.0.0.1:1\nKSTRIM_NAMESPACE=theirs\n");
    test.write(".envrc", "export KSTRIM_NAMESPACE=theirs\n");
    test.write(".kstrim.yaml", "namespace: theirs\n");
    test.write("kubeconfig", "");
    let rendered = kstrim(&mut test, ["render", "--only", "namespace"]).expect(0).stdout;
    assert!(!rendered.contains("theirs"), "{rendered}");
    let before: Vec<_> = list(&test.work());
    kstrim(
        &mut test,
        [
            "up",
            "--bundle",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bundles/KS-BUNDLE-ENTRY.traversal.bundle"),
        ],
    )
    .expect(2);
    assert_eq!(list(&test.work()), before);
}

fn list(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// CI containers run as a user without an entry in the user database: nothing is written to the working directory.
#[test]
#[cfg_attr(not(built_by_root), ignore = "needs root: only root can run a program as another user")]
fn without_a_home_nothing_is_written_to_the_working_directory() {
    let folders = ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"];
    for home in [None, Some(""), Some("relative"), Some("XDG")] {
        for verb in ["up", "status", "down", "render", "tools", "trust"] {
            let mut test = fresh();
            test.write("kstrim", "in the way");
            let all = test.home().parent().expect("the test's directory").to_owned();
            mode(&all, 0o755);
            test.args([verb].iter().chain((verb == "tools").then_some(&"list")).copied());
            let mut command: Command = test.kstrim_copied();
            command.env_remove("HOME");
            if home != Some("XDG") {
                for name in folders {
                    command.env_remove(name);
                }
            }
            command.envs(home.filter(|home| *home != "XDG").map(|home| ("HOME", home)));
            chown(test.work(), Some(STRANGER), Some(STRANGER)).expect("given");
            for given in [test.home(), test.world_dir()] {
                chown(&given, Some(STRANGER), Some(STRANGER)).expect("given");
            }
            let before = list(&test.work());
            command.uid(STRANGER).gid(STRANGER);
            // A child process that another test starts at this moment may still have the copy open for writing.
            let busy = |result: &std::io::Result<Output>| {
                result.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::ExecutableFileBusy)
            };
            let mut output = command.output();
            for _ in 0..50 {
                if !busy(&output) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(100));
                output = command.output();
            }
            let output = output.expect("it runs");
            let text = said(&output);
            assert_eq!(list(&test.work()), before, "{home:?} {verb}: {text}");
            if home == Some("XDG") {
                assert!(!text.contains("KS-NO-HOME"), "{verb}: {text}");
                continue;
            }
            assert_eq!(output.status.code(), Some(3), "{home:?} {verb}: {text}");
            assert!(text.contains("KS-NO-HOME") && text.contains("XDG_STATE_HOME"), "{text}");
        }
    }
}

/// Everything in a directory that another user could read.
fn open_to_others(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let meta = entry.metadata().expect("it is there");
        if meta.permissions().mode() & 0o077 != 0 && !meta.is_symlink() {
            found.push(format!("{:o} {}", meta.permissions().mode(), entry.path().display()));
        }
        if meta.is_dir() {
            open_to_others(&entry.path(), found);
        }
    }
}

#[test]
fn files_are_private_and_contain_no_passwords() {
    let mut test = fresh().scenario(quick);
    let secret = "--minikube-arg=--docker-env=HTTPS_PROXY=http://ada:hunter2@proxy.example:3128";
    let flag = "--minikube-arg=--docker-env=DB_PASSWORD=hunter2";
    for words in [&["up", "-v"][..], &["up", "-o", "json"], &["plan"], &["plan", "--script"], &["diagnose"]] {
        let more: &[&str] = if words[0] == "diagnose" { &[] } else { &[secret, flag] };
        let kstrim = test.args(words.iter().chain(more).copied()).kstrim();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "umask 0; exec \"$0\" \"$@\""]);
        shell.arg(kstrim.get_program()).args(kstrim.get_args()).env_clear().current_dir(test.work());
        shell.envs(kstrim.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env_remove("KSTRIM_NO_DIAGNOSE");
        let output = shell.output().expect("it runs");
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        assert!(!said(&output).contains("hunter2"), "{words:?}: {}", said(&output));
    }
    let start = test.calls().into_iter().find(|call| call.args.first().is_some_and(|a| a == "start"));
    assert!(start.expect("a start").line().contains("ada:hunter2@"), "minikube itself gets it");
    let mut open = Vec::new();
    for folder in [".local/state/kstrim", ".cache/kstrim"] {
        let folder = test.home().join(folder);
        if !folder.exists() {
            continue;
        }
        assert_eq!(
            fs::metadata(&folder).expect("it").permissions().mode() & 0o777,
            0o700,
            "{}",
            folder.display()
        );
        open_to_others(&folder, &mut open);
    }
    // minikube and kubectl write their context with their own file modes.
    open.retain(|line| !line.contains("/kubeconfig"));
    assert_eq!(open, Vec::<String>::new());
    let log = test.home().join(".local/state/kstrim/profiles/kstrim/up.events.jsonl");
    let log = fs::read_to_string(log).expect("the log");
    assert!(!log.contains("hunter2") && log.lines().all(|line| line.parse::<Value>().is_ok()), "{log}");
}
