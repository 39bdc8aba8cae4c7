"""Reconciles Kafka resources: the steps and their order."""
from __future__ import annotations

import base64
import uuid

from . import (VERSION, broker, entity, kafka_components, listeners, log, metrics, pools as node_pools, resources,
               status, validation)
from .assembly import Assembly
from .kube import Kube, Object, api_version
from .pools import NodePool
from .resources import Cluster
from .roller import Roller, Waiter


class Reconciler(Assembly):
    """Reconciles Kafka resources."""

    kind = "Kafka"

    def initial(self, old: Object) -> Object:
        return status.initial(old)

    def write_first_status(self, prefix: str, resource: Object, old: Object) -> None:
        if not old:
            status.write(self.kube, resource, status.creating(), prefix)

    def create_or_update(self, prefix: str, resource: Object, new_status: Object, conditions: list[Object]) -> None:
        Reconciliation(self.kube, prefix, resource, new_status, conditions).run()


class Reconciliation:
    """One reconciliation of a Kafka resource."""

    def __init__(self, kube: Kube, prefix: str, kafka: Object, new_status: Object, conditions: list[Object]):
        self.kube, self.prefix, self.kafka, self.new_status, self.conditions = \
            kube, prefix, kafka, new_status, conditions
        self.namespace, self.name = kafka["metadata"]["namespace"], kafka["metadata"]["name"]
        self.waiter = Waiter(kube, prefix, self.namespace)

    def run(self) -> None:
        version = validation.kafka_version(self.kafka)
        pools = node_pools.load(self.kube, self.namespace, self.name)
        validation.check_pools(self.kafka, pools)
        validation.check_config(self.kafka, pools)
        self.conditions += validation.warnings(pools)
        self.new_status["kafkaNodePools"] = [{"name": pool.name} for pool in pools]
        # In Strimzi, only the status of a failure has this field.
        self.new_status["autoRebalance"] = {"state": "Idle", "lastTransitionTime": status.now()}
        cluster = Cluster(self.kafka, self._cluster_id(pools))
        metadata = validation.metadata_version(self.kafka, version)
        resources.reconcile_authorities(self.kube, cluster, self.prefix)
        rules = metrics.rules(self.kube, self.namespace, self.kafka["spec"]["kafka"])
        self._apply_common_resources(cluster, pools)
        self._scale_down(cluster, pools)
        self._reconcile_brokers(cluster, pools, version, metadata, rules)
        kafka_components.reconcile_cruise_control(self.kube, cluster, pools, self.waiter)
        self._reconcile_entity_operator(cluster)
        kafka_components.reconcile_exporter(self.kube, cluster, version, self.waiter)
        del self.new_status["autoRebalance"]
        self.new_status |= {
            "clusterId": cluster.cluster_id, "kafkaVersion": version, "kafkaMetadataVersion": metadata,
            "operatorLastSuccessfulVersion": VERSION, "listeners": self._listener_statuses(cluster)}

    def _cluster_id(self, pools: list[NodePool]) -> str:
        """Return the existing cluster id, or a new one."""
        candidates = [(self.kafka.get("status") or {}).get("clusterId")]
        candidates += [(pool.resource.get("status") or {}).get("clusterId") for pool in pools]
        for found in candidates:
            if found:
                return found
        while True:
            new_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            if not new_id.startswith("-"):
                return new_id

    def _apply_common_resources(self, cluster: Cluster, pools: list[NodePool]) -> None:
        apply = self.kube.apply
        ports = [number for _name, number in metrics.ports(self.kafka["spec"]["kafka"])]
        apply(resources.kafka_network_policy(cluster, ports))
        apply(resources.service_account(cluster, "kafka"))
        for obj in resources.kafka_role(cluster, [pool.pod_name(node) for pool in pools for node in pool.ids]):
            apply(obj)
        resources.reconcile_certificate(self.kube, cluster, f"{self.name}-cluster-operator-certs", "cluster-operator",
                                        "cluster-operator")
        for service in resources.services(cluster):
            apply(service)
        apply(resources.disruption_budget(cluster, "kafka"))

    def _scale_down(self, cluster: Cluster, pools: list[NodePool]) -> None:
        for pool in pools:
            if not pool.removed:
                continue
            podset = self.kube.get("StrimziPodSet", self.namespace, pool.podset_name)
            kept = {pool.pod_name(node) for node in pool.ids}
            removed = [pool.pod_name(node) for node in pool.removed]
            if podset is not None:
                log.info("KafkaReconciler:619", f"{self.prefix}Scaling down Kafka pod set {pool.podset_name} from "
                         f"{len(podset['spec']['pods'])} to {len(pool.ids)} replicas")
                podset["spec"]["pods"] = [p for p in podset["spec"]["pods"] if p["metadata"]["name"] in kept]
                self.kube.replace(podset)
            for name in removed:
                self.waiter.wait_until("Pods", name, lambda n=name: self.kube.get("Pod", self.namespace, n) is None)
                self.kube.delete("ConfigMap", self.namespace, name)
                self.kube.delete("Secret", self.namespace, name)

    def _reconcile_brokers(self, cluster: Cluster, pools: list[NodePool], version: str, metadata: str,
                           rules: Object) -> None:
        for pool in pools:
            for node in pool.ids:
                for claim in broker.claims(cluster, pool, node):
                    if self.kube.get("PersistentVolumeClaim", self.namespace, claim["metadata"]["name"]) is None:
                        self.kube.create(claim)
        for pool in pools:
            status.write(self.kube, pool.resource, node_pools.pool_status(pool, cluster.cluster_id), self.prefix)
        for pool in pools:
            for node in pool.ids:
                pod = pool.pod_name(node)
                resources.reconcile_certificate(self.kube, cluster, pod, f"{self.name}-kafka", pod,
                                                self._certificate_names(cluster, pod, node))
                self.kube.apply(broker.config_map(cluster, pools, pool, node, metadata, rules))
        desired = {}
        existing: set[str] = set()
        for pool in pools:
            pods = [broker.pod(cluster, pools, pool, node, version) for node in pool.ids]
            desired |= {pod["metadata"]["name"]: pod for pod in pods}
            old_podset = self.kube.get("StrimziPodSet", self.namespace, pool.podset_name)
            if old_podset is not None:
                existing |= {pod["metadata"]["name"] for pod in old_podset["spec"]["pods"]}
            self.kube.apply(self._podset(cluster, pool, pods, version))
        existing &= desired.keys()
        for name in desired.keys() - existing:
            self.waiter.wait_for_pod(name)
        Roller(self.kube, cluster, pools, self.prefix, self.waiter).roll(desired, existing)

    def _podset(self, cluster: Cluster, pool: NodePool, pods: list[Object], version: str) -> Object:
        labels = cluster.labels("kafka") | {"strimzi.io/pool-name": pool.name}
        return {"apiVersion": api_version("StrimziPodSet"), "kind": "StrimziPodSet",
                "metadata": {"name": pool.podset_name, "namespace": self.namespace, "labels": labels,
                             "annotations": {"strimzi.io/kafka-version": version},
                             "ownerReferences": [resources.owner_reference(pool.resource, block=True)]},
                "spec": {"selector": {"matchLabels": resources.selector(labels, "pool-name")}, "pods": pods}}

    def _certificate_names(self, cluster: Cluster, pod: str, node: int) -> list[str]:
        """Return the subject alternative names of a node's certificate."""
        result = []
        for service in (f"{self.name}-kafka-bootstrap", f"{self.name}-kafka-brokers"):
            result += [service, f"{service}.{self.namespace}", f"{service}.{self.namespace}.svc",
                       f"{service}.{self.namespace}.svc.cluster.local"]
        return [*result, broker.host(cluster, pod), broker.host(cluster, pod, ".cluster.local"),
                *listeners.alternative_names(cluster.kafka, node)]

    def _reconcile_entity_operator(self, cluster: Cluster) -> None:
        spec = self.kafka["spec"].get("entityOperator") or {}
        name = f"{self.name}-entity-operator"
        if not ("topicOperator" in spec or "userOperator" in spec):
            self.kube.delete("Deployment", self.namespace, name)
            self.kube.delete("NetworkPolicy", self.namespace, name)
            return
        self.kube.apply(resources.service_account(cluster, "entity-operator"))
        self.kube.apply(resources.entity_network_policy(cluster))
        for obj in [*resources.entity_role(cluster), *entity.config_maps(cluster),
                    resources.disruption_budget(cluster, "entity-operator")]:
            self.kube.apply(obj)
        for kind in ("topic", "user"):
            resources.reconcile_certificate(self.kube, cluster, f"{self.name}-entity-{kind}-operator-certs",
                                            f"{self.name}-entity-{kind}-operator", "entity-operator")
        self.kube.apply(entity.deployment(cluster))
        self.waiter.wait_for_deployment(name)

    def _listener_statuses(self, cluster: Cluster) -> list[Object]:
        host = f"{self.name}-kafka-bootstrap.{self.namespace}.svc"
        result = []
        for listener in cluster.listeners:
            entry: Object = {"name": listener["name"], "bootstrapServers": f"{host}:{listener['port']}",
                             "addresses": [{"host": host, "port": listener["port"]}]}
            if listener["tls"]:
                entry["certificates"] = [cluster.ca_cert]
            result.append(entry)
        return result
