use std::collections::VecDeque;

use serde_json::json;

use super::*;
use crate::exec::{BoxFuture, ExecError, Exit, Lines, Output};

/// An API with scripted lists and watches; when the script ends, calls fail.
#[derive(Default)]
struct Scripted {
    lists: RefCell<VecDeque<Result<Value, ApiError>>>,
    watches: RefCell<VecDeque<Vec<String>>>,
    asked: RefCell<Vec<String>>,
    open: Rc<RefCell<i32>>,
}

struct Script {
    lines: VecDeque<String>,
    open: Rc<RefCell<i32>>,
}

impl Drop for Script {
    fn drop(&mut self) {
        *self.open.borrow_mut() -= 1;
    }
}

impl Lines for Script {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<String>, ExecError>> {
        Box::pin(async {
            match self.lines.pop_front().as_deref() {
                Some("HANG") => std::future::pending().await,
                line => Ok(line.map(str::to_owned)),
            }
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Output, ExecError>> {
        let took = Duration::ZERO;
        Box::pin(
            async move { Ok(Output { exit: Exit::Code(0), stdout: vec![], stderr: String::new(), took }) },
        )
    }
}

impl Api for Scripted {
    fn get<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Value, ApiError>> {
        self.asked.borrow_mut().push(path.to_owned());
        let next = self.lists.borrow_mut().pop_front();
        Box::pin(async move { next.unwrap_or_else(|| Err(ApiError::new(ApiErrorKind::Unreachable, "gone"))) })
    }

    fn watch<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Box<dyn Lines>, ExecError>> {
        self.asked.borrow_mut().push(path.to_owned());
        let lines = self.watches.borrow_mut().pop_front().unwrap_or_default().into();
        *self.open.borrow_mut() += 1;
        let open = self.open.clone();
        Box::pin(async move { Ok(Box::new(Script { lines, open }) as Box<dyn Lines>) })
    }
}

fn list(rv: &str, names: &[&str]) -> Value {
    let items: Vec<Value> = names.iter().map(|n| object(n)).collect();
    json!({"metadata": {"resourceVersion": rv}, "items": items})
}

fn object(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "n", "uid": name}})
}

fn line(what: &str, name: &str) -> String {
    json!({"type": what, "object": object(name)}).to_string()
}

fn names(store: &Store, kind: Kind) -> Vec<String> {
    store.snapshot().all(kind).map(|o| o.name().to_owned()).collect()
}

fn run<F: Future<Output = ()>>(work: F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work);
}

#[test]
fn it_lists_watches_and_survives_every_end() {
    run(async {
        let api = Rc::new(Scripted::default());
        api.lists.borrow_mut().extend([
            Err(ApiError::new(ApiErrorKind::NoSuchKind, "the server could not find the requested resource")),
            Ok(list("5", &["a"])),
            Ok(list("7", &["a", "b", "c"])),
            Ok(list("9", &["a", "d"])),
        ]);
        let expired = json!({"type": "ERROR", "object": {"code": 410, "message": "too old"}}).to_string();
        api.watches.borrow_mut().extend([
            vec![line("ADDED", "b"), expired],
            vec![line("DELETED", "c"), line("ADDED", "d")[..20].to_owned(), line("ADDED", "never")],
            vec![line("ADDED", "e"), "HANG".into()],
        ]);
        let store = Rc::new(Store::new());
        let watcher = Watcher::start(api.clone(), [Kind::Kafka], Version::V1, "n", store.clone());
        let mut changes = store.changes();
        while names(&store, Kind::Kafka) != ["a"] {
            changes.changed().await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(api.asked.borrow().len(), 2, "nobody waits for changes: listed, not watched");
        store.follow();
        tokio::time::timeout(Duration::from_secs(30), async {
            while names(&store, Kind::Kafka) != ["a", "d", "e"] {
                changes.changed().await.unwrap();
            }
        })
        .await
        .expect("the last watch is reached");
        let asked = api.asked.borrow().clone();
        let kafkas = "/apis/kafka.strimzi.io/v1/namespaces/n/kafkas";
        assert_eq!(asked[0], kafkas);
        assert!(
            asked[2].starts_with(&format!("{kafkas}?watch=1")) && asked[2].contains("resourceVersion=5&")
        );
        assert!(watcher.troubles().is_empty());
        assert_eq!(*api.open.borrow(), 1, "ended watches are dropped");
        drop(watcher);
        tokio::task::yield_now().await;
        assert_eq!(*api.open.borrow(), 0, "dropping the watcher drops the last one");
    });
}

#[test]
fn an_unreachable_server_is_reported_and_leaves_the_kind_unsynced() {
    run(async {
        let store = Rc::new(Store::new());
        let watcher =
            Watcher::start(Rc::new(Scripted::default()), [Kind::Pod], Version::V1, "n", store.clone());
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(!store.synced(Kind::Pod));
        assert_eq!(watcher.troubles()[0].1.kind, ApiErrorKind::Unreachable);
    });
}

#[test]
fn a_kind_that_is_not_served_has_no_objects() {
    run(async {
        let api = Scripted::default();
        let missing = || Err(ApiError::new(ApiErrorKind::NoSuchKind, "no"));
        api.lists.borrow_mut().extend([missing(), missing(), missing()]);
        let store = Rc::new(Store::new());
        let _watcher = Watcher::start(Rc::new(api), [Kind::Kafka], Version::V1, "n", store.clone());
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(store.synced(Kind::Kafka));
    });
}
