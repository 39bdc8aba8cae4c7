//! Examples at the end of each command's help.

pub(super) const UP_EXAMPLES: &str = "\
                                      Examples:
  kstrim up                                    one Kafka broker in a new minikube profile
  kstrim up --preset ephemeral --memory 3g     without persistent volumes, with less memory
  kstrim up --release 0.45.2 --kafka 3.9.1     an older Strimzi and Kafka
  kstrim up --filename kafka/ --fit            your own manifests, made to fit this machine
  kstrim up --output json | jq .type           events for a script
  kstrim up --minikube-arg=--force             pass a flag to `minikube start`

Exit codes: 0 done, 1 a task failed, 2 usage, 3 prerequisite missing, 4 timed out,
5 blocked by something that kstrim did not create, 6 smoke test failed, 7 another run holds the lock,
130/143 signals";

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
  kstrim down --keep-cluster     delete only Kafka, Strimzi and the namespace; keep minikube
  kstrim down --keep-data        also keep the brokers' volumes, for the next `kstrim up`";

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

pub(super) const PLAN_EXAMPLES: &str = "\
Examples:
  kstrim plan
  kstrim plan -o json
  kstrim plan --script > up.sh; bash up.sh";
