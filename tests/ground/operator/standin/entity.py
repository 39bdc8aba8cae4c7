"""Manifests of the entity operator: its Deployment and its ConfigMaps."""
from __future__ import annotations

import os

from . import components, resources
from .broker import digest
from .components import env
from .kube import Object
from .resources import Cluster


def _jvm_env(options: Object) -> list[Object]:
    """Return the environment for jvmOptions as set by Strimzi. The stand-in has no JVM that uses it."""
    heap = [f"{flag}{options[flag]}" for flag in ("-Xms", "-Xmx") if options.get(flag)]
    env = [{"name": "STRIMZI_GC_LOG_ENABLED", "value": str(bool(options.get("gcLoggingEnabled"))).lower()}]
    if heap:
        env.append({"name": "STRIMZI_JAVA_OPTS", "value": " ".join(heap)})
    return env


def _container(spec: Object, short: str, kind: str, port: int, image: str, variables: list[Object],
               template: Object) -> Object:
    def http_get(path: str) -> Object:
        return {"httpGet": {"path": path, "port": f"healthcheck-{short}"}}
    container = components.container({
        "name": f"{kind}-operator",
        "image": spec.get("image") or image,
        "args": [f"/opt/strimzi/bin/{kind}_operator_run.sh"],
        "env": variables + _jvm_env(spec.get("jvmOptions") or {}),
        "ports": components.container_ports([(f"healthcheck-{short}", port)]),
        "livenessProbe": resources.probe(http_get("/healthy"), 10, spec.get("livenessProbe")),
        "readinessProbe": resources.probe(http_get("/ready"), 10, spec.get("readinessProbe")),
        "volumeMounts": [resources.API_ACCESS_MOUNT, {"mountPath": "/tmp", "name": f"strimzi-{short}-tmp"},
                         {"mountPath": f"/opt/{kind}-operator/custom-config/",
                          "name": f"entity-{kind}-operator-metrics-and-logging"}],
    }, spec.get("resources"), template)
    if kind == "topic":
        container["startupProbe"] = resources.probe(
            http_get("/healthy"), 15, {"failureThreshold": 12} | (spec.get("startupProbe") or {}))
    return container


def has_topic_operator(cluster: Cluster) -> bool:
    return "topicOperator" in (cluster.kafka["spec"].get("entityOperator") or {})


def api_secret_name(cluster: Cluster) -> str:
    """Return the name of the Secret with the topic operator's credentials for Cruise Control."""
    return f"{cluster.name}-entity-topic-operator-cc-api"


def config_maps(cluster: Cluster) -> list[Object]:
    return [cluster.new_object("v1", "ConfigMap", "entity-operator", f"{cluster.name}-entity-{kind}-operator-config",
                               data={"log4j2.properties": "rootLogger.level = INFO\n"})
            for kind in ("topic", "user")]


def deployment(cluster: Cluster) -> Object:
    """Return the Deployment for spec.entityOperator of the Kafka resource."""
    spec = cluster.kafka["spec"]["entityOperator"]
    template = spec.get("template") or {}
    name, namespace = cluster.name, cluster.namespace
    bootstrap = f"{name}-kafka-bootstrap:9091"
    containers, volumes = [], [resources.API_ACCESS]
    if "topicOperator" in spec:
        containers.append(_container(
            spec["topicOperator"], "to", "topic", 8080,
            os.environ.get("STRIMZI_DEFAULT_TOPIC_OPERATOR_IMAGE", "quay.io/strimzi/operator:1.2.0"), env({
                "STRIMZI_RESOURCE_LABELS": f"strimzi.io/cluster={name}",
                "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
                "STRIMZI_NAMESPACE": spec["topicOperator"].get("watchedNamespace") or namespace,
                "STRIMZI_CLUSTER_NAMESPACE": namespace,
                # SSL in Strimzi. The internal listeners of the stand-in are plain.
                "STRIMZI_SECURITY_PROTOCOL": "PLAINTEXT",
            }), template.get("topicOperatorContainer") or {}))
        volumes += _volumes(name, "to", "topic")
        if cluster.kafka["spec"].get("cruiseControl"):
            _add_cruise_control(cluster, containers[-1], volumes)
    if "userOperator" in spec:
        user = spec["userOperator"]
        has_authorization = "authorization" in cluster.kafka["spec"]["kafka"]
        containers.append(_container(
            user, "uo", "user", 8081,
            os.environ.get("STRIMZI_DEFAULT_USER_OPERATOR_IMAGE", "quay.io/strimzi/operator:1.2.0"), env({
                "STRIMZI_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
                "STRIMZI_NAMESPACE": user.get("watchedNamespace") or namespace,
                "STRIMZI_LABELS": f"strimzi.io/cluster={name}",
                "STRIMZI_CA_KEY_NAME": f"{name}-clients-ca",
                "STRIMZI_CA_CERT_NAME": f"{name}-clients-ca-cert",
                "STRIMZI_CA_NAMESPACE": namespace,
                "STRIMZI_CLUSTER_CA_CERT_SECRET_NAME": f"{name}-cluster-ca-cert",
                "STRIMZI_SECRET_PREFIX": user.get("secretPrefix") or "",
                "STRIMZI_ACLS_ADMIN_API_SUPPORTED": str(has_authorization).lower(),
                "STRIMZI_PKCS12_KEYSTORE_GENERATION": "true",
            }), template.get("userOperatorContainer") or {}))
        volumes += _volumes(name, "uo", "user")
    labels = cluster.labels("entity-operator")
    pod = template.get("pod") or {}
    metadata = pod.get("metadata") or {}
    pod_spec = {"automountServiceAccountToken": False, "serviceAccountName": f"{name}-entity-operator",
                "containers": containers, "volumes": volumes + (pod.get("volumes") or []),
                "terminationGracePeriodSeconds": 30} | resources.pod_options(pod)
    annotations = {"strimzi.io/cluster-ca-cert-generation": "0", "strimzi.io/cluster-ca-key-generation": "0",
                   "strimzi.io/server-cert-hash": digest(cluster.ca_cert)} | (metadata.get("annotations") or {})
    return cluster.new_object("apps/v1", "Deployment", "entity-operator", spec={
        "replicas": 1, "selector": {"matchLabels": resources.selector(labels)},
        "template": {"metadata": {"labels": labels | (metadata.get("labels") or {}), "annotations": annotations},
                     "spec": pod_spec}})


def _add_cruise_control(cluster: Cluster, container: Object, volumes: list[Object]) -> None:
    """Add the topic operator's environment and volumes for Cruise Control."""
    container["env"] += env({
        "STRIMZI_CRUISE_CONTROL_ENABLED": "true", "STRIMZI_CRUISE_CONTROL_RACK_AWARE": "false",
        "STRIMZI_CRUISE_CONTROL_HOSTNAME": f"{cluster.name}-cruise-control.{cluster.namespace}.svc",
        "STRIMZI_CRUISE_CONTROL_PORT": "9090", "STRIMZI_CRUISE_CONTROL_SSL_ENABLED": "true",
        "STRIMZI_CRUISE_CONTROL_AUTH_ENABLED": "true"})
    secrets = (("cluster-ca-certs", "/etc/cluster-ca-certs/", f"{cluster.name}-cluster-ca-cert"),
               ("eto-cc-api", "/etc/eto-cc-api/", api_secret_name(cluster)))
    for volume, path, secret in secrets:
        container["volumeMounts"].append({"name": volume, "mountPath": path})
        volumes.append({"name": volume, "secret": {"secretName": secret}})


def _volumes(name: str, short: str, kind: str) -> list[Object]:
    return [{"name": f"strimzi-{short}-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "5Mi"}},
            {"name": f"entity-{kind}-operator-metrics-and-logging",
             "configMap": {"name": f"{name}-entity-{kind}-operator-config"}}]
