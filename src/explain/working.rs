//! What the operator is doing, from its log: no field shows that it is still reconciling an earlier state.
//!
//! Its lines, from the recordings of 1.2.0 (`operator.log`); 0.30 uses the same words: `2026-11-22 20:25:13 INFO
//! AbstractOperator:242 - Reconciliation #2(watch) Kafka(kafka/my-cluster): Kafka my-cluster will be checked for
//! creation or modification`, each minute `Reconciliation is in progress`, at the end `reconciled`, `Failed to
//! reconcile` or `... has been paused`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::words;

/// How many lines of the log's end are read: in a wait of 300 s it writes some 110 (recording 07).
pub(crate) const LINES: u32 = 500;

/// A reconciliation of one Kafka resource that has started and not ended: it holds the lock for the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    /// The operator's number for it.
    pub number: u64,
    /// When it started, in whole seconds by the operator's clock, which is the node's; `None` if that is not in the
    /// part of the log that was read.
    pub since: Option<Timestamp>,
    /// When the previous one, which has ended, started: the operator has seen everything written before that.
    pub before: Option<Timestamp>,
}

/// Lines of an operator's log about reconciliations, of any Kafka resource.
pub fn reconciliations(log: &str) -> String {
    let tells = |line: &&str| line.contains(" Kafka(") && parse_line(line).is_some();
    log.lines().filter(tells).fold(String::new(), |all, line| all + line + "\n")
}

/// The open reconciliation of this Kafka resource, if the log shows one.
pub(super) fn open(log: &str, namespace: &str, cluster: &str) -> Option<Open> {
    let subject = format!(" Kafka({namespace}/{cluster}): ");
    let (mut open, mut before): (Option<Open>, _) = (None, None);
    for line in log.lines() {
        let Some((head, _)) = line.split_once(&subject) else { continue };
        let Some(number) = number(head) else { continue };
        match parse_line(line) {
            Some(Step::Begins) => open = Some(Open { number, since: time(line), before }),
            Some(Step::GoesOn) if open.is_none_or(|o| o.number != number) => {
                open = Some(Open { number, since: None, before });
            }
            Some(Step::Ends) if open.is_some_and(|o| o.number == number) => {
                before = open.and_then(|o| o.since).or(before);
                open = None;
            }
            _ => {}
        }
    }
    open
}

enum Step {
    Begins,
    GoesOn,
    Ends,
}

fn parse_line(line: &str) -> Option<Step> {
    let (_, says) = line.split_once("): ")?;
    let says = says.trim_end();
    if words::RECONCILE_BEGINS.matches(says) {
        Some(Step::Begins)
    } else if words::RECONCILE_GOES_ON.matches(says) {
        Some(Step::GoesOn)
    } else if words::any(&words::RECONCILE_ENDS, says) {
        Some(Step::Ends)
    } else {
        None
    }
}

/// The number in `... - Reconciliation #2(watch)`.
fn number(head: &str) -> Option<u64> {
    let (_, rest) = head.rsplit_once("Reconciliation #")?;
    rest.split_once('(')?.0.parse().ok()
}

/// The time at the beginning of a line; containers use UTC.
fn time(line: &str) -> Option<Timestamp> {
    let at: DateTime = line.get(..19)?.parse().ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGINS: &str = "2026-11-22 20:25:13 INFO  AbstractOperator:242 - Reconciliation #2(watch) Kafka(kafka/my-cluster): Kafka my-cluster will be checked for creation or modification\n";
    const GOES_ON: &str = "2026-11-22 20:26:13 INFO  AbstractOperator:379 - Reconciliation #2(watch) Kafka(kafka/my-cluster): Reconciliation is in progress\n";
    const ENDS: &str = "2026-11-22 20:30:19 WARN  AbstractOperator:534 - Reconciliation #2(watch) Kafka(kafka/my-cluster): Failed to reconcile\n";

    fn of(log: &str) -> Option<Open> {
        open(log, "kafka", "my-cluster")
    }

    #[test]
    fn a_reconciliation_is_open_until_it_ends() {
        let since = "2026-11-22T20:25:13Z".parse().ok();
        assert_eq!(of(BEGINS), Some(Open { number: 2, since, before: None }));
        assert_eq!(of(&format!("{BEGINS}{GOES_ON}")), Some(Open { number: 2, since, before: None }));
        assert_eq!(
            of(GOES_ON),
            Some(Open { number: 2, since: None, before: None }),
            "the beginning was not read"
        );
        assert_eq!(of(&format!("{BEGINS}{GOES_ON}{ENDS}")), None);
        let next = BEGINS.replace("#2", "#24").replace("20:25:13", "20:30:20");
        let (before, since) = (since, "2026-11-22T20:30:20Z".parse().ok());
        assert_eq!(of(&format!("{BEGINS}{ENDS}{next}")), Some(Open { number: 24, since, before }));
    }

    #[test]
    fn other_lines_and_other_clusters_are_ignored() {
        let modified = "2026-11-26 00:26:53 INFO  KafkaAssemblyOperator:812 - Reconciliation #38(watch) Kafka(kafka/my-cluster): KafkaNodePool dual-role in namespace kafka was MODIFIED\n";
        assert_eq!(of(modified), None);
        assert_eq!(of(&BEGINS.replace("my-cluster", "other")), None);
        assert_eq!(of(&BEGINS.replace("kafka/", "elsewhere/")), None);
        let sets = "2026-11-22 20:25:20 INFO  StrimziPodSetController:388 - Reconciliation #2(watch) StrimziPodSet(kafka/my-cluster-dual-role): reconciled\n";
        assert!(of(&format!("{BEGINS}{sets}")).is_some());
        let log = format!("x\n{BEGINS}{modified}{sets}{ENDS}");
        assert_eq!(reconciliations(&log), format!("{BEGINS}{ENDS}"));
    }
}
