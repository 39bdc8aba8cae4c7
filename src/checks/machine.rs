//! Whether this machine has enough memory and CPUs.

use super::{Ground, Verdict};
use crate::config::{DEFAULT_CPUS, DEFAULT_MEMORY_MB};
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::names::memory_mb;
use crate::tool::arguments;

/// Memory below which minikube refuses to start, MiB (`minUsableMem` of its `cmd/start.go`).
const LEAST_MB: u64 = 1800;
/// Memory below which a Kafka cluster is likely to run out of memory, MiB: a node's own 1.3 GiB, the operator's 384
/// MiB, a broker and its entity operator.
const TIGHT_MB: u64 = 3072;
/// CPUs that Kubernetes needs (kubeadm's own preflight).
const LEAST_CPUS: u64 = 2;

/// The value of a line of `/proc/meminfo`, MiB.
pub(super) fn meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find(|l| l.split(':').next() == Some(key))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? >> 10)
}

/// A size in MiB for messages.
pub(crate) fn gib(mb: u64) -> String {
    if mb < 1024 { format!("{mb} MiB") } else { format!("{:.1} GiB", mb as f64 / 1024.0) }
}

/// The memory in MiB (`None`: all of it) and CPUs that `up` requests from minikube.
pub(super) async fn asked(ground: &Ground) -> (Option<u64>, Option<u64>) {
    let own = |key: &'static str| async move { ground.configured(key).await.map(str::to_owned) };
    let passed = |key: &str| arguments::flag_value(&ground.settings.minikube_args, key);
    let memory = match ground.settings.memory.clone().or_else(|| passed("memory")) {
        Some(memory) => memory,
        None => own("memory").await.unwrap_or_else(|| DEFAULT_MEMORY_MB.into()),
    };
    let cpus = match ground.settings.cpus.clone().or_else(|| passed("cpus")) {
        Some(cpus) => cpus,
        None => own("cpus").await.unwrap_or_else(|| DEFAULT_CPUS.into()),
    };
    (memory_mb(&memory), cpus.parse().ok())
}

/// Whether this machine has enough memory.
pub(crate) async fn memory(ground: &Ground) -> Verdict {
    let Some(there) = ground.host.memory_mb else {
        return Verdict::Skip("this system does not report its memory".into());
    };
    if let Some(profile) = ground.profile().await {
        return Verdict::Ok(format!(
            "{}, of which the profile can use {}",
            gib(there),
            gib(profile.memory_mb)
        ));
    }
    let (asked, _) = asked(ground).await;
    // minikube gives each node this much.
    if let (Some(nodes @ 2..), Some(each)) = (ground.settings.nodes, asked)
        && each * u64::from(nodes) > there
    {
        let all = gib(each * u64::from(nodes));
        let message = format!(
            "{nodes} nodes with {} each need {all} of memory, but this machine has {}",
            gib(each),
            gib(there)
        );
        let failure = Failure::new(errors::MEMORY_TOO_MUCH, Kind::Usage, message);
        return Verdict::Warn(Box::new(
            failure.hint("use fewer nodes, or less memory for each: --memory 3g"),
        ));
    }
    // An engine may run elsewhere, or have less: `engine.size` checks that.
    let (verdict, container) =
        (judge_memory(there, asked, "this machine"), ground.engine().await.is_container());
    match (verdict, ground.host.free_mb, asked) {
        (Verdict::Fail(failure), ..) if container => Verdict::Warn(failure),
        (Verdict::Ok(found), Some(free), Some(asked)) if free < asked => Verdict::Warn(Box::new(
            Failure::new(
                errors::MEMORY_TOO_LITTLE,
                Kind::Prerequisite,
                format!("only {} of memory is free", gib(free)),
            )
            .because(found)
            .hint("stop a program that uses much memory, or request less: --memory 3g"),
        )),
        (verdict, ..) => verdict,
    }
}

/// Whether `there` is enough for `asked` and for Kubernetes.
pub(super) fn judge_memory(there: u64, asked: Option<u64>, whose: &str) -> Verdict {
    let asked = asked.unwrap_or(there);
    if there < LEAST_MB {
        return Verdict::Fail(Box::new(
            Failure::new(
                errors::MEMORY_TOO_LITTLE,
                Kind::Prerequisite,
                format!("{whose} has {} of memory", gib(there)),
            )
            .because(format!("Kubernetes alone needs {LEAST_MB} MiB"))
            .hint("use a larger machine, or give the container engine more memory"),
        ));
    }
    if asked > there {
        return Verdict::Fail(Box::new(
            Failure::new(
                errors::MEMORY_TOO_MUCH,
                Kind::Usage,
                format!("{} of memory is requested, but {whose} has {}", gib(asked), gib(there)),
            )
            .hint(format!("request less: --memory {}", (there * 3 / 4).max(LEAST_MB))),
        ));
    }
    if asked < LEAST_MB {
        return Verdict::Fail(Box::new(
            Failure::new(
                errors::MEMORY_TOO_LITTLE,
                Kind::Usage,
                format!("only {} of memory is requested", gib(asked)),
            )
            .because(format!("Kubernetes alone needs {LEAST_MB} MiB"))
            .hint("request more: --memory 4g"),
        ));
    }
    if asked < TIGHT_MB {
        return Verdict::Warn(Box::new(
            Failure::new(
                errors::MEMORY_TOO_LITTLE,
                Kind::Prerequisite,
                format!("{} of memory may not be enough for Kafka on Kubernetes", gib(asked)),
            )
            .hint("request more: --memory 4g; or use --preset ephemeral, which needs less"),
        ));
    }
    Verdict::Ok(format!("{}, {} for the cluster", gib(there), gib(asked)))
}

/// Whether this machine has enough CPUs.
pub(crate) async fn cpus(ground: &Ground) -> Verdict {
    let Some(there) = ground.host.cpus else {
        return Verdict::Skip("this system does not report its number of CPUs".into());
    };
    if let Some(profile) = ground.profile().await {
        return Verdict::Ok(format!("{there}, of which the profile can use {}", profile.cpus));
    }
    let verdict = judge_cpus(there, asked(ground).await.1, "this machine");
    match verdict {
        Verdict::Fail(failure) if ground.engine().await.is_container() => Verdict::Warn(failure),
        verdict => verdict,
    }
}

/// Whether `there` are enough for `asked` and for Kubernetes.
pub(super) fn judge_cpus(there: u64, asked: Option<u64>, whose: &str) -> Verdict {
    let asked = asked.unwrap_or(there);
    let fail = |kind, message: String, hint: &str| {
        Verdict::Fail(Box::new(Failure::new(errors::CPUS, kind, message).hint(hint)))
    };
    if there < LEAST_CPUS {
        let message = format!("{whose} has {there} CPU, but Kubernetes needs {LEAST_CPUS}");
        return fail(Kind::Prerequisite, message, "use a larger machine, or give the container engine more");
    }
    if asked > there {
        let message = format!("{asked} CPUs are requested, but {whose} has {there}");
        return fail(Kind::Usage, message, "request fewer: --cpus 2");
    }
    if asked < LEAST_CPUS {
        let message = format!("{asked} CPU is requested, but Kubernetes needs {LEAST_CPUS}");
        return fail(Kind::Usage, message, "request more: --cpus 2");
    }
    Verdict::Ok(format!("{there}, {asked} for the cluster"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Id;

    fn id(verdict: Verdict) -> (&'static str, Option<Id>) {
        match verdict {
            Verdict::Fail(f) => ("fail", Some(f.id)),
            Verdict::Warn(f) => ("warn", Some(f.id)),
            Verdict::Ok(_) => ("ok", None),
            Verdict::Skip(_) => ("skip", None),
        }
    }

    #[test]
    fn memory_is_compared_with_the_request_and_the_minimum() {
        for (there, asked, want) in [
            (24_105, Some(4096), ("ok", None)),
            (24_105, None, ("ok", None)),
            (4000, Some(4096), ("fail", Some(errors::MEMORY_TOO_MUCH))),
            (1000, Some(900), ("fail", Some(errors::MEMORY_TOO_LITTLE))),
            (8000, Some(1024), ("fail", Some(errors::MEMORY_TOO_LITTLE))),
            (8000, Some(2048), ("warn", Some(errors::MEMORY_TOO_LITTLE))),
        ] {
            assert_eq!(id(judge_memory(there, asked, "it")), want, "{there} {asked:?}");
        }
    }

    #[test]
    fn cpus_are_compared_with_the_request_and_the_minimum() {
        for (there, asked, want) in [
            (2, Some(2), ("ok", None)),
            (8, None, ("ok", None)),
            (1, Some(1), ("fail", Some(errors::CPUS))),
            (2, Some(4), ("fail", Some(errors::CPUS))),
            (4, Some(1), ("fail", Some(errors::CPUS))),
        ] {
            assert_eq!(id(judge_cpus(there, asked, "it")), want, "{there} {asked:?}");
        }
    }

    #[test]
    fn meminfo_is_parsed() {
        let text = "MemTotal:       24683944 kB\nMemFree: 1 kB\nMemAvailable:   23548000 kB\n";
        assert_eq!((meminfo(text, "MemTotal"), meminfo(text, "MemAvailable")), (Some(24_105), Some(22_996)));
        assert_eq!(meminfo(text, "SwapTotal"), None);
    }
}
