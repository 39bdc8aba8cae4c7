//! What the help of each verb ends with.

pub(super) const UP_EXAMPLES: &str = "\
Examples:
  kstrim up                                    one Kafka broker in a new minikube profile
  kstrim up --preset ephemeral --memory 3g     nothing kept on disk, less memory
  kstrim up --release 0.45.2 --kafka 3.9.1     an older Strimzi and Kafka
  kstrim up --output json | jq .type           events for a script
  kstrim up --minikube-arg=--force             hand a flag on to `minikube start`

Exit codes: 0 done, 1 a task failed, 2 usage, 3 prerequisite missing, 4 timed out,
5 something foreign in the way, 6 smoke test failed, 7 another run holds the lock, 130/143 signals";

pub(super) const SMOKE_EXAMPLES: &str = "\
Examples:
  kstrim smoke-test
  kstrim smoke-test --messages 1000 --size 1000 -o json
  kstrim smoke-test --junit smoke.xml --timeout 30s";

pub(super) const STATUS_EXAMPLES: &str = "\
Examples:
  kstrim status
  kstrim status --watch
  kstrim status -o json | jq -r .addresses.bootstrap";

pub(super) const DOWN_EXAMPLES: &str = "\
Examples:
  kstrim down                    delete the minikube profile, after asking
  kstrim down --yes              the same in a script
  kstrim down --keep-cluster     only Kafka, Strimzi and the namespace; minikube stays
  kstrim down --keep-data        and keep the brokers' volumes, for the next `kstrim up`";

pub(super) const LOGS_EXAMPLES: &str = "\
Examples:
  kstrim logs
  kstrim logs --follow --component kafka
  kstrim logs --since 10m --tail all
  kstrim logs --previous --component operator
  kstrim logs -o json | jq -r 'select(.message | test(\"ERROR\")) | .component'";

pub(super) const DIAGNOSE_EXAMPLES: &str = "\
Examples:
  kstrim diagnose
  kstrim diagnose --file evidence.tar.gz
  tar -xzOf \"$(kstrim diagnose --quiet)\" --wildcards '*/summary.md'
  kstrim diagnose -o json | jq -r '.findings[].id'";

pub(super) const CONFIG_EXAMPLES: &str = "\
Examples:
  kstrim config init                 begin a kstrim.yaml here, every setting commented out
  kstrim config show --origins       what holds, and from which flag, variable or file and line
  kstrim config show --memory 6g -o json
  kstrim config schema > kstrim.schema.json";

pub(super) const DOCTOR_EXAMPLES: &str = "\
Examples:
  kstrim doctor                  this machine, and the cluster if there is one
  kstrim doctor --memory 6g      would `kstrim up --memory 6g` work?
  kstrim doctor --fix            put right what is safe, after asking
  kstrim doctor -o json | jq -r '.checks[] | select(.verdict == \"failed\").id'

Exit codes: 0 all is well or warnings only, 1 something failed, 2 usage, 3 prerequisite missing,
5 something foreign in the way, 130/143 signals";

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  kstrim plan
  kstrim plan -o json
  kstrim plan --script > up.sh; bash up.sh";
