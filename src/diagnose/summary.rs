//! The first file of the archive: a summary in Markdown.

use jiff::Timestamp;

use super::bundle::{File, Gap};
use super::local::Past;
use crate::event::FailureInfo;
use crate::status::{Status, draw};

/// The input of the summary.
pub(crate) struct Facts<'a> {
    /// minikube profile.
    pub profile: &'a str,
    /// The time of the collection.
    pub time: Timestamp,
    /// The failure that was the reason, and the command that failed.
    pub failure: Option<(&'a str, &'a FailureInfo)>,
    /// The overall status.
    pub status: Option<&'a Status>,
    /// Versions and the machine.
    pub facts: Vec<(&'static str, String)>,
    /// The last run of each command.
    pub runs: &'a [Past],
    /// Warning events, the newest last.
    pub warnings: &'a [String],
    /// What could not be collected.
    pub gaps: &'a [Gap],
    /// The other files.
    pub files: &'a [File],
}

/// The summary as Markdown.
pub(crate) fn markdown(facts: &Facts<'_>) -> String {
    let mut page = format!(
        "# kstrim diagnose: profile {}, {}\n\n\
         Secrets, tokens, keys and passwords are replaced with REDACTED. Check it anyway before you share it.\n",
        facts.profile,
        facts.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    wrong(&mut page, facts);
    page.push_str("\n## Versions\n\n| what | which |\n|---|---|\n");
    for (name, value) in &facts.facts {
        page.push_str(&format!("| {name} | {} |\n", cell(value)));
    }
    if let Some(status) = facts.status {
        block(&mut page, "Current state", &draw::plain(status));
    }
    if !facts.warnings.is_empty() {
        block(&mut page, "Last warnings of Kubernetes", &facts.warnings.concat());
    }
    for run in facts.runs {
        past(&mut page, run);
    }
    if !facts.gaps.is_empty() {
        page.push_str("\n## What is missing here\n\n");
        for gap in facts.gaps {
            page.push_str(&format!("- {}: {}\n", gap.what, gap.why.trim().replace('\n', " ")));
        }
    }
    page.push_str("\n## Files\n\n| file | bytes |\n|---|---|\n");
    for file in facts.files {
        page.push_str(&format!("| {} | {} |\n", file.name, file.text.len()));
    }
    page
}

/// The failure and the findings, each with its next command.
fn wrong(page: &mut String, facts: &Facts<'_>) {
    page.push_str("\n## What is wrong\n\n");
    if let Some((verb, failure)) = facts.failure {
        let task = failure.task.as_ref().map_or(String::new(), |task| format!(" in its task `{task}`"));
        page.push_str(&format!("`kstrim {verb}` failed{task}: {} [{}]\n", failure.message, failure.id));
        list(page, "because", &failure.causes);
        list(page, "next", &failure.hints);
        page.push('\n');
    }
    let Some(status) = facts.status else {
        page.push_str("The state of the cluster could not be determined: see what is missing.\n");
        return;
    };
    match &status.reason {
        None => page.push_str("Kafka is ready.\n"),
        Some(reason) => page.push_str(&format!("Kafka is not ready: {reason}.\n")),
    }
    list(page, "next", &status.next);
    if status.findings.is_empty() && !status.ready {
        page.push_str("\nNo known cause was found.\n");
    }
    for finding in &status.findings {
        page.push_str(&format!("\n### {}: {}\n\n{}.\n", finding.id, finding.subject, finding.sentence));
        if !finding.evidence.is_empty() {
            list(page, "seen", std::slice::from_ref(&finding.evidence));
        }
        list(page, "next", &finding.hints);
        page.push_str(&format!("- more: `{}`\n", crate::errors::command(&finding.id)));
    }
}

fn list(page: &mut String, what: &str, lines: &[String]) {
    for line in lines {
        page.push_str(&format!("- {what}: {}\n", line.trim().replace('\n', "\n  ")));
    }
}

fn block(page: &mut String, title: &str, text: &str) {
    page.push_str(&format!("\n## {title}\n\n```text\n{}\n```\n", text.trim_end()));
}

fn past(page: &mut String, run: &Past) {
    let began = run.began.map_or("-".to_owned(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let ended = run.outcome.as_deref().unwrap_or("not finished: it is still running, or was killed");
    page.push_str(&format!("\n## The last `kstrim {}`, {began}\n\n{ended}", run.verb));
    if let Some(release) = &run.release {
        page.push_str(&format!("; Strimzi {release}"));
    }
    if let Some(failure) = &run.failure {
        page.push_str(&format!("; {failure}"));
    }
    page.push('\n');
    if !run.tasks.is_empty() {
        page.push_str("\n| task | result | last message |\n|---|---|---|\n");
        for (title, state, said) in &run.tasks {
            page.push_str(&format!("| {title} | {state} | {} |\n", cell(said)));
        }
    }
}

/// Text that cannot end a table cell.
fn cell(text: &str) -> String {
    text.trim().replace('\n', " ").replace('|', "\\|")
}
