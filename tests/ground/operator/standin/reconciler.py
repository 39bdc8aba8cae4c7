"""The order in which a Kafka cluster is brought about, under the lock of its name."""
from __future__ import annotations

import base64
import uuid

from . import (VERSION, beside, broker, entity, listeners, log, metrics, pools as node_pools, resources, status,
               validation)
from .assembly import Assembly
from .kube import Kube, Object, api_version
from .pools import Pool
from .resources import Cluster
from .roller import Roller, Waiter


class Reconciler(Assembly):
    """Reconciles Kafka resources."""

    kind = "Kafka"

    def initial(self, old: Object) -> Object:
        return status.initial(old)

    def begin(self, prefix: str, resource: Object, old: Object) -> None:
        if not old:
            status.write(self.kube, resource, status.creating(), prefix)

    def attempt(self, prefix: str, resource: Object, made: Object, conditions: list[Object]) -> None:
        Attempt(self.kube, prefix, resource, made, conditions).run()


class Attempt:
    """One walk through all steps."""

    def __init__(self, kube: Kube, prefix: str, kafka: Object, made: Object, conditions: list[Object]):
        self.kube, self.prefix, self.kafka, self.made, self.conditions = kube, prefix, kafka, made, conditions
        self.namespace, self.name = kafka["metadata"]["namespace"], kafka["metadata"]["name"]
        self.waiter = Waiter(kube, prefix, self.namespace)

    def run(self) -> None:
        version = validation.kafka_version(self.kafka)
        pools = node_pools.load(self.kube, self.namespace, self.name)
        validation.check_pools(self.kafka, pools)
        validation.check_config(self.kafka, pools)
        self.conditions += validation.warnings(pools)
        self.made["kafkaNodePools"] = [{"name": pool.name} for pool in pools]
        # The real one leaves this in the status of a failure only.
        self.made["autoRebalance"] = {"state": "Idle", "lastTransitionTime": status.now()}
        cluster = Cluster(self.kafka, self._cluster_id(pools))
        metadata = validation.metadata_version(self.kafka, version)
        resources.authorities(self.kube, cluster, self.prefix)
        rules = metrics.rules(self.kube, self.namespace, self.kafka["spec"]["kafka"])
        self._surroundings(cluster, pools)
        self._scale_down(cluster, pools)
        self._brokers(cluster, pools, version, metadata, rules)
        beside.cruise_control(self.kube, cluster, pools, self.waiter)
        self._entity_operator(cluster)
        beside.exporter(self.kube, cluster, version, self.waiter)
        del self.made["autoRebalance"]
        self.made |= {
            "clusterId": cluster.cluster_id, "kafkaVersion": version, "kafkaMetadataVersion": metadata,
            "operatorLastSuccessfulVersion": VERSION, "listeners": self._listeners(cluster)}

    def _cluster_id(self, pools: list[Pool]) -> str:
        """The id the cluster has, or a new one."""
        known = [(self.kafka.get("status") or {}).get("clusterId")]
        known += [(pool.resource.get("status") or {}).get("clusterId") for pool in pools]
        for found in known:
            if found:
                return found
        while True:
            made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            if not made.startswith("-"):
                return made

    def _surroundings(self, cluster: Cluster, pools: list[Pool]) -> None:
        apply = self.kube.apply
        ports = [number for _name, number in metrics.ports(self.kafka["spec"]["kafka"])]
        apply(resources.kafka_policy(cluster, ports))
        apply(resources.service_account(cluster, "kafka"))
        for part in resources.kafka_role(cluster, [pool.pod_name(node) for pool in pools for node in pool.ids]):
            apply(part)
        resources.certificate(self.kube, cluster, f"{self.name}-cluster-operator-certs", "cluster-operator",
                              "cluster-operator")
        for service in resources.services(cluster):
            apply(service)
        apply(resources.disruption_budget(cluster, "kafka"))

    def _scale_down(self, cluster: Cluster, pools: list[Pool]) -> None:
        for pool in pools:
            if not pool.removed:
                continue
            podset = self.kube.get("StrimziPodSet", self.namespace, pool.set_name)
            keep = {pool.pod_name(node) for node in pool.ids}
            gone = [pool.pod_name(node) for node in pool.removed]
            if podset is not None:
                log.info("KafkaReconciler:619", f"{self.prefix}Scaling down Kafka pod set {pool.set_name} from "
                         f"{len(podset['spec']['pods'])} to {len(pool.ids)} replicas")
                podset["spec"]["pods"] = [p for p in podset["spec"]["pods"] if p["metadata"]["name"] in keep]
                self.kube.replace(podset)
            for name in gone:
                self.waiter.until("Pods", name, lambda n=name: self.kube.get("Pod", self.namespace, n) is None)
                self.kube.delete("ConfigMap", self.namespace, name)
                self.kube.delete("Secret", self.namespace, name)

    def _brokers(self, cluster: Cluster, pools: list[Pool], version: str, metadata: str, rules: Object) -> None:
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
                resources.certificate(self.kube, cluster, pod, f"{self.name}-kafka", pod, self._hosts(cluster, pod, node))
                self.kube.apply(broker.config_map(cluster, pools, pool, node, metadata, rules))
        wanted = {}
        existing: set[str] = set()
        for pool in pools:
            pods = [broker.pod(cluster, pools, pool, node, version) for node in pool.ids]
            wanted |= {pod["metadata"]["name"]: pod for pod in pods}
            before = self.kube.get("StrimziPodSet", self.namespace, pool.set_name)
            if before is not None:
                existing |= {pod["metadata"]["name"] for pod in before["spec"]["pods"]}
            self.kube.apply(self._podset(cluster, pool, pods, version))
        existing &= wanted.keys()
        for name in wanted.keys() - existing:
            self.waiter.pod(name)
        Roller(self.kube, cluster, pools, self.prefix, self.waiter).roll(wanted, existing)

    def _podset(self, cluster: Cluster, pool: Pool, pods: list[Object], version: str) -> Object:
        labels = cluster.labels("kafka") | {"strimzi.io/pool-name": pool.name}
        return {"apiVersion": api_version("StrimziPodSet"), "kind": "StrimziPodSet",
                "metadata": {"name": pool.set_name, "namespace": self.namespace, "labels": labels,
                             "annotations": {"strimzi.io/kafka-version": version},
                             "ownerReferences": [resources.owner(pool.resource, block=True)]},
                "spec": {"selector": {"matchLabels": resources.selector(labels, "pool-name")}, "pods": pods}}

    def _hosts(self, cluster: Cluster, pod: str, node: int) -> list[str]:
        """The names a broker's certificate is good for."""
        made = []
        for service in (f"{self.name}-kafka-bootstrap", f"{self.name}-kafka-brokers"):
            made += [service, f"{service}.{self.namespace}", f"{service}.{self.namespace}.svc",
                     f"{service}.{self.namespace}.svc.cluster.local"]
        return [*made, broker.host(cluster, pod), broker.host(cluster, pod, ".cluster.local"),
                *listeners.names(cluster.kafka, node)]

    def _entity_operator(self, cluster: Cluster) -> None:
        spec = self.kafka["spec"].get("entityOperator") or {}
        name = f"{self.name}-entity-operator"
        if not ("topicOperator" in spec or "userOperator" in spec):
            self.kube.delete("Deployment", self.namespace, name)
            self.kube.delete("NetworkPolicy", self.namespace, name)
            return
        self.kube.apply(resources.service_account(cluster, "entity-operator"))
        self.kube.apply(resources.entity_policy(cluster))
        for part in [*resources.entity_role(cluster), *entity.config_maps(cluster),
                     resources.disruption_budget(cluster, "entity-operator")]:
            self.kube.apply(part)
        for kind in ("topic", "user"):
            resources.certificate(self.kube, cluster, f"{self.name}-entity-{kind}-operator-certs",
                                  f"{self.name}-entity-{kind}-operator", "entity-operator")
        self.kube.apply(entity.deployment(cluster))
        self.waiter.deployment(name)

    def _listeners(self, cluster: Cluster) -> list[Object]:
        host = f"{self.name}-kafka-bootstrap.{self.namespace}.svc"
        made = []
        for listener in cluster.listeners:
            entry: Object = {"name": listener["name"], "bootstrapServers": f"{host}:{listener['port']}",
                             "addresses": [{"host": host, "port": listener["port"]}]}
            if listener["tls"]:
                entry["certificates"] = [cluster.ca_cert]
            made.append(entry)
        return made
