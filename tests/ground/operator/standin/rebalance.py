"""Reconciles KafkaRebalances. Proposals move nothing, since the stand-in for Cruise Control has no metrics."""
from __future__ import annotations

import json

from . import log, status
from .assembly import Assembly, annotation
from .components import Component
from .failure import InvalidResourceException, NoSuchResourceException, ReconcileFailure, RuntimeException
from .kube import Object
from .pools import CLUSTER_LABEL, load, nodes

REBALANCE_ANNOTATION = "strimzi.io/rebalance"
TEMPLATE_ANNOTATION = "strimzi.io/rebalance-template"
# The states that are used here, of nine in Strimzi.
READY, PROPOSED = "Ready", "ProposalReady"
EMPTY_RESULT: Object = {"dataToMoveMB": 0, "numReplicaMovements": 0, "numLeaderMovements": 0,
                        "numIntraBrokerReplicaMovements": 0, "intraBrokerDataToMoveMB": 0,
                        "monitoredPartitionsPercentage": 100.0}


class Rebalance(Assembly):
    """Reconciles KafkaRebalances."""

    kind = "KafkaRebalance"

    def _reconcile(self, prefix: str, namespace: str, name: str) -> None:
        resource = self.kube.get(self.kind, namespace, name)
        # A deleted KafkaRebalance owned its ConfigMap, so nothing is left to delete.
        if resource is None or annotation(resource, TEMPLATE_ANNOTATION) == "true":
            return
        old = resource.get("status") or {}
        generation = resource["metadata"]["generation"]
        new_status: Object = {"observedGeneration": generation}
        try:
            cluster = self._get_kafka(resource)
            requested = annotation(resource, REBALANCE_ANNOTATION)
            if old.get("observedGeneration", generation) != generation:
                requested = "refresh"
            old_state = next((c["type"] for c in old.get("conditions") or [] if c["type"] in (READY, PROPOSED)), "")
            state = READY if (old_state, requested) == (PROPOSED, "approve") \
                else PROPOSED if requested == "refresh" else old_state or PROPOSED
            self._apply_config_map(resource, cluster, state)
            result = old.get("optimizationResult") or EMPTY_RESULT | {"afterBeforeLoadConfigMap": name}
            new_status |= {"conditions": [status.condition(state)], "optimizationResult": result,
                           "progress": {"rebalanceProgressConfigMap": name}}
            if state == PROPOSED:
                new_status["sessionId"] = old.get("sessionId") or resource["metadata"]["uid"]
        except ReconcileFailure as failure:
            new_status["conditions"] = [status.not_ready(failure.reason, str(failure))]
            log.error("KafkaRebalanceAssemblyOperator:462",
                      f"{prefix}Status updated to [NotReady] due to error: {failure}")
        status.write(self.kube, resource, new_status, prefix)
        if REBALANCE_ANNOTATION in (resource["metadata"].get("annotations") or {}):
            self.kube.merge_patch(self.kind, namespace, name,
                                  {"metadata": {"annotations": {REBALANCE_ANNOTATION: None}}})

    def _get_kafka(self, resource: Object) -> Object:
        """Return the Kafka resource, which must be ready and have Cruise Control."""
        meta = resource["metadata"]
        name = (meta.get("labels") or {}).get(CLUSTER_LABEL)
        if name is None:
            raise InvalidResourceException(f"Resource lacks label '{CLUSTER_LABEL}': No cluster related to a "
                                           "possible rebalance.")
        kafka = self.kube.get("Kafka", meta["namespace"], name)
        if kafka is None:
            raise NoSuchResourceException(f"Kafka resource '{name}' identified by label '{CLUSTER_LABEL}' does not "
                                          f"exist in namespace {meta['namespace']}.")
        conditions = (kafka.get("status") or {}).get("conditions") or []
        if not any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            raise RuntimeException("Kafka cluster is not Ready")
        if kafka["spec"].get("cruiseControl") is None:
            raise InvalidResourceException("Kafka resource lacks 'cruiseControl' declaration")
        return kafka

    def _apply_config_map(self, resource: Object, kafka: Object, state: str) -> None:
        """Apply the ConfigMap with the load of each broker and the progress. Its name and its cluster label are the
        name of the KafkaRebalance, not of the Kafka resource."""
        meta = resource["metadata"]
        component = Component(resource, "kafka-rebalance", meta["name"], resource.get("spec") or {})
        brokers = nodes(load(self.kube, meta["namespace"], kafka["metadata"]["name"]), "broker")
        unchanged = {"replicas": {"before": 0, "after": 0, "diff": 0}}
        data = {"brokerLoad.json": json.dumps({str(node): unchanged for _pool, node in brokers}),
                "completedByteMovementPercentage": "100" if state == READY else "0"}
        if state == READY:
            data["estimatedTimeToCompletionInMinutes"] = "0"
        self.kube.apply(component.config_map(meta["name"], data))
