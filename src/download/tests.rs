//! Tests with a small real HTTP server whose responses are scripted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::*;
use crate::errors;
use crate::failure::Id;

/// A request that the server received: its path, and its headers as lines.
#[derive(Debug, Clone)]
struct Seen {
    path: String,
    headers: String,
}

struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Serve connections one after another; `answer` is called with the number of the request, from 0.
    fn start(answer: impl Fn(usize, &Seen, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut line = String::new();
                let _ = reader.read_line(&mut line);
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                let mut headers = String::new();
                while reader.read_line(&mut headers).is_ok_and(|read| read > 2) {}
                let one = Seen { path, headers: headers.to_lowercase() };
                log.lock().unwrap().push(one.clone());
                answer(number, &one, &mut stream);
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read(&mut [0; 16]);
            }
        });
        Self { url, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn reply(stream: &mut TcpStream, head: &str, body: &[u8]) {
    let _ = stream.write_all(format!("HTTP/1.1 {head}\r\nconnection: close\r\n\r\n").as_bytes());
    let _ = stream.write_all(body);
}

fn ok(stream: &mut TcpStream, body: &[u8]) {
    reply(stream, &format!("200 OK\r\netag: \"v1\"\r\ncontent-length: {}", body.len()), body);
}

struct Bench {
    store: Store,
    _folder: tempfile::TempDir,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings {
        backoff: Duration::from_millis(1),
        read_timeout: Duration::from_millis(500),
        size_limit: 1 << 20,
        proxy: false,
        ..Settings::default()
    };
    let store = Store { folder: folder.path().join("cache"), source: Source::Origin, settings };
    Bench { store, _folder: folder }
}

fn sha(bytes: &[u8]) -> String {
    crate::sha256::of(bytes)
}

fn verify(path: &Path) -> Result<String> {
    Ok(sha(&fs::read(path).unwrap()))
}

impl Bench {
    fn fetch(&self, url: &str, digest: Option<&str>) -> Result<Fetched> {
        let request = Request { url, class: "files", digest, verify: &verify };
        self.store.fetch(&request, &mut |_| ControlFlow::Continue(()))
    }

    fn refused(&self, url: &str) -> Id {
        self.fetch(url, None).expect_err("must fail").id
    }
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 % 251) as u8).collect()
}

#[test]
fn a_file_is_cached_and_requested_once() {
    let server = Server::start(|_, _, stream| ok(stream, b"hello"));
    let (bench, digest) = (bench(), sha(b"hello"));
    let url = format!("{}/a?b=c", server.url);
    let mut last = None;
    let request = Request { url: &url, class: "files", digest: Some(&digest), verify: &verify };
    let first = bench
        .store
        .fetch(&request, &mut |progress| {
            last = Some(progress);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(last, Some(Progress { done: 5, total: Some(5) }));
    assert_eq!(fs::read(&first.path).unwrap(), b"hello");
    assert_eq!(first.from.as_deref(), Some(url.as_str()));
    let again = bench.fetch(&url, Some(&digest)).unwrap();
    assert_eq!((again.from, again.path.clone()), (None, first.path));
    assert_eq!(server.seen().len(), 1);
    assert!(server.seen()[0].headers.contains("accept-encoding: identity"));

    // A damaged cache is detected and fixed.
    fs::write(&again.path, "hellO").unwrap();
    bench.fetch(&url, Some(&digest)).unwrap();
    assert_eq!(fs::read(&again.path).unwrap(), b"hello");
    assert_eq!(server.seen().len(), 2);
}

/// A byte now and then is within every limit of a single read.
#[test]
fn a_dripping_server_is_abandoned_and_its_bytes_are_kept() {
    let drip = |stream: &mut TcpStream| {
        reply(stream, "200 OK\r\netag: \"v1\"\r\ncontent-length: 100000", b"");
        // Until the client disconnects.
        while stream.write_all(b"x").and_then(|()| stream.flush()).is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let server = Server::start(move |number, seen, stream| match number {
        0 | 1 => drip(stream),
        _ => {
            let range = seen.headers.lines().find_map(|line| line.strip_prefix("range: bytes="));
            let from: usize = range.and_then(|r| r.trim().strip_suffix('-')?.parse().ok()).unwrap_or(0);
            let head =
                format!("206 Partial Content\r\netag: \"v1\"\r\ncontent-range: bytes {from}-99999/100000");
            reply(stream, &head, &vec![b'x'; 100_000 - from]);
        }
    });
    let mut bench = bench();
    bench.store.settings.read_timeout = Duration::from_millis(200);
    let failure = bench.fetch(&server.url, None).expect_err("too slow");
    assert_eq!((failure.id, failure.kind), (errors::DOWNLOAD_SLOW, Kind::Task));
    assert!(failure.causes[0].contains("of 100000 in total"), "{:?}", failure.causes);
    assert_eq!(server.seen().len(), 2, "another server may be quicker, once");
    let fetched = bench.fetch(&server.url, None).expect("a server that sends");
    assert_eq!(fs::metadata(fetched.path).unwrap().len(), 100_000);
    assert!(server.seen()[2].headers.contains("range: bytes="), "it is continued");
}

#[test]
fn offline_the_cache_is_enough() {
    let server = Server::start(|_, _, stream| ok(stream, b"x"));
    let mut bench = bench();
    let digest = sha(b"x");
    bench.fetch(&server.url, Some(&digest)).unwrap();
    bench.store.settings.offline = true;
    assert_eq!(bench.fetch(&server.url, Some(&digest)).unwrap().from, None);
    assert_eq!(bench.fetch(&server.url, Some(&sha(b"y"))).unwrap_err().id, errors::DOWNLOAD_OFFLINE);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn unexpected_content_is_rejected_with_both_digests() {
    let server = Server::start(|_, _, stream| ok(stream, b"evil"));
    let (bench, wanted) = (bench(), sha(b"good"));
    let failure = bench.fetch(&server.url, Some(&wanted)).unwrap_err();
    assert_eq!(failure.id, errors::DOWNLOAD_DIGEST);
    let causes = failure.causes.join(" ");
    assert!(causes.contains(&wanted) && causes.contains(&sha(b"evil")), "{causes}");
    assert!(!bench.store.path("files", &wanted).exists());
    let left: Vec<_> = fs::read_dir(bench.store.folder.join("partial")).unwrap().collect();
    assert!(
        left.iter().all(|e| e.as_ref().unwrap().path().extension().is_some_and(|x| x == "lock")),
        "{left:?}"
    );
}

#[test]
fn a_broken_download_is_continued() {
    let whole = body(200_000);
    let served = whole.clone();
    let server = Server::start(move |number, seen, stream| match number {
        0 => reply(stream, "200 OK\r\netag: \"v1\"\r\ncontent-length: 200000", &served[..70_000]),
        1 => reply(stream, "503 Busy\r\ncontent-length: 0", b""),
        _ => {
            let from = seen.headers.split("range: bytes=").nth(1).unwrap().split('-').next().unwrap();
            let from: usize = from.parse().unwrap();
            let head = format!(
                "206 Partial\r\netag: \"v1\"\r\ncontent-range: bytes {from}-199999/200000\r\ncontent-length: {}",
                200_000 - from
            );
            // And interrupted once more.
            let end = if number == 2 { 150_000 } else { 200_000 };
            reply(stream, &head, &served[from..end]);
        }
    });
    let fetched = bench().fetch(&server.url, Some(&sha(&whole)));
    fetched.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert!(!seen[0].headers.contains("range:"));
    assert!(seen[2].headers.contains("range: bytes=70000-") && seen[2].headers.contains("if-range: \"v1\""));
    assert!(seen[3].headers.contains("range: bytes=150000-"));
}

#[test]
fn a_later_run_continues_too_unless_the_file_changed() {
    let (bench, old, new) = (bench(), body(1000), vec![b'n'; 900]);
    let (served, changed) = (old.clone(), new.clone());
    let server = Server::start(move |number, seen, stream| match number {
        // Four times no more than the first half.
        0 => reply(stream, "200 OK\r\netag: \"v1\"\r\ncontent-length: 1000", &served[..500]),
        1..=3 => reply(stream, "500 Oops\r\ncontent-length: 0", b""),
        // The file on the server has changed: If-Range makes it send the whole new file.
        _ => {
            assert!(seen.headers.contains("if-range"));
            reply(stream, "200 OK\r\netag: \"v2\"\r\ncontent-length: 900", &changed);
        }
    });
    assert_eq!(bench.refused(&server.url), errors::DOWNLOAD_SERVER);
    let fetched = bench.fetch(&server.url, None).unwrap();
    assert_eq!(fetched.digest, sha(&new));
}

#[test]
fn a_wrong_range_starts_over() {
    let whole = body(1000);
    let served = whole.clone();
    let server = Server::start(move |number, _, stream| match number {
        0 => reply(stream, "200 OK\r\netag: \"v1\"\r\ncontent-length: 1000", &served[..500]),
        1 => reply(stream, "206 P\r\ncontent-range: bytes 0-999/1000\r\ncontent-length: 1000", &served),
        2 => reply(stream, "416 Range\r\ncontent-length: 0", b""),
        _ => ok(stream, &served),
    });
    assert_eq!(bench().fetch(&server.url, None).unwrap().digest, sha(&whole));
}

#[test]
fn permanent_errors_are_not_retried() {
    for (head, id) in [
        ("404 Not Found", errors::DOWNLOAD_NOT_FOUND),
        ("410 Gone", errors::DOWNLOAD_NOT_FOUND),
        ("403 No", errors::DOWNLOAD_REFUSED),
    ] {
        let server =
            Server::start(move |_, _, stream| reply(stream, &format!("{head}\r\ncontent-length: 0"), b""));
        assert_eq!(bench().refused(&format!("{}/x", server.url)), id);
        assert_eq!(server.seen().len(), 1, "{head}");
    }
}

#[test]
fn transient_errors_are_tried_four_times() {
    let server = Server::start(|_, _, stream| {
        reply(stream, "429 Slow down\r\nretry-after: 0\r\ncontent-length: 0", b"")
    });
    assert_eq!(bench().refused(&server.url), errors::DOWNLOAD_SERVER);
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn a_silent_server_times_out() {
    let server = Server::start(|_, _, _| std::thread::sleep(Duration::from_millis(900)));
    let mut bench = bench();
    bench.store.settings.attempts = 1;
    bench.store.settings.read_timeout = Duration::from_millis(200);
    assert_eq!(bench.refused(&server.url), errors::DOWNLOAD_TIMEOUT);
}

#[test]
fn a_closed_port_is_a_connection_error() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert_eq!(bench().refused(&format!("http://127.0.0.1:{port}/")), errors::DOWNLOAD_CONNECTION);
    assert_eq!(bench().refused("http://no-such-host.invalid/"), errors::DOWNLOAD_DNS);
}

#[test]
fn a_server_without_tls_is_reported() {
    // It responds without reading: a TLS handshake has no lines that a reader could wait for.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            ok(&mut stream, b"plain");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    assert_eq!(bench().refused(&url), errors::DOWNLOAD_TLS);
}

#[test]
fn too_large_files_are_rejected_with_and_without_a_length() {
    let long = Server::start(|_, _, stream| reply(stream, "200 OK\r\ncontent-length: 99999999", b""));
    assert_eq!(bench().refused(&long.url), errors::DOWNLOAD_SIZE);
    let endless = Server::start(|_, _, stream| {
        reply(stream, "200 OK", b"");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    assert_eq!(bench().refused(&endless.url), errors::DOWNLOAD_SIZE);
}

#[test]
fn only_safe_redirects_are_followed() {
    let server = Server::start(|_, seen, stream| match seen.path.as_str() {
        "/a/b" => reply(stream, "302 Found\r\nlocation: ../c\r\ncontent-length: 0", b""),
        "/a/../c" => reply(stream, "301 Moved\r\nlocation: /d\r\ncontent-length: 0", b""),
        "/d" => ok(stream, b"there"),
        "/file" => reply(stream, "302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0", b""),
        "/ftp" => reply(stream, "302 Found\r\nlocation: ftp://x/y\r\ncontent-length: 0", b""),
        "/nowhere" => reply(stream, "302 Found\r\ncontent-length: 0", b""),
        _ => reply(stream, "302 Found\r\nlocation: /loop\r\ncontent-length: 0", b""),
    });
    let at = |path: &str| format!("{}{path}", server.url);
    assert_eq!(bench().fetch(&at("/a/b"), None).unwrap().digest, sha(b"there"));
    assert_eq!(bench().refused(&at("/file")), errors::DOWNLOAD_SCHEME);
    assert_eq!(bench().refused(&at("/ftp")), errors::DOWNLOAD_SCHEME);
    assert_eq!(bench().refused(&at("/nowhere")), errors::DOWNLOAD_REDIRECT);
    assert_eq!(bench().refused(&at("/loop")), errors::DOWNLOAD_REDIRECT);
    assert_eq!(bench().refused("file:///etc/passwd"), errors::DOWNLOAD_SCHEME);
    assert_eq!(bench().refused("/etc/passwd"), errors::DOWNLOAD_SCHEME);
}

#[test]
fn a_cancelled_download_stops() {
    let server = Server::start(|_, _, stream| ok(stream, &body(500_000)));
    let bench = bench();
    let request = Request { url: &server.url, class: "files", digest: None, verify: &verify };
    let mut stop = |progress: Progress| match progress.done {
        0..100_000 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    };
    let failure = bench.store.fetch(&request, &mut stop).unwrap_err();
    assert_eq!((failure.id, failure.kind), (errors::INTERRUPTED, Kind::Interrupted));
}

#[test]
fn mirrors_have_the_layout_of_their_hosts() {
    let server = Server::start(|_, seen, stream| ok(stream, seen.path.as_bytes()));
    let mut bench = bench();
    bench.store.source = Source::parse(&format!("{}/base/", server.url)).unwrap();
    let fetched = bench.fetch("https://example.org/a/b.yaml", None).unwrap();
    assert_eq!(fs::read(fetched.path).unwrap(), b"/base/example.org/a/b.yaml");

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("example.org/a")).unwrap();
    fs::write(folder.path().join("example.org/a/b.yaml"), "copied").unwrap();
    bench.store.source = Source::parse(folder.path().to_str().unwrap()).unwrap();
    let fetched = bench.fetch("https://example.org/../a/b.yaml?x=1", None).unwrap();
    assert_eq!(fs::read(fetched.path).unwrap(), b"copied");
    assert!(folder.path().join("example.org/a/b.yaml").exists(), "a mirror is only read");
    assert_eq!(bench.refused("https://example.org/none"), errors::DOWNLOAD_NOT_FOUND);
    assert_eq!(Source::parse("/no/such/folder").unwrap_err().id, errors::DOWNLOAD_MIRROR);
    assert_eq!(Source::parse("ftp://x").unwrap_err().id, errors::DOWNLOAD_SCHEME);
}

#[test]
fn an_unwritable_cache_is_reported() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let server = Server::start(|_, _, stream| ok(stream, b"x"));
    let mut bench = bench();
    bench.store.folder = file.path().join("below-a-file");
    assert_eq!(bench.refused(&server.url), errors::DOWNLOAD_CACHE);
}

#[test]
fn concurrent_downloads_do_not_interfere() {
    let whole = body(300_000);
    let served = whole.clone();
    let server = Server::start(move |_, _, stream| ok(stream, &served));
    let (bench, digest) = (bench(), sha(&whole));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let fetched = bench.fetch(&server.url, Some(&digest)).unwrap();
                assert_eq!(sha(&fs::read(fetched.path).unwrap()), digest);
            });
        }
    });
}
