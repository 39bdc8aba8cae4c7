"""Checks existing pods and restarts them one after the other if necessary. Waits for pods and Deployments."""
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
from .pools import NodePool, nodes
from .podsets import has_old_revision, is_ready
from .resources import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable

# With eligible leader replicas, Kafka stores this option in the cluster's metadata, not in server.config.
CLUSTER_WIDE = ("min.insync.replicas",)
STUCK_REASONS = ("CrashLoopBackOff", "ErrImagePull", "ImagePullBackOff", "InvalidImageName",
                 "CreateContainerConfigError")
Reason = tuple[str, str]
OLD_REVISION: Reason = ("PodHasOldRevision", "Pod has old revision")
STUCK: Reason = ("PodStuck", "Pod needs to be restarted, because it seems to be stuck and restart might help")
CONFIG: Reason = ("ConfigChangeRequiresRestart",
                  "Pod needs to be restarted, because reconfiguration cannot be done dynamically")


class Waiter:
    """Waits for objects until the operation timeout, while the lock of the cluster is held, as in Strimzi."""

    def __init__(self, kube: Kube, prefix: str, namespace: str):
        self.kube, self.prefix, self.namespace = kube, prefix, namespace
        self.timeout_ms = int(os.environ.get("STRIMZI_OPERATION_TIMEOUT_MS", "300000"))

    def wait_until(self, resource: str, name: str, predicate: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.timeout_ms / 1000
        while not self._evaluate(predicate):
            if time.monotonic() > deadline:
                message = (f"Exceeded timeout of {self.timeout_ms}ms while waiting for {resource} resource {name} "
                           f"in namespace {self.namespace} to be ready")
                log.error("ResourceSupport:329", self.prefix + message)
                raise StrimziTimeoutException(message)
            time.sleep(0.5)

    @staticmethod
    def _evaluate(predicate: Callable[[], bool]) -> bool:
        try:
            return predicate()
        except ApiError as failure:
            if failure.code < 500:
                raise
            return False

    def wait_for_pod(self, name: str) -> None:
        def is_pod_ready() -> bool:
            pod = self.kube.get("Pod", self.namespace, name)
            return pod is not None and is_ready(pod)
        self.wait_until("Pods", name, is_pod_ready)

    def wait_for_deployment(self, name: str) -> None:
        def is_deployment_ready() -> bool:
            found = self.kube.get("Deployment", self.namespace, name)
            if found is None:
                return False
            current = found.get("status", {})
            return current.get("observedGeneration", 0) >= found["metadata"]["generation"] \
                and current.get("updatedReplicas", 0) >= 1 and current.get("availableReplicas", 0) >= 1 \
                and current.get("replicas", 0) == current.get("updatedReplicas", 0)
        self.wait_until("Deployment", name, is_deployment_ready)


def is_stuck(pod: Object) -> bool:
    """Return whether a pod is unschedulable or its container cannot start."""
    pod_status = pod.get("status", {})
    if any(c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable"
           for c in pod_status.get("conditions") or []):
        return True
    return any((c.get("state", {}).get("waiting") or {}).get("reason") in STUCK_REASONS
               for c in pod_status.get("containerStatuses") or [])


class Roller:
    """Checks the pods that existed before this reconciliation."""

    def __init__(self, kube: Kube, cluster: Cluster, pools: list[NodePool], prefix: str, waiter: Waiter):
        self.kube, self.cluster, self.pools, self.prefix, self.waiter = kube, cluster, pools, prefix, waiter

    def roll(self, desired: dict[str, Object], existing: set[str]) -> None:
        for pool in self.pools:
            for node in pool.ids:
                name = pool.pod_name(node)
                if name in existing:
                    self._check_pod(pool, node, desired[name])

    def _check_pod(self, pool: NodePool, node: int, desired: Object) -> None:
        name = pool.pod_name(node)
        pod = self.kube.get("Pod", self.cluster.namespace, name)
        if pod is not None:
            reasons = [OLD_REVISION] if has_old_revision(pod, desired) else []
            if is_stuck(pod):
                if not reasons:
                    raise FatalProblem("Pod is unschedulable or is not starting")
                reasons.append(STUCK)
            if not reasons:
                self.waiter.wait_for_pod(name)
                if "broker" in pool.roles:
                    reasons = self._update_config(pool, node)
            if reasons:
                self._restart(pod, reasons)
        self.waiter.wait_for_pod(name)

    def _update_config(self, pool: NodePool, node: int) -> list[Reason]:
        """Set changed dynamic options. Return the reasons for a restart if other options changed."""
        name = pool.pod_name(node)
        admin = Admin(f"{broker.host(self.cluster, name)}:9091")
        try:
            running = admin.broker_config(node)
        except KafkaException as failure:
            log.warn("KafkaRoller:600",
                     f"{self.prefix}Could not read the configuration of pod {name}/{node}: {failure}")
            return []
        desired = broker.user_config(self.cluster.kafka)
        expected = desired | {"controller.quorum.voters": broker.voters(self.cluster, self.pools)}
        dynamic: dict[str, str | None] = {}
        for key, value in expected.items():
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
            if key in desired or key in CLUSTER_WIDE or not self._is_user_option(key, entry):
                continue
            if entry.source == ConfigSource.DYNAMIC_BROKER_CONFIG.value:
                dynamic[key] = None
            elif entry.is_read_only:
                return [CONFIG]
        if dynamic:
            # Strimzi sets them for the whole cluster. This client cannot, so they are set for each broker.
            log.info("KafkaRoller:719", f"{self.prefix}Dynamic update of cluster-wide configuration(s)")
            try:
                admin.alter_config(ResourceType.BROKER, str(node), dynamic)
            except KafkaException as failure:
                log.warn("KafkaRoller:700", f"{self.prefix}Dynamic update of pod {name}/{node} failed: {failure}")
                return [CONFIG]
        return []

    @staticmethod
    def _is_user_option(key: str, entry: ConfigEntry) -> bool:
        """Return whether an option was set by the user's configuration."""
        return entry.source in (ConfigSource.STATIC_BROKER_CONFIG.value,
                                ConfigSource.DYNAMIC_BROKER_CONFIG.value) \
            and not key.startswith((*broker.FORBIDDEN_PREFIXES, *metrics.RESERVED_OPTIONS))

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
            self._publish_event(pod, reason, text)
        uid = pod["metadata"]["uid"]
        self.kube.delete("Pod", self.cluster.namespace, name)

        def replaced() -> bool:
            found = self.kube.get("Pod", self.cluster.namespace, name)
            return found is not None and found["metadata"]["uid"] != uid
        self.waiter.wait_until("Pods", name, replaced)

    def _publish_event(self, pod: Object, reason: str, text: str) -> None:
        """Publish the event that Strimzi's operator publishes for the Kafka resource."""
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
