"""Existing pods are checked and, where they must, rolled one after the other; and pods are waited for."""
from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException
from confluent_kafka.admin import ConfigEntry, ConfigSource, ResourceType

from . import broker, log, metrics
from .failure import FatalProblem, StrimziTimeoutException
from .kafka_admin import Admin
from .kube import ApiError, Kube, Object
from .pools import Pool, nodes
from .podsets import is_ready, old_revision
from .resources import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable

# Kafka keeps this one for the whole cluster in its metadata (eligible leader replicas), not in server.config.
CLUSTER_WIDE = ("min.insync.replicas",)
STUCK_WAITING = ("CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "InvalidImageName",
                 "CreateContainerConfigError")
Reason = tuple[str, str]
OLD_REVISION: Reason = ("PodHasOldRevision", "Pod has old revision")
STUCK: Reason = ("PodStuck", "Pod needs to be restarted, because it seems to be stuck and restart might help")
CONFIG: Reason = ("ConfigChangeRequiresRestart",
                  "Pod needs to be restarted, because reconfiguration cannot be done dynamically")


class Waiter:
    """Waits as long as the operation timeout allows, holding the cluster's lock all the while, as the real one does."""

    def __init__(self, kube: Kube, prefix: str, namespace: str):
        self.kube, self.prefix, self.namespace = kube, prefix, namespace
        self.limit = int(os.environ.get("STRIMZI_OPERATION_TIMEOUT_MS", "300000"))

    def until(self, resource: str, name: str, good: Callable[[], bool]) -> None:
        end = time.monotonic() + self.limit / 1000
        while not self._good(good):
            if time.monotonic() > end:
                message = (f"Exceeded timeout of {self.limit}ms while waiting for {resource} resource {name} "
                           f"in namespace {self.namespace} to be ready")
                log.error("ResourceSupport:329", self.prefix + message)
                raise StrimziTimeoutException(message)
            time.sleep(0.5)

    @staticmethod
    def _good(good: Callable[[], bool]) -> bool:
        try:
            return good()
        except ApiError as failure:
            if failure.code < 500:
                raise
            return False

    def pod(self, name: str) -> None:
        def good() -> bool:
            pod = self.kube.get("Pod", self.namespace, name)
            return pod is not None and is_ready(pod)
        self.until("Pods", name, good)

    def deployment(self, name: str) -> None:
        def good() -> bool:
            found = self.kube.get("Deployment", self.namespace, name)
            if found is None:
                return False
            seen = found.get("status", {})
            return seen.get("observedGeneration", 0) >= found["metadata"]["generation"] \
                and seen.get("updatedReplicas", 0) >= 1 and seen.get("availableReplicas", 0) >= 1 \
                and seen.get("replicas", 0) == seen.get("updatedReplicas", 0)
        self.until("Deployment", name, good)


def is_stuck(pod: Object) -> bool:
    """A pod that is unschedulable or whose container will not start."""
    seen = pod.get("status", {})
    if any(c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable" for c in seen.get("conditions") or []):
        return True
    return any((c.get("state", {}).get("waiting") or {}).get("reason") in STUCK_WAITING
               for c in seen.get("containerStatuses") or [])


class Roller:
    """One pass over the pods that were there before this reconciliation."""

    def __init__(self, kube: Kube, cluster: Cluster, pools: list[Pool], prefix: str, waiter: Waiter):
        self.kube, self.cluster, self.pools, self.prefix, self.waiter = kube, cluster, pools, prefix, waiter

    def roll(self, wanted: dict[str, Object], names: set[str]) -> None:
        for pool in self.pools:
            for node in pool.ids:
                name = pool.pod_name(node)
                if name in names:
                    self._check(pool, node, wanted[name])

    def _check(self, pool: Pool, node: int, wanted: Object) -> None:
        name = pool.pod_name(node)
        pod = self.kube.get("Pod", self.cluster.namespace, name)
        if pod is not None:
            reasons = [OLD_REVISION] if old_revision(pod, wanted) else []
            if is_stuck(pod):
                if not reasons:
                    raise FatalProblem("Pod is unschedulable or is not starting")
                reasons.append(STUCK)
            if not reasons:
                self.waiter.pod(name)
                if "broker" in pool.roles:
                    reasons = self._config(pool, node)
            if reasons:
                self._restart(pod, reasons)
        self.waiter.pod(name)

    def _config(self, pool: Pool, node: int) -> list[Reason]:
        """What differs between the running broker and its wanted options; dynamic ones are changed on the spot."""
        name = pool.pod_name(node)
        admin = Admin(f"{broker.host(self.cluster, name)}:9091")
        try:
            running = admin.broker_config(node)
        except KafkaException as failure:
            log.warn("KafkaRoller:600", f"{self.prefix}Could not read the configuration of pod {name}/{node}: {failure}")
            return []
        wanted = broker.user_config(self.cluster.kafka)
        fixed = wanted | {"controller.quorum.voters": broker.voters(self.cluster, self.pools)}
        dynamic: dict[str, str | None] = {}
        for key, value in fixed.items():
            entry = running.get(key)
            if entry is None or entry.value == value or entry.is_sensitive or key in CLUSTER_WIDE:
                continue
            if entry.is_read_only:
                log.info("KafkaConfigurationDiff:223", f"{self.prefix}Configuration can't be updated dynamically "
                         f"because its scope is ready only: AlterConfigOp{{opType=SET, "
                         f"configEntry=ConfigEntry(name={key}, value={value}, source=UNKNOWN)}}")
                log.info("KafkaRoller:630", f"{self.prefix}Pod {name}/{node} needs to be restarted, "
                         "dynamic update cannot be done.")
                return [CONFIG]
            dynamic[key] = value
        for key, entry in running.items():
            if key in wanted or key in CLUSTER_WIDE or not self._users(key, entry):
                continue
            if entry.source == ConfigSource.DYNAMIC_BROKER_CONFIG.value:
                dynamic[key] = None
            elif entry.is_read_only:
                return [CONFIG]
        if dynamic:
            # The real one sets them for the whole cluster, which this client cannot say; broker by broker is as good.
            log.info("KafkaRoller:719", f"{self.prefix}Dynamic update of cluster-wide configuration(s)")
            try:
                admin.alter(ResourceType.BROKER, str(node), dynamic)
            except KafkaException as failure:
                log.warn("KafkaRoller:700", f"{self.prefix}Dynamic update of pod {name}/{node} failed: {failure}")
                return [CONFIG]
        return []

    @staticmethod
    def _users(key: str, entry: ConfigEntry) -> bool:
        """An option that can only have come from the user's configuration."""
        return entry.source in (ConfigSource.STATIC_BROKER_CONFIG.value,
                                ConfigSource.DYNAMIC_BROKER_CONFIG.value) \
            and not key.startswith((*broker.FORBIDDEN, *metrics.OWN))

    def _restart(self, pod: Object, reasons: list[Reason]) -> None:
        name = pod["metadata"]["name"]
        node = name.rsplit("-", 1)[1]
        if len(nodes(self.pools, "controller")) == 1:
            log.warn("KafkaQuorumCheck:95", f"{self.prefix}Performing rolling update on a controller quorum with a "
                     "single node. This may result in data loss or may cause disruption to the cluster during the "
                     "rolling update. It is recommended that a minimum of three controllers are used.")
        log.info("KafkaRoller:446", f"{self.prefix}Rolling Pod {name}/{node} due to "
                 f"[{', '.join(text for _reason, text in reasons)}]")
        log.info("PodOperator:73", f"{self.prefix}Rolling pod {name}")
        for reason, text in reasons:
            self._event(pod, reason, text)
        uid = pod["metadata"]["uid"]
        self.kube.delete("Pod", self.cluster.namespace, name)

        def replaced() -> bool:
            found = self.kube.get("Pod", self.cluster.namespace, name)
            return found is not None and found["metadata"]["uid"] != uid
        self.waiter.until("Pods", name, replaced)

    def _event(self, pod: Object, reason: str, text: str) -> None:
        """The event the real operator tells on the Kafka resource."""
        name = pod["metadata"]["name"]
        try:
            self.kube.create({
                "apiVersion": "events.k8s.io/v1", "kind": "Event",
                "metadata": {"generateName": "strimzi-event", "namespace": self.cluster.namespace},
                "action": "StrimziInitiatedPodRestart", "reason": reason, "type": "Normal",
                "note": f"Rolling Pod {name} due to {text}",
                "eventTime": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "regarding": {"kind": "Kafka", "name": self.cluster.name, "namespace": self.cluster.namespace},
                "related": {"kind": "Pod", "name": name, "namespace": self.cluster.namespace},
                "reportingController": "strimzi.io/cluster-operator",
                "reportingInstance": os.environ.get("HOSTNAME", "stand-in")})
        except ApiError as failure:
            log.warn("KubernetesRestartEventPublisher:90", f"{self.prefix}Event was not published: {failure}")
