//! A smoke test's result as JUnit XML, the format that CI systems read.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::smoke::{Finding, Phase, Run};
use crate::errors;
use crate::event::ComponentReport;
use crate::failure::Id;

/// The cases, in the order of the test.
const CASES: [&str; 5] = ["produce", "consume", "count", "content", "order"];

/// The test case of a finding's id, as an index of [`CASES`].
fn case_of(id: Id) -> usize {
    match id {
        errors::SMOKE_EMPTY => 1,
        errors::SMOKE_TRUNCATED | errors::SMOKE_DUPLICATE | errors::SMOKE_FOREIGN => 2,
        errors::SMOKE_CONTENT | errors::SMOKE_COMPRESSED => 3,
        errors::SMOKE_ORDER => 4,
        _ => 0,
    }
}

/// The result as a document with one suite named `smoke-test`, with a case each for produce, consume, count, content
/// and order. `seconds` is the duration of the whole test. A case fails if there is a finding about it, or a failure
/// that stopped the test in it; the cases after it are skipped. `beside`: one case per component.
pub(crate) fn to_xml(run: &Run, beside: &[ComponentReport], seconds: f64) -> String {
    let report = &run.report;
    let times = [report.produce_ms, report.consume_ms, 0, 0, 0];
    // Connecting and the topic belong to producing.
    let stopped = run.stopped.map(|phase| usize::from(phase == Phase::Consume));
    let mut suite = TestSuite::new("smoke-test");
    suite.set_time(seconds_of(seconds));
    suite.add_property(("topic", report.topic.as_str()));
    for (name, value) in [
        ("sent", report.sent),
        ("verified", report.verified),
        ("foreign", report.foreign),
        ("size", report.size),
        ("partitions", u64::from(report.partitions)),
    ] {
        suite.add_property((name, value.to_string().as_str()));
    }
    if let Some(left) = &report.left_behind {
        suite.add_property(("left_behind", left.as_str()));
    }
    for (index, name) in CASES.into_iter().enumerate() {
        let about: Vec<&Finding> =
            run.findings.iter().filter(|f| f.fails && case_of(f.id) == index).collect();
        let failure = run.failure.as_deref().filter(|_| stopped == Some(index));
        let status = if let Some(failure) = failure {
            let mut lines = vec![failure.message.clone()];
            lines.extend(failure.causes.iter().map(|c| format!("caused by: {c}")));
            lines.extend(failure.hints.iter().map(|h| format!("hint: {h}")));
            failed(failure.id, &failure.message, &lines)
        } else if let Some(first) = about.first() {
            let lines: Vec<String> = about.iter().map(|f| format!("{}: {}", f.id, f.message)).collect();
            failed(first.id, &first.message, &lines)
        } else if stopped.is_some_and(|stopped| index > stopped) {
            TestCaseStatus::skipped()
        } else {
            TestCaseStatus::success()
        };
        let mut case = TestCase::new(name, status);
        case.set_classname("kstrim.smoke");
        case.set_time(Duration::from_millis(times[index]));
        suite.add_test_case(case);
    }
    for report in beside {
        let status = if report.passed {
            TestCaseStatus::success()
        } else {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(report.id.clone().unwrap_or_default()).set_message(report.said.as_str());
            status
        };
        let mut case = TestCase::new(report.component.as_str(), status);
        case.set_classname("kstrim.components");
        case.set_time(Duration::from_millis(report.took_ms));
        suite.add_test_case(case);
    }
    let mut document = Report::new("kstrim");
    document.set_time(seconds_of(seconds));
    document.add_test_suite(suite);
    // Writing to memory fails only for text that XML cannot contain, and quick-junit drops that.
    document.to_string().unwrap_or_default()
}

fn failed(id: Id, message: &str, lines: &[String]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(id.as_str()).set_message(message).set_description(lines.join("\n"));
    status
}

fn seconds_of(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
