"""What a Kafka resource asks for beside its brokers: `spec.cruiseControl` and `spec.kafkaExporter`."""
from __future__ import annotations

import os

from . import component, entity, metrics, resources
from .component import Component
from .kube import Kube, Object
from .pools import Pool, nodes
from .resources import Cluster
from .roller import Waiter

TMP: Object = {"name": "strimzi-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "5Mi"}}
TMP_MOUNT: Object = {"name": "strimzi-tmp", "mountPath": "/tmp"}
STATE = "/kafkacruisecontrol/state"


def _gone(kube: Kube, own: Component, more: list[tuple[str, str]]) -> None:
    """What is no longer asked for."""
    if kube.get("Deployment", own.namespace, own.full) is None:
        return
    everything = [("Deployment", own.full), ("NetworkPolicy", own.full), ("ServiceAccount", own.full),
                  ("PodDisruptionBudget", own.full), ("Secret", f"{own.full}-certs"), *more]
    for kind, name in everything:
        kube.delete(kind, own.namespace, name)


def exporter(kube: Kube, cluster: Cluster, version: str, waiter: Waiter) -> None:
    """Kafka Exporter, as asked."""
    spec = cluster.kafka["spec"].get("kafkaExporter")
    own = Component(cluster.kafka, "kafka-exporter", f"{cluster.name}-kafka-exporter", spec or {})
    if spec is None:
        _gone(kube, own, [])
        return
    kube.apply(own.service_account())
    resources.certificate(kube, cluster, f"{own.full}-certs", own.full, "kafka-exporter", component="kafka-exporter")
    kube.apply(own.network_policy([resources.ingress(metrics.PORT[1])]))
    kube.apply(own.disruption_budget({"maxUnavailable": 1}))
    pairs: dict[str, object] = {
        "KAFKA_EXPORTER_LOGGING": 0,
        "KAFKA_EXPORTER_KAFKA_VERSION": version,
        "KAFKA_EXPORTER_GROUP_REGEX": spec.get("groupRegex", ".*"),
        "KAFKA_EXPORTER_TOPIC_REGEX": spec.get("topicRegex", ".*"),
        "KAFKA_EXPORTER_KAFKA_SERVER": f"{cluster.name}-kafka-bootstrap:9091",
        "KAFKA_EXPORTER_ENABLE_SARAMA": False,
        "KAFKA_EXPORTER_OFFSET_SHOW_ALL": True}

    def probe(given: Object | None) -> Object:
        return component.http_probe("/healthz", metrics.PORT[0], 15, {"timeoutSeconds": 15, "periodSeconds": 30} | (given or {}))
    container = component.container({
        "name": own.full, "image": spec.get("image") or os.environ["STRIMZI_DEFAULT_KAFKA_EXPORTER_IMAGE"],
        "args": ["/opt/kafka-exporter/kafka_exporter_run.sh"], "env": component.env(pairs),
        "ports": component.container_ports([metrics.PORT]), "volumeMounts": [TMP_MOUNT],
        "livenessProbe": probe(spec.get("livenessProbe")), "readinessProbe": probe(spec.get("readinessProbe")),
    }, spec.get("resources"), own.template("container"))
    kube.apply(own.deployment([container], [TMP], _generations()))
    waiter.deployment(own.full)


def cruise_control(kube: Kube, cluster: Cluster, pools: list[Pool], waiter: Waiter) -> None:
    """Cruise Control, as asked."""
    spec = cluster.kafka["spec"].get("cruiseControl")
    own = Component(cluster.kafka, "cruise-control", f"{cluster.name}-cruise-control", spec or {})
    config = f"{own.full}-config"
    if spec is None:
        _gone(kube, own, [("ConfigMap", config), ("Service", own.full), ("Secret", f"{own.full}-api"),
                          ("Secret", entity.api_secret(cluster))])
        return
    ports = [("rest-api", 9090), *metrics.ports(spec)]
    brokers = ",".join(str(node) for _pool, node in nodes(pools, "broker"))
    clients = [resources.CLUSTER_OPERATOR]
    if entity.topic_operator(cluster):
        clients.append(resources.peer(name=f"{cluster.name}-entity-operator"))
    rules = [resources.ingress(9090, *clients), *(resources.ingress(number) for _name, number in metrics.ports(spec))]
    kube.apply(own.network_policy(rules))
    kube.apply(own.service_account())
    kube.apply(own.config_map(config, {"capacity.json": "{}", "cruisecontrol.properties": f"# brokers {brokers}\n"}
                              | metrics.rules(kube, cluster.namespace, spec)))
    resources.certificate(kube, cluster, f"{own.full}-certs", own.full, "cruise-control", component="cruise-control")
    if kube.get("Secret", cluster.namespace, f"{own.full}-api") is None:
        kube.apply(resources.secret(cluster, f"{own.full}-api", {
            "rebalance-operator.password": "played", "healthcheck.password": "played",
            "cruise-control.authFile": "rebalance-operator: played,ADMIN\nhealthcheck: played,USER\n"},
            "cruise-control"))
    # The topic operator asks Cruise Control to change the replicas of topics.
    if entity.topic_operator(cluster) and kube.get("Secret", cluster.namespace, entity.api_secret(cluster)) is None:
        kube.apply(resources.secret(cluster, entity.api_secret(cluster), {
            "topic-operator.apiAdminName": "topic-operator", "topic-operator.apiAdminPassword": "played"},
            "cruise-control"))
    kube.apply(own.service(own.full, ports[:1]))
    kube.apply(own.disruption_budget({"maxUnavailable": 1}))

    def probe(given: Object | None) -> Object:
        return resources.probe({"exec": {"command": ["/opt/cruise-control/cruise_control_healthcheck.sh"]}}, 15, given)
    container = component.container({
        "name": "cruise-control", "image": spec.get("image") or os.environ["STRIMZI_DEFAULT_CRUISE_CONTROL_IMAGE"],
        "args": ["/opt/cruise-control/cruise_control_run.sh"],
        # The real one serves HTTPS with passwords.
        "env": [*component.env({
            "CRUISE_CONTROL_JMX_EXPORTER_ENABLED": bool(metrics.kind(spec)),
            "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": f"{cluster.name}-kafka-bootstrap:9091",
            "STRIMZI_KAFKA_GC_LOG_ENABLED": False, "STRIMZI_CC_API_SSL_ENABLED": False,
            "STRIMZI_CC_API_AUTH_ENABLED": False, "API_HEALTHCHECK_USERNAME": "healthcheck", "API_PORT": 9090,
            "API_HEALTHCHECK_PATH": STATE}), *component.java(spec.get("jvmOptions"), spec.get("resources"), 75)],
        "ports": component.container_ports(ports), "volumeMounts": [TMP_MOUNT],
        "livenessProbe": probe(spec.get("livenessProbe")), "readinessProbe": probe(spec.get("readinessProbe")),
    }, spec.get("resources"), own.template("cruiseControlContainer"))
    kube.apply(own.deployment([container], [TMP], _generations()))
    waiter.deployment(own.full)


def _generations() -> Object:
    return {"strimzi.io/cluster-ca-cert-generation": "0", "strimzi.io/cluster-ca-key-generation": "0"}
