//! Evidence from kstrim's own files: the journal, and the event logs of the last runs.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::Request;
use super::bundle::Bundle;
use crate::event::{Event, Line, Outcome};

/// Maximum number of bytes read from the end of such a file.
const LIMIT: u64 = 4 << 20;

/// One run, from its event log.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Past {
    /// The command.
    pub verb: String,
    /// When it started.
    pub began: Option<jiff::Timestamp>,
    /// Strimzi's release.
    pub release: Option<String>,
    /// Its tasks: title, outcome, last message.
    pub tasks: Vec<(String, String, String)>,
    /// Its outcome; `None`: it was killed, or is still running.
    pub outcome: Option<String>,
    /// Its failure, one line.
    pub failure: Option<String>,
}

/// Add the files; returns what the event logs contain, newest run first.
pub(crate) fn collect(request: &Request<'_>, bundle: &Bundle) -> Vec<Past> {
    let folder = request.paths.folder();
    let Ok(entries) = std::fs::read_dir(&folder) else {
        bundle.gap("kstrim/", format!("kstrim has no files for the profile {}", request.target.profile));
        return Vec::new();
    };
    let (mut listing, mut runs) = (Vec::new(), Vec::new());
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let bytes = entry.metadata().map_or(0, |m| m.len());
        listing.push(format!("{bytes:>10}  {name}\n"));
        if name != "journal.json" && !name.ends_with(".events.jsonl") {
            continue;
        }
        match end_of(&path) {
            Ok(text) => {
                if let Some(verb) = name.strip_suffix(".events.jsonl") {
                    runs.push(past(verb, &text));
                }
                bundle.log(format!("kstrim/{name}"), text);
            }
            Err(error) => bundle.gap(format!("kstrim/{name}"), error),
        }
    }
    listing.sort();
    bundle.text("kstrim/files.txt", listing.concat());
    runs.sort_by_key(|run| std::cmp::Reverse(run.began));
    runs
}

fn end_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LIMIT)))?;
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Read an event log. Unknown lines are skipped.
pub(crate) fn past(verb: &str, text: &str) -> Past {
    let mut past = Past { verb: verb.to_owned(), ..Past::default() };
    let mut ids: Vec<String> = Vec::new();
    let task = |past: &mut Past, ids: &[String], id: &str, state: Option<String>, said: String| {
        if let Some(at) = ids.iter().position(|i| i == id) {
            if let Some(state) = state {
                past.tasks[at].1 = state;
            }
            past.tasks[at].2 = said;
        }
    };
    for line in text.lines() {
        let Ok(line) = serde_json::from_str::<Line>(line) else { continue };
        past.began = past.began.or(Some(line.time));
        match line.event {
            Event::RunStarted { release, tasks, .. } => {
                past.release = release;
                ids = tasks.iter().map(|t| t.id.clone()).collect();
                past.tasks =
                    tasks.into_iter().map(|t| (t.title, "never started".to_owned(), String::new())).collect();
            }
            Event::TaskStarted { task: id, reason } => {
                task(&mut past, &ids, &id, Some("began".into()), reason);
            }
            Event::TaskProgress { task: id, message, .. } => task(&mut past, &ids, &id, None, message),
            Event::TaskFinished { task: id, outcome, detail, .. } => {
                task(&mut past, &ids, &id, Some(word(outcome)), detail);
            }
            Event::RunFinished { outcome, failure, .. } => {
                past.outcome = Some(word(outcome));
                past.failure = failure.map(|f| format!("{} [{}]", f.message, f.id));
            }
            Event::Command { .. }
            | Event::Warning { .. }
            | Event::DeletionPlanned(_)
            | Event::ProfileDeletion(_)
            | Event::Smoke(_)
            | Event::CommandStarted { .. }
            | Event::CommandExited { .. }
            | Event::ComponentSmoke(_) => {}
        }
    }
    past
}

fn word(outcome: Outcome) -> String {
    match outcome {
        Outcome::Done => "done",
        Outcome::AlreadyDone => "already done",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Skipped => "skipped",
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_run_is_reported() {
        let log = concat!(
            r#"{"v":1,"time":"2026-11-22T21:09:10Z","elapsed_ms":0,"type":"run_started","run_id":"x","command":"up","profile":"kstrim","release":"1.2.0","tasks":[{"id":"a","title":"One","needs":[]},{"id":"b","title":"Two","needs":["a"]}]}"#,
            "\n",
            r#"{"v":1,"time":"2026-11-22T21:09:11Z","elapsed_ms":1,"type":"task_started","task":"a","reason":"it is missing"}"#,
            "\n",
            r#"{"v":1,"time":"2026-11-22T21:09:12Z","elapsed_ms":2,"type":"a_later_kind","x":1}"#,
            "\n",
            r#"{"v":1,"time":"2026-11-22T21:09:13Z","elapsed_ms":3,"type":"task_prog"#,
        );
        let past = past("up", log);
        let task = |title: &str, state: &str, said: &str| (title.into(), state.into(), said.into());
        assert_eq!(past.tasks, [task("One", "began", "it is missing"), task("Two", "never started", "")]);
        assert_eq!((past.outcome, past.release.as_deref()), (None, Some("1.2.0")));
    }
}
