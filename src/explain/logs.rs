//! Causes that are only found in a log.

use crate::errors;
use crate::failure::Id;
use crate::words::{self, Words};

/// A cause found in a log.
pub(crate) struct LogCause {
    /// Its id.
    pub id: Id,
    /// The cause, one sentence.
    pub sentence: String,
    /// The line that shows it.
    pub line: String,
}

/// Why a broker or controller ended, according to its log.
pub(crate) fn broker(log: &str) -> Option<LogCause> {
    let lines = of_its_end(log);
    let find = |said: &[Words]| lines.iter().rposition(|line| words::any(said, line));
    let other_cluster = lines.iter().rev().find_map(|line| {
        let ids = words::CLUSTER_ID_EXPECTED.after(words::CLUSTER_ID.after(line)?)?;
        Some((*line, words::CLUSTER_ID_READ.before(ids)?, words::CLUSTER_ID_READ.after(ids)?))
    });
    if let Some((line, wanted, read)) = other_cluster {
        let sentence = format!(
            "the volume contains data of another Kafka cluster (cluster id {}, expected {wanted})",
            read.trim()
        );
        return Some(finding_of(errors::CLUSTER_ID, sentence, line));
    }
    // With its stack frames, which show what was being written.
    let unpacks = |at: usize| lines[at..].iter().take(8).any(|line| words::any(&words::UNPACKS_NATIVE, line));
    if let Some(at) = find(&[words::NO_SPACE]).filter(|at| !unpacks(*at)) {
        return Some(finding_of(errors::VOLUME_FULL, "the volume is full".to_owned(), lines[at]));
    }
    if let Some(at) = find(&words::JVM_MEMORY) {
        return Some(finding_of(errors::OOM_KILLED, "the JVM ran out of memory".to_owned(), lines[at]));
    }
    let at = find(&words::KAFKA_CONFIG)?;
    Some(finding_of(errors::BROKER_CONFIG, "Kafka rejects its configuration".to_owned(), lines[at]))
}

/// The lines of a log that may show why its program ended: errors with their stack traces, and lines without a level,
/// such as a JVM's last messages. The program continued after whatever it logged as a warning or less.
fn of_its_end(log: &str) -> Vec<&str> {
    let mut counts = true;
    let lines = log.lines().filter(|line| {
        // The time comes first, or the level.
        let head = line.char_indices().filter(|(_, c)| *c == ' ').nth(3).map_or(*line, |(at, _)| &line[..at]);
        let exception = line.split([':', ' ']).next().is_some_and(|first| first.contains('.'));
        let goes_on = line.starts_with([' ', '\t']) || words::CAUSED_BY.matches(line) || exception;
        if words::any(&words::ROUTINE, head) {
            counts = false;
        } else if words::any(&words::GRAVE, head) || !goes_on {
            counts = true;
        }
        counts
    });
    lines.map(str::trim).collect()
}

/// Why the operator ended, according to its log.
pub(crate) fn operator(log: &str) -> Option<LogCause> {
    // The Kubernetes client of releases up to 0.45 does not support a field of newer servers' /version.
    if let Some(line) = find(log, &words::EMULATION) {
        let sentence = "this Strimzi release does not support such a new Kubernetes version".to_owned();
        return Some(finding_of(errors::OPERATOR_KUBERNETES, sentence, line));
    }
    let line = find(log, &[words::OPERATOR_FORBIDDEN])?;
    let sentence = "the operator does not have the permissions that it needs".to_owned();
    Some(finding_of(errors::OPERATOR_FORBIDDEN, sentence, line))
}

/// The last line of a log that is related to its end, if the cause is not known.
pub(crate) fn last_relevant_line(log: &str) -> Option<&str> {
    const ENDS: [&str; 5] = ["Exception", "ERROR", "FATAL", "error:", "Caused by:"];
    let lines = || relevant(log).rev();
    lines().find(|l| ENDS.iter().any(|w| l.contains(w))).or_else(|| lines().next())
}

/// The last lines of a log, without stack frames and blank lines.
pub(crate) fn last_lines(log: &str) -> Vec<String> {
    const MOST: usize = 5;
    let lines: Vec<&str> = relevant(log).collect();
    let short = |line: &&str| line.chars().take(200).collect();
    lines[lines.len().saturating_sub(MOST)..].iter().map(short).collect()
}

/// The lines of a log that are neither blank nor messages of a JVM or an operator about its shutdown.
fn relevant(log: &str) -> impl DoubleEndedIterator<Item = &str> {
    let remark =
        |line: &str| words::any(&words::JVM_REMARKS, line) || words::any(&words::SHUTDOWN_REMARKS, line);
    log.lines().map(str::trim).filter(move |l| !l.is_empty() && !remark(l))
}

fn find<'a>(log: &'a str, said: &[Words]) -> Option<&'a str> {
    log.lines().rev().find(|l| words::any(said, l)).map(str::trim)
}

fn finding_of(id: Id, sentence: String, line: &str) -> LogCause {
    let line = line.chars().take(300).collect();
    LogCause { id, sentence, line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_frames_are_not_the_last_relevant_line() {
        let log = "a=b\nException in thread \"main\" java.lang.X: why\n\tat y.Z\n\tat z.A\n";
        assert_eq!(last_relevant_line(log), Some("Exception in thread \"main\" java.lang.X: why"));
        assert_eq!(last_relevant_line("one\ntwo\n\n"), Some("two"));
        assert_eq!(last_relevant_line(""), None);
        assert_eq!(last_lines(log), ["a=b", "Exception in thread \"main\" java.lang.X: why"]);
        assert_eq!(last_lines("1\n2\n3\n4\n5\n6\n7\n"), ["3", "4", "5", "6", "7"]);
    }

    /// The end of a Strimzi 0.47 whose agent for Kafka was built for another Jetty version.
    #[test]
    fn the_cause_is_found_above_the_messages_of_a_jvm() {
        let log = "Exception in thread \"main\" java.lang.reflect.InvocationTargetException\n\
            \tat java.base/a.B.c(B.java:77)\n\
            Caused by: java.lang.NoClassDefFoundError: org/eclipse/jetty/server/Handler$Abstract\n\
            \tat io.strimzi.kafka.agent.KafkaAgent.premain(KafkaAgent.java:1)\n\t... 6 more\n\
            *** java.lang.instrument ASSERTION FAILED ***: \"success\" with message x failed\n\
            FATAL ERROR in native method: processing of -javaagent failed, processJavaStart failed\n\
            Native frames: (J=compiled Java code, j=interpreted, Vv=VM code, C=native code)\n\
            V  [libjvm.so+0x8b0022]  jni_FatalError+0xb2\nC  [libjli.so+0x389f]  JavaMain+0x8f\n\n";
        let cause = "Caused by: java.lang.NoClassDefFoundError: org/eclipse/jetty/server/Handler$Abstract";
        assert_eq!(last_relevant_line(log), Some(cause));
        assert_eq!(last_lines(log).last().map(String::as_str), Some(cause));
    }

    /// The end of the operator of Strimzi 0.40.0 on Kubernetes 1.34.
    #[test]
    fn the_cause_is_found_above_the_output_of_a_shutdown() {
        let log = "2026-11-29 05:51:07 ERROR Main:104 - Unable to start operator for 1 or more namespace\n\
            io.fabric8.kubernetes.client.KubernetesClientException: An error has occurred.\n\tat a.B.c(B.java:1)\n\
            Caused by: com.x.UnrecognizedPropertyException: why\n\tat a.B.c(B.java:1)\n\
            2026-11-29 05:51:08 INFO  LeaderElectionManager:82 - Stopping the Leader Elector\n\
            2026-11-29 05:51:10 WARN  BlockedThreadChecker: - Thread Thread[vert.x,5,main] has been blocked for 2871 ms\n\
            io.vertx.core.VertxException: Thread blocked\n\
            2026-11-29 05:51:18 ERROR ShutdownHook:73 - Timed out while waiting for Vert.x close\n\
            2026-11-29 05:51:18 INFO  ShutdownHook:41 - Shutdown hook completed\n";
        assert_eq!(last_relevant_line(log), Some("Caused by: com.x.UnrecognizedPropertyException: why"));
    }

    #[test]
    fn a_printed_configuration_is_not_a_cause() {
        assert!(broker("log.retention.hours=24\nStarted\n").is_none());
        assert!(operator("INFO  Main: ClusterOperator 1.2.0 is starting\n").is_none());
    }

    #[test]
    fn warnings_are_not_a_cause() {
        let id = |log: &str| broker(log).map(|told| told.id.as_str());
        let end = "2026-11-29 06:00:01 ERROR [main] KafkaRaftServer$: Unable to load keystore\n";
        for survived in [
            "INFO Invalid cluster.id in: is a phrase of the docs\n",
            "2026-11-29 06:00:00 INFO  [x] Y: java.lang.OutOfMemoryError was handled\n",
            "2026-11-29 06:00:00,123 WARN tries again (org.x.Y) [z]\njava.io.IOException: No space left on device\n\tat a.B\n",
            "INFO KafkaConfig values: \n\tx = ConfigException: y\n",
            "ERROR Invalid cluster.id in: cut off\n",
        ] {
            assert_eq!(id(&format!("{survived}{end}")), None, "{survived}");
        }
        let unpacks = "ERROR Failed to load snappy\njava.io.IOException: No space left on device\n\
            \tat java.base/java.io.FileOutputStream.writeBytes(Native Method)\n\
            \tat org.xerial.snappy.SnappyLoader.extractLibraryFile(SnappyLoader.java:1)\n";
        assert_eq!(id(unpacks), None);
        let error = "2026-11-29 06:00:01 ERROR [main] X: Error while writing\njava.io.IOException: No space left on device\n";
        assert_eq!(
            id(&format!("{error}2026-11-29 06:00:02 INFO  [main] X: shutting down\n")),
            Some("KS-VOLUME-FULL")
        );
        let jvm = "2026-11-29 06:00:02 INFO  [main] X: y\nTerminating due to java.lang.OutOfMemoryError: Java heap space\n";
        assert_eq!(id(jvm), Some("KS-OOM-KILLED"));
    }

    #[test]
    fn causes_found_in_logs() {
        let id = |log: &str| broker(log).map(|t| t.id.as_str());
        assert_eq!(
            id("x\norg.apache.kafka.common.config.ConfigException: Invalid value\n"),
            Some("KS-BROKER-CONFIG")
        );
        assert_eq!(id("java.io.IOException: No space left on device"), Some("KS-VOLUME-FULL"));
        assert_eq!(id("java.lang.OutOfMemoryError: Java heap space"), Some("KS-OOM-KILLED"));
        let kubernetes =
            "UnrecognizedPropertyException: Unrecognized field \"emulationMajor\" (class VersionInfo)";
        assert_eq!(operator(kubernetes).map(|t| t.id.as_str()), Some("KS-OPERATOR-KUBERNETES"));
    }
}
