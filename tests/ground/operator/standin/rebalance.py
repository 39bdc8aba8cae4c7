"""KafkaRebalance: a proposal that moves nothing, as the played Cruise Control has no load to balance."""
from __future__ import annotations

import json

from . import log, status
from .assembly import Assembly, annotation
from .component import Component
from .failure import InvalidResourceException, NoSuchResourceException, ReconcileFailure, RuntimeException
from .kube import Object
from .pools import CLUSTER_LABEL, load, nodes

ASK = "strimzi.io/rebalance"
TEMPLATE = "strimzi.io/rebalance-template"
# The states that are reached here, of the real one's nine.
READY, PROPOSED = "Ready", "ProposalReady"
RESULT: Object = {"dataToMoveMB": 0, "numReplicaMovements": 0, "numLeaderMovements": 0, "numIntraBrokerReplicaMovements": 0,
                  "intraBrokerDataToMoveMB": 0, "monitoredPartitionsPercentage": 100.0}


class Rebalance(Assembly):
    """Reconciles KafkaRebalances."""

    kind = "KafkaRebalance"

    def _reconcile(self, prefix: str, namespace: str, name: str) -> None:
        resource = self.kube.get(self.kind, namespace, name)
        # The ConfigMap of one that is gone is owned by it.
        if resource is None or annotation(resource, TEMPLATE) == "true":
            return
        old = resource.get("status") or {}
        generation = resource["metadata"]["generation"]
        made: Object = {"observedGeneration": generation}
        try:
            cluster = self._cluster(resource)
            asked = annotation(resource, ASK)
            if old.get("observedGeneration", generation) != generation:
                asked = "refresh"
            now = next((c["type"] for c in old.get("conditions") or [] if c["type"] in (READY, PROPOSED)), "")
            state = READY if (now, asked) == (PROPOSED, "approve") else PROPOSED if asked == "refresh" else now or PROPOSED
            self._config_map(resource, cluster, state)
            result = old.get("optimizationResult") or RESULT | {"afterBeforeLoadConfigMap": name}
            made |= {"conditions": [status.condition(state)], "optimizationResult": result,
                     "progress": {"rebalanceProgressConfigMap": name}}
            if state == PROPOSED:
                made["sessionId"] = old.get("sessionId") or resource["metadata"]["uid"]
        except ReconcileFailure as failure:
            made["conditions"] = [status.not_ready(failure.reason, str(failure))]
            log.error("KafkaRebalanceAssemblyOperator:462", f"{prefix}Status updated to [NotReady] due to error: {failure}")
        status.write(self.kube, resource, made, prefix)
        if ASK in (resource["metadata"].get("annotations") or {}):
            self.kube.merge(self.kind, namespace, name, {"metadata": {"annotations": {ASK: None}}})

    def _cluster(self, resource: Object) -> Object:
        """The Kafka, which has to be ready and to have Cruise Control."""
        meta = resource["metadata"]
        name = (meta.get("labels") or {}).get(CLUSTER_LABEL)
        if name is None:
            raise InvalidResourceException(f"Resource lacks label '{CLUSTER_LABEL}': No cluster related to a possible "
                                           "rebalance.")
        kafka = self.kube.get("Kafka", meta["namespace"], name)
        if kafka is None:
            raise NoSuchResourceException(f"Kafka resource '{name}' identified by label '{CLUSTER_LABEL}' does not exist "
                                          f"in namespace {meta['namespace']}.")
        conditions = (kafka.get("status") or {}).get("conditions") or []
        if not any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            raise RuntimeException("Kafka cluster is not Ready")
        if kafka["spec"].get("cruiseControl") is None:
            raise InvalidResourceException("Kafka resource lacks 'cruiseControl' declaration")
        return kafka

    def _config_map(self, resource: Object, kafka: Object, state: str) -> None:
        """What the proposal does to each broker, and how far it is. It has the name of the resource, and its cluster
        label is that name too, not the Kafka's."""
        meta = resource["metadata"]
        own = Component(resource, "kafka-rebalance", meta["name"], resource.get("spec") or {})
        brokers = nodes(load(self.kube, meta["namespace"], kafka["metadata"]["name"]), "broker")
        same = {"replicas": {"before": 0, "after": 0, "diff": 0}}
        data = {"brokerLoad.json": json.dumps({str(node): same for _pool, node in brokers}),
                "completedByteMovementPercentage": "100" if state == READY else "0"}
        if state == READY:
            data["estimatedTimeToCompletionInMinutes"] = "0"
        self.kube.apply(own.config_map(meta["name"], data))
