"""The process that Strimzi's install manifest starts: health, leadership, watches, timer."""
from __future__ import annotations

import os
import signal

from . import STAND_IN, VERSION, health, log
from .kube import ApiError, Informer, Kube, Object
from .lease import Leadership
from .podsets import PodSets
from .pools import CLUSTER_LABEL
from .reconciler import Reconciler, periodically


class ClusterOperator:
    """Watches one namespace, or all where the namespace is None."""

    def __init__(self, kube: Kube, namespace: str | None, reconciler: Reconciler) -> None:
        self.kube, self.namespace, self.reconciler = kube, namespace, reconciler
        self.shown = namespace or "*"

    def start(self) -> None:
        log.info("ClusterOperator:76", f"Creating ClusterOperator for namespace {self.shown}")
        log.info("ClusterOperator:89", f"Starting ClusterOperator for namespace {self.shown}")
        PodSets(self.kube, self.namespace, self.reconciler.number).start()
        self.kafkas = Informer(self.kube, "Kafka", self.namespace, self._kafka).start()
        log.info("ClusterOperator:100", "Opened watch for Kafka operator")
        Informer(self.kube, "KafkaNodePool", self.namespace, self._pool).start()
        log.info("ClusterOperator:108", "Opened watch for KafkaNodePool operator")
        log.info("ClusterOperator:123", f"Setting up periodic reconciliation for namespace {self.shown}")
        interval = int(os.environ.get("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "120000")) / 1000
        periodically(interval, self._timer)
        log.info("Main:220", f"Cluster Operator verticle started in namespace {self.shown} without label selector")

    def _kafka(self, event: str, kafka: Object) -> None:
        namespace, name = kafka["metadata"]["namespace"], kafka["metadata"]["name"]
        number = self.reconciler.number()
        log.info("AbstractOperator:498", f"{self.reconciler.prefix(number, 'watch', namespace, name)}"
                 f"Kafka {name} in namespace {namespace} was {event}")
        self.reconciler.later(number, "watch", namespace, name)

    def _pool(self, event: str, pool: Object) -> None:
        namespace, name = pool["metadata"]["namespace"], pool["metadata"]["name"]
        cluster = (pool["metadata"].get("labels") or {}).get(CLUSTER_LABEL)
        text = f"KafkaNodePool {name} in namespace {namespace} was {event}"
        if cluster is None:
            log.warn("KafkaAssemblyOperator:820", f"{text}, but does not contain the label {CLUSTER_LABEL}")
        elif self.kube.get("Kafka", namespace, cluster) is None:
            log.warn("KafkaAssemblyOperator:815",
                     f"{text}, but the Kafka cluster {cluster} to which it belongs does not exist")
        else:
            number = self.reconciler.number()
            log.info("KafkaAssemblyOperator:812",
                     f"{self.reconciler.prefix(number, 'watch', namespace, cluster)}{text}")
            self.reconciler.later(number, "watch", namespace, cluster)

    def _timer(self) -> None:
        log.info("ClusterOperator:126", f"Triggering periodic reconciliation for namespace {self.shown}")
        try:
            kafkas = self.kube.list("Kafka", self.namespace)
        except ApiError as failure:
            log.warn("ClusterOperator:130", f"Failed to list Kafka resources: {failure}")
            return
        for kafka in kafkas:
            self.reconciler.later(self.reconciler.number(), "timer", kafka["metadata"]["namespace"],
                                  kafka["metadata"]["name"])


def main() -> None:
    """Run until the pod is stopped."""
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
    reconciler = Reconciler(kube)
    watched = os.environ.get("STRIMZI_NAMESPACE", "*") or "*"
    for namespace in watched.split(","):
        ClusterOperator(kube, None if namespace == "*" else namespace.strip(), reconciler).start()
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
