use std::rc::Rc;
use std::time::{Duration, Instant};

use super::*;
use crate::errors;
use crate::errors::Id;
use crate::exec::{BoxFuture, Cmd, ExecError, Exit, Lines as Streamed, Output, Runner};

/// Prints this instead of starting kubectl.
struct Prints(&'static str, i32);

impl Runner for Prints {
    fn run<'a>(&'a self, cmd: &'a Cmd) -> BoxFuture<'a, std::result::Result<Output, ExecError>> {
        assert!(cmd.args.contains(&"kustomize".to_owned()) && cmd.args.contains(&"--context".to_owned()));
        let output = Output {
            exit: Exit::Code(self.1),
            stdout: self.0.into(),
            stderr: "error: a patch matches nothing\n".into(),
            took: Duration::ZERO,
        };
        Box::pin(async { Ok(output) })
    }

    fn stream<'a>(&'a self, _: &'a Cmd) -> BoxFuture<'a, std::result::Result<Box<dyn Streamed>, ExecError>> {
        unreachable!("nothing is streamed")
    }
}

fn with(sources: &[&str], runner: Prints, mut stdin: &[u8]) -> Result<Vec<Document>> {
    let kubectl = Kubectl::new("/kubectl".into(), Path::new("/config"), "kstrim", Rc::new(runner));
    let sources: Vec<Source> = sources.iter().map(|text| Source::from(*text)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(read(&sources, &kubectl, &mut stdin))
}

fn from_stdin(text: impl AsRef<[u8]>) -> Result<Vec<Document>> {
    with(&["-"], Prints("", 0), text.as_ref())
}

fn refused(text: impl AsRef<[u8]>, id: Id) -> Box<Failure> {
    let failure = from_stdin(&text).expect_err("it is refused");
    assert_eq!(failure.id, id, "{failure:?}");
    failure
}

fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, text).expect("a file");
    }
    directory
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

fn names(documents: &[Document]) -> Vec<&str> {
    documents.iter().map(|document| document.object.name()).collect()
}

#[test]
fn documents_have_their_origin() {
    let text = format!("# first\n{}---\n---\n{}", config_map("a"), config_map("b"));
    let all = from_stdin(text).expect("two documents");
    assert_eq!(names(&all), ["a", "b"]);
    let at: Vec<String> = all.iter().map(|d| d.origin.to_string()).collect();
    assert_eq!(at, ["standard input:2", "standard input:8"]);
    assert_eq!(all[1].line_of("/metadata/name"), Some(11));
    assert_eq!(all[1].line_of("/metadata/labels"), None);
    assert_eq!(all[1].at("/metadata/labels").line, 10);
}

#[test]
fn a_directory_is_read_as_kubectl_does() {
    let (a, b, c) = (config_map("a"), config_map("b"), config_map("c"));
    let inner = config_map("inner");
    let directory = directory(&[
        ("20.yml", &b),
        ("10.yaml", &a),
        ("30.json", r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json"}}"#),
        ("notes.txt", &c),
        ("inner/x.yaml", &inner),
    ]);
    let path = directory.path().display().to_string();
    let all = with(&[&path], Prints("", 0), b"").expect("three documents");
    assert_eq!(names(&all), ["a", "b", "json"]);
    assert_eq!(all[0].origin.to_string(), format!("{path}/10.yaml:1"));
    let inner = format!("{path}/inner");
    assert_eq!(
        names(&with(&[&path, &inner], Prints("", 0), b"").expect("four")),
        ["a", "b", "json", "inner"]
    );
}

#[test]
fn nothing_to_read_is_an_error() {
    let empty = directory(&[("README.md", "text"), ("sub/a.yaml", "a: 1")]);
    let path = empty.path().display().to_string();
    let failure = with(&[&path], Prints("", 0), b"").expect_err("no YAML");
    assert_eq!(failure.id, errors::FILE_EMPTY);
    let failure = with(&[&format!("{path}/none.yaml")], Prints("", 0), b"").expect_err("no such file");
    assert_eq!(failure.id, errors::FILE_UNREADABLE);
    assert_eq!(
        with(&["https://example.com/kafka.yaml"], Prints("", 0), b"").expect_err("a URL").id,
        errors::FILE_UNREADABLE
    );
    assert_eq!(with(&["-", "-"], Prints("", 0), b"").expect_err("twice").id, errors::FILE_UNREADABLE);
    refused("# only a comment\n---\n", errors::FILE_EMPTY);
    refused("", errors::FILE_EMPTY);
}

/// What kubectl fails to open must not be skipped: `--prune` would delete its objects.
#[test]
fn files_that_cannot_be_opened_are_errors() {
    let link = |to: &str, name: &str| {
        let directory = directory(&[("a.yaml", &config_map("a"))]);
        let path = directory.path().join(name);
        std::os::unix::fs::symlink(to, &path).expect("a link");
        let failure = with(&[&directory.path().display().to_string()], Prints("", 0), b"").expect_err(name);
        assert_eq!(failure.id, errors::FILE_UNREADABLE, "{failure:?}");
        assert_eq!(failure.message, format!("cannot read {}", path.display()));
        failure.causes
    };
    let causes = link("../real/t.yaml", "t.yaml");
    assert_eq!(causes, ["No such file or directory (os error 2)", "it is a symbolic link to ../real/t.yaml"]);
    assert_eq!(link("t.yml", "t.yml").len(), 2);
    assert_eq!(link("/", "t.json")[0], "is a directory");
    // A kustomization, too: its parts must not be applied as they are.
    assert_eq!(link("nowhere", "kustomization.yaml").len(), 2);
    assert_eq!(link("Kustomization", "Kustomization").len(), 2);

    // A directory is no file, whatever its name.
    let inner = directory(&[("a.yaml", &config_map("a")), ("b.yaml/c.yaml", &config_map("c"))]);
    let all = with(&[&inner.path().display().to_string()], Prints("", 0), b"").expect("one document");
    assert_eq!(names(&all), ["a"]);
    // A link to a file is followed.
    std::os::unix::fs::symlink("b.yaml/c.yaml", inner.path().join("d.yaml")).expect("a link");
    let all = with(&[&inner.path().display().to_string()], Prints("", 0), b"").expect("two documents");
    assert_eq!(names(&all), ["a", "c"]);
}

/// Opening a named pipe waits for a writer; those of the shell (`<(command)`) have one.
#[test]
fn named_pipes_are_not_read() {
    use std::io::Write as _;
    use std::os::fd::AsRawFd as _;

    let directory = directory(&[]);
    // `/dev/shm` is a place for temporary files, though it is in `/dev`.
    let in_memory = tempfile::tempdir_in("/dev/shm").ok();
    for place in
        [Some(directory.path()), in_memory.as_ref().map(tempfile::TempDir::path)].into_iter().flatten()
    {
        let path = place.join("a.yaml");
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
        assert!(made.success());
        for source in [path.display(), place.display()] {
            let failure = with(&[&source.to_string()], Prints("", 0), b"").expect_err("a named pipe");
            assert_eq!(failure.id, errors::FILE_UNREADABLE);
            assert!(failure.causes[0].contains("named pipe"), "{failure:?}");
        }
    }
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    writer.write_all(config_map("a").as_bytes()).expect("written");
    drop(writer);
    let passed = format!("/dev/fd/{}", reader.as_raw_fd());
    assert_eq!(names(&with(&[&passed], Prints("", 0), b"").expect("one document")), ["a"]);
}

#[test]
fn lists_are_split() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n---\n\
                apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopicList\nmetadata: {}\nitems:\n- apiVersion: kafka.strimzi.io/v1\n  \
                kind: KafkaTopic\n  metadata:\n    name: b\n";
    let all = from_stdin(text).expect("two objects");
    assert_eq!(names(&all), ["a", "b"]);
    assert_eq!((all[0].origin.line, all[1].origin.line), (4, 12));
    assert_eq!(all[1].line_of("/metadata/name"), Some(15));
    refused("kind: List\napiVersion: v1\nitems: 1\n", errors::FILE_OBJECT);
}

#[test]
fn marks_and_encodings() {
    let text = format!("\u{feff}{}", config_map("a").replace('\n', "\r\n"));
    assert_eq!(names(&from_stdin(text).expect("a byte order mark")), ["a"]);
    let utf16: Vec<u8> = "\u{feff}kind: A".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [&utf16[..], &utf16[2..]] {
        let failure = refused(bytes, errors::FILE_YAML);
        assert!(failure.causes[0].contains("UTF-16"), "{failure:?}");
    }
    assert!(refused(b"a: 1\nb: \xff\n", errors::FILE_YAML).message.contains("standard input:2"));
}

#[test]
fn all_problems_are_reported_with_their_positions() {
    let text = "kind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nmetadata: {name: b}\n---\n- 1\n---\n\
                apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: test-\n---\n\
                apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\ndata:\n  good: aGVs\n   \n  bad: pass word\n";
    let failure = refused(text, errors::FILE_OBJECT);
    assert_eq!(failure.message, "there are 5 problems in the specified manifests");
    let starts = |at: usize, with: &str| assert!(failure.causes[at].starts_with(with), "{failure:#?}");
    starts(0, "standard input:1: the document is not a Kubernetes object: it has no apiVersion");
    starts(1, "standard input:4: the document is not a Kubernetes object: it has no kind");
    starts(2, "standard input:7: the document is not a Kubernetes object: it is not a mapping");
    starts(3, "standard input:9: the document is not a Kubernetes object: it has metadata.generateName");
    starts(4, "standard input:21: Secret s: data.bad is not base64");
}

#[test]
fn an_object_is_described_once() {
    let text = format!("{}---\n{}", config_map("a"), config_map("a"));
    let failure = refused(text, errors::FILE_DUPLICATE);
    assert_eq!(failure.message, "standard input:6: ConfigMap a is described twice, also at standard input:1");
}

#[test]
fn helm_templates_are_recognized() {
    for text in [
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: \"{{ .Release.Name }}-x\"\n",
        "{{- if .Values.enabled }}\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n{{- end }}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels:\n    {{- include \"chart.labels\" . | nindent 4 }}\n",
    ] {
        refused(text, errors::FILE_TEMPLATE);
    }
    // Prometheus has templates, too, and a ConfigMap may contain a chart.
    let alerts = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: a}\nspec:\n  summary: \
                  \"{{ $labels.pod }} is down\"\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata:\n  \
                  x: \"{{ .Values.x }}\"\n";
    assert_eq!(names(&from_stdin(alerts).expect("no template")), ["a", "b"]);
}

/// To kubectl, `n` is false and `123` a number.
#[test]
fn words_that_need_quotes_are_reported_with_their_line() {
    for (metadata, line, words, hint) in [
        (
            "  name: n",
            4,
            "has a metadata.name that is read as the boolean false: write it in quotes",
            "y, n, yes",
        ),
        ("  name: 123", 4, "has a metadata.name that is read as the number 123: write it in quotes", ""),
        ("  name: a\n  namespace: 5", 5, "has a metadata.namespace that is read as the number 5", ""),
        ("  name: a\n  labels: [a]", 5, "has a metadata.labels that is a sequence, not a mapping", ""),
        (
            "  name: a\n  labels:\n    a: b\n    c: yes",
            7,
            "metadata.labels.c must be a string, but is true",
            "quotes",
        ),
        (
            "  name: a\n  annotations:\n    c: {}",
            6,
            "metadata.annotations.c must be a string, but is a mapping",
            "",
        ),
        (
            "  name: a\n  annotations:\n    token: 720",
            6,
            "annotations.token must be a string, but is a number",
            "quotes",
        ),
    ] {
        let failure =
            refused(format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n{metadata}\n"), errors::FILE_OBJECT);
        assert!(failure.message.starts_with(&format!("standard input:{line}: ")), "{metadata}: {failure:?}");
        assert!(failure.message.contains(words), "{failure:?}");
        assert!(
            failure.hints.iter().any(|h| !hint.is_empty() && h.contains(hint)) || hint.is_empty(),
            "{failure:?}"
        );
    }
    assert_eq!(
        from_stdin(format!("{}  labels: {{a:}}\n", config_map("a"))).expect("null is allowed").len(),
        1
    );
}

/// Rules of Prometheus contain templates that are valid YAML: what is wrong elsewhere is the fault.
#[test]
fn templates_in_text_are_not_the_fault() {
    let rules = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {name: a}\nspec:\n  text: |\n    \
                 {{ $labels.pod }} is down\n    {{ if .x }}\n---\n";
    for (broken, line) in [
        ("kind: A\na: 1\na: 2\n", 11),
        ("kind: A\nb:\n\tc: 1\n", 11),
        ("kind: A\nb: [1, 2\nc: 3\n", 11),
        ("kind: A\nb: \"{{ $value }}\"\nb: 2\n", 11),
        ("kind: A\n\"{{ $value }}\": 2\n\"{{ $value }}\": 2\n", 11),
    ] {
        let failure = refused(format!("{rules}{broken}"), errors::FILE_YAML);
        assert!(failure.message.starts_with(&format!("standard input:{line}: ")), "{broken}: {failure:?}");
    }
    for (template, line) in [
        ("kind: A\nname: {{ .Values.name }}\n", 10),
        ("kind: A\n{{- if .Values.x }}\nb: 1\n{{- else }}\nb: 2\n{{- end }}\n", 10),
        ("kind: A\n{{- /* a comment\n  of two lines */}}\nb: {{ include \"x\" . }}\n", 10),
        ("kind: A\nb: 1\nc: \"{{ .Values.x | default \"y\" }}\"\n", 11),
    ] {
        let failure = refused(format!("{rules}{template}"), errors::FILE_TEMPLATE);
        assert!(failure.message.starts_with(&format!("standard input:{line}: ")), "{template}: {failure:?}");
    }
}

#[test]
fn a_chart_is_recognized() {
    let chart =
        directory(&[("Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"), ("values.yaml", "a: 1\n")]);
    let path = chart.path().display().to_string();
    let failure = with(&[&path], Prints("", 0), b"").expect_err("a chart");
    assert_eq!(failure.id, errors::FILE_TEMPLATE);
    assert_eq!(failure.hints, [format!("render it first: helm template {path} | kstrim up -f -")]);
}

#[test]
fn limits_hold_for_all_sources_together() {
    let start = Instant::now();
    let many: String = (0..10_000).map(|at| format!("---\n{}", config_map(&format!("a{at}")))).collect();
    refused(many, errors::FILE_TOO_LARGE);
    let items: String = (0..10_000)
        .map(|at| format!("- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: a{at}}}}}\n"))
        .collect();
    refused(format!("apiVersion: v1\nkind: List\nitems:\n{items}"), errors::FILE_TOO_LARGE);
    refused(vec![b'#'; (SIZE_LIMIT + 1) as usize], errors::FILE_TOO_LARGE);
    let keys: String = (0..300_000).map(|at| format!("k{at}: 1\n")).collect();
    refused(keys, errors::FILE_OBJECT);
    let numbers = format!("apiVersion: v1\nkind: List\nitems:\n{}", "- 1\n".repeat(300_000));
    refused(numbers, errors::FILE_TOO_LARGE);
    // Problems are not documents.
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: sNUMBER}\ndata: {a: b}\n";
    let secrets: String = (0..4_999).map(|at| secret.replace("NUMBER", &at.to_string())).collect();
    assert!(refused(secrets, errors::FILE_OBJECT).message.contains("4999 problems"));
    let fine: String = (0..4_000).map(|at| format!("---\n{}", config_map(&format!("a{at}")))).collect();
    assert_eq!(from_stdin(fine).expect("as many as allowed").len(), 4000);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

#[test]
fn a_kustomization_is_built_by_kubectl() {
    let a = config_map("a");
    let directory = directory(&[("kustomization.yaml", "resources: [a.yaml]\n"), ("a.yaml", &a)]);
    let path = directory.path().display().to_string();
    const BUILT: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: built\n";
    for source in [path.clone(), format!("{path}/kustomization.yaml")] {
        let all = with(&[&source], Prints(BUILT, 0), b"").expect("one document");
        assert_eq!(names(&all), ["built"]);
        assert_eq!(all[0].origin.to_string(), format!("`kubectl kustomize {path}`:1"));
    }
    let failure = with(&[&path], Prints("", 1), b"").expect_err("kubectl fails");
    assert_eq!(failure.id, errors::FILE_KUSTOMIZE);
    assert_eq!(failure.causes, ["error: a patch matches nothing"]);
}

/// The data of Secrets is read as by the API server.
#[test]
fn base64_may_have_line_breaks() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  a: |\n    aGVs\n    bG8=\n  b: \"\"\n  c:\n\
                stringData:\n  d: pass word\n";
    assert_eq!(from_stdin(text).expect("a Secret").len(), 1);
    refused("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: 5}\n", errors::FILE_OBJECT);
}
