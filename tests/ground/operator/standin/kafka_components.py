"""Components of a Kafka resource: Cruise Control (`spec.cruiseControl`) and Kafka Exporter (`spec.kafkaExporter`)."""
from __future__ import annotations

import os

from . import components, entity, metrics, resources
from .components import Component
from .kube import Kube, Object
from .pools import NodePool, nodes
from .resources import Cluster
from .roller import Waiter

TMP: Object = {"name": "strimzi-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "5Mi"}}
TMP_MOUNT: Object = {"name": "strimzi-tmp", "mountPath": "/tmp"}
STATE_PATH = "/kafkacruisecontrol/state"


def _delete_component(kube: Kube, component: Component, extra: list[tuple[str, str]]) -> None:
    """Delete the objects of a component that is no longer in the spec."""
    if kube.get("Deployment", component.namespace, component.full_name) is None:
        return
    objects = [("Deployment", component.full_name), ("NetworkPolicy", component.full_name),
               ("ServiceAccount", component.full_name), ("PodDisruptionBudget", component.full_name),
               ("Secret", f"{component.full_name}-certs"), *extra]
    for kind, name in objects:
        kube.delete(kind, component.namespace, name)


def reconcile_exporter(kube: Kube, cluster: Cluster, version: str, waiter: Waiter) -> None:
    """Create, update or delete Kafka Exporter and wait until it is ready."""
    spec = cluster.kafka["spec"].get("kafkaExporter")
    component = Component(cluster.kafka, "kafka-exporter", f"{cluster.name}-kafka-exporter", spec or {})
    if spec is None:
        _delete_component(kube, component, [])
        return
    kube.apply(component.service_account())
    resources.reconcile_certificate(kube, cluster, f"{component.full_name}-certs", component.full_name,
                                    "kafka-exporter", component="kafka-exporter")
    kube.apply(component.network_policy([resources.ingress_rule(metrics.PORT[1])]))
    kube.apply(component.disruption_budget({"maxUnavailable": 1}))
    variables: dict[str, object] = {
        "KAFKA_EXPORTER_LOGGING": 0,
        "KAFKA_EXPORTER_KAFKA_VERSION": version,
        "KAFKA_EXPORTER_GROUP_REGEX": spec.get("groupRegex", ".*"),
        "KAFKA_EXPORTER_TOPIC_REGEX": spec.get("topicRegex", ".*"),
        "KAFKA_EXPORTER_KAFKA_SERVER": f"{cluster.name}-kafka-bootstrap:9091",
        "KAFKA_EXPORTER_ENABLE_SARAMA": False,
        "KAFKA_EXPORTER_OFFSET_SHOW_ALL": True}

    def probe(overrides: Object | None) -> Object:
        return components.http_probe("/healthz", metrics.PORT[0], 15,
                                     {"timeoutSeconds": 15, "periodSeconds": 30} | (overrides or {}))
    container = components.container({
        "name": component.full_name, "image": spec.get("image") or os.environ["STRIMZI_DEFAULT_KAFKA_EXPORTER_IMAGE"],
        "args": ["/opt/kafka-exporter/kafka_exporter_run.sh"], "env": components.env(variables),
        "ports": components.container_ports([metrics.PORT]), "volumeMounts": [TMP_MOUNT],
        "livenessProbe": probe(spec.get("livenessProbe")), "readinessProbe": probe(spec.get("readinessProbe")),
    }, spec.get("resources"), component.template("container"))
    kube.apply(component.deployment([container], [TMP], _ca_generations()))
    waiter.wait_for_deployment(component.full_name)


def reconcile_cruise_control(kube: Kube, cluster: Cluster, pools: list[NodePool], waiter: Waiter) -> None:
    """Create, update or delete Cruise Control and wait until it is ready."""
    spec = cluster.kafka["spec"].get("cruiseControl")
    component = Component(cluster.kafka, "cruise-control", f"{cluster.name}-cruise-control", spec or {})
    config = f"{component.full_name}-config"
    if spec is None:
        _delete_component(kube, component, [
            ("ConfigMap", config), ("Service", component.full_name), ("Secret", f"{component.full_name}-api"),
            ("Secret", entity.api_secret_name(cluster))])
        return
    ports = [("rest-api", 9090), *metrics.ports(spec)]
    brokers = ",".join(str(node) for _pool, node in nodes(pools, "broker"))
    clients = [resources.CLUSTER_OPERATOR]
    if entity.has_topic_operator(cluster):
        clients.append(resources.peer(name=f"{cluster.name}-entity-operator"))
    rules = [resources.ingress_rule(9090, *clients),
             *(resources.ingress_rule(number) for _name, number in metrics.ports(spec))]
    kube.apply(component.network_policy(rules))
    kube.apply(component.service_account())
    kube.apply(component.config_map(
        config, {"capacity.json": "{}", "cruisecontrol.properties": f"# brokers {brokers}\n"}
        | metrics.rules(kube, cluster.namespace, spec)))
    resources.reconcile_certificate(kube, cluster, f"{component.full_name}-certs", component.full_name,
                                    "cruise-control", component="cruise-control")
    resources.reconcile_generated_secret(kube, cluster, f"{component.full_name}-api", {
        "rebalance-operator.password": "played", "healthcheck.password": "played",
        "cruise-control.authFile": "rebalance-operator: played,ADMIN\nhealthcheck: played,USER\n"},
        "cruise-control")
    # The topic operator changes the replicas of topics through Cruise Control.
    if entity.has_topic_operator(cluster):
        resources.reconcile_generated_secret(kube, cluster, entity.api_secret_name(cluster), {
            "topic-operator.apiAdminName": "topic-operator", "topic-operator.apiAdminPassword": "played"},
            "cruise-control")
    kube.apply(component.service(component.full_name, ports[:1]))
    kube.apply(component.disruption_budget({"maxUnavailable": 1}))

    def probe(overrides: Object | None) -> Object:
        return resources.probe({"exec": {"command": ["/opt/cruise-control/cruise_control_healthcheck.sh"]}}, 15,
                               overrides)
    container = components.container({
        "name": "cruise-control", "image": spec.get("image") or os.environ["STRIMZI_DEFAULT_CRUISE_CONTROL_IMAGE"],
        "args": ["/opt/cruise-control/cruise_control_run.sh"],
        # Strimzi's Cruise Control uses HTTPS and authentication.
        "env": [*components.env({
            "CRUISE_CONTROL_JMX_EXPORTER_ENABLED": bool(metrics.config_type(spec)),
            "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": f"{cluster.name}-kafka-bootstrap:9091",
            "STRIMZI_KAFKA_GC_LOG_ENABLED": False, "STRIMZI_CC_API_SSL_ENABLED": False,
            "STRIMZI_CC_API_AUTH_ENABLED": False, "API_HEALTHCHECK_USERNAME": "healthcheck", "API_PORT": 9090,
            "API_HEALTHCHECK_PATH": STATE_PATH}),
            *components.jvm_env(spec.get("jvmOptions"), spec.get("resources"), 75)],
        "ports": components.container_ports(ports), "volumeMounts": [TMP_MOUNT],
        "livenessProbe": probe(spec.get("livenessProbe")), "readinessProbe": probe(spec.get("readinessProbe")),
    }, spec.get("resources"), component.template("cruiseControlContainer"))
    kube.apply(component.deployment([container], [TMP], _ca_generations()))
    waiter.wait_for_deployment(component.full_name)


def _ca_generations() -> Object:
    return {"strimzi.io/cluster-ca-cert-generation": "0", "strimzi.io/cluster-ca-key-generation": "0"}
