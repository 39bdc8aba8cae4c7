"""The process that Strimzi's install manifest starts: probes, leader election, watches, periodic reconciliation."""
from __future__ import annotations

import os
import signal

from . import STAND_IN, VERSION, health, log
from .assembly import Assembly, next_number, run_periodically
from .bridge import Bridge
from .connect import Connect
from .kube import Informer, Kube, Object
from .lease import Leadership
from .mirror import MirrorMaker
from .podsets import PodSetController
from .pools import CLUSTER_LABEL
from .rebalance import Rebalance
from .reconciler import Reconciler


class ClusterOperator:
    """Watches one namespace, or all namespaces if it is None."""

    def __init__(self, kube: Kube, namespace: str | None, kafka: Reconciler, others: list[Assembly]) -> None:
        self.kube, self.namespace, self.kafka, self.others = kube, namespace, kafka, others
        self.namespace_text = namespace or "*"

    def start(self) -> None:
        log.info("ClusterOperator:76", f"Creating ClusterOperator for namespace {self.namespace_text}")
        log.info("ClusterOperator:89", f"Starting ClusterOperator for namespace {self.namespace_text}")
        PodSetController(self.kube, self.namespace, next_number).start()
        self.kafka.watch(self.namespace)
        Informer(self.kube, "KafkaNodePool", self.namespace, self._on_node_pool_event).start()
        log.info("ClusterOperator:108", "Opened watch for KafkaNodePool operator")
        for other in self.others:
            other.watch(self.namespace)
        log.info("ClusterOperator:123", f"Setting up periodic reconciliation for namespace {self.namespace_text}")
        interval = int(os.environ.get("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "120000")) / 1000
        run_periodically(interval, self._reconcile_all)
        log.info("Main:220", f"Cluster Operator verticle started in namespace {self.namespace_text} "
                 "without label selector")

    def _on_node_pool_event(self, event: str, pool: Object) -> None:
        namespace, name = pool["metadata"]["namespace"], pool["metadata"]["name"]
        cluster = (pool["metadata"].get("labels") or {}).get(CLUSTER_LABEL)
        text = f"KafkaNodePool {name} in namespace {namespace} was {event}"
        if cluster is None:
            log.warn("KafkaAssemblyOperator:820", f"{text}, but does not contain the label {CLUSTER_LABEL}")
        elif self.kube.get("Kafka", namespace, cluster) is None:
            log.warn("KafkaAssemblyOperator:815",
                     f"{text}, but the Kafka cluster {cluster} to which it belongs does not exist")
        else:
            reconciliation_id = next_number()
            log.info("KafkaAssemblyOperator:812",
                     f"{self.kafka.prefix(reconciliation_id, 'watch', namespace, cluster)}{text}")
            self.kafka.start_reconciliation(reconciliation_id, "watch", namespace, cluster)

    def _reconcile_all(self) -> None:
        log.info("ClusterOperator:126", f"Triggering periodic reconciliation for namespace {self.namespace_text}")
        for operator in (self.kafka, *self.others):
            operator.reconcile_all(self.namespace)


def main() -> None:
    """Run until SIGTERM."""
    print(STAND_IN.format("cluster operator"), flush=True)
    log.info("Main:69", f"ClusterOperator {VERSION} is starting")
    settings = "".join(f"\t{key}: {value}\n" for key, value in os.environ.items() if key.startswith("STRIMZI_"))
    log.info("Util:123", f"Using config:\n{settings}")
    health.serve(8080)
    log.info("Main:308", "Health and metrics server is ready on port 8080")
    kube = Kube()
    leadership = None
    if os.environ.get("STRIMZI_LEADER_ELECTION_ENABLED", "true") == "true":
        leadership = Leadership(kube, os.environ["STRIMZI_LEADER_ELECTION_LEASE_NAMESPACE"],
                                os.environ["STRIMZI_LEADER_ELECTION_LEASE_NAME"],
                                os.environ["STRIMZI_LEADER_ELECTION_IDENTITY"])

    def stop(_number: int, _frame: object) -> None:
        if leadership:
            leadership.release()
        os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    if leadership:
        log.info("Main:270", "Waiting to become a leader")
        leadership.acquire()
        log.info("Main:252", "I'm the new leader")
    kafka, others = Reconciler(kube), [Connect(kube), MirrorMaker(kube), Bridge(kube), Rebalance(kube)]
    watched = os.environ.get("STRIMZI_NAMESPACE", "*") or "*"
    for namespace in watched.split(","):
        ClusterOperator(kube, None if namespace == "*" else namespace.strip(), kafka, others).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
