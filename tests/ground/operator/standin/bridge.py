"""Reconciles KafkaBridges: the Deployment of the HTTP bridge and its Service."""
from __future__ import annotations

import json
import os

from . import broker, components, resources
from .assembly import Assembly
from .components import Component
from .failure import InvalidResourceException
from .kube import Object
from .roller import Waiter

MANAGEMENT = ("rest-api-mgmt", 8081)
CONFIG = "/opt/strimzi/custom-config/"


def properties(name: str, spec: Object) -> str:
    """Return the content of application.properties."""
    http, producer, consumer = spec["http"], spec.get("producer") or {}, spec.get("consumer") or {}
    lines = [f"bridge.id={name}", f"kafka.bootstrap.servers={spec['bootstrapServers']}",
             "kafka.security.protocol=PLAINTEXT"]
    lines += ["http.host=0.0.0.0", f"http.port={http.get('port', 8080)}",
              f"http.consumer.enabled={components.text(consumer.get('enabled', True))}",
              f"http.timeoutSeconds={consumer.get('timeoutSeconds', -1)}",
              f"http.producer.enabled={components.text(producer.get('enabled', True))}"]
    lines += [f"{key}={components.text(value)}" for key, value in sorted((spec.get("config") or {}).items())]
    return "\n".join(lines) + "\n"


class Bridge(Assembly):
    """Reconciles KafkaBridges."""

    kind = "KafkaBridge"

    def create_or_update(self, prefix: str, resource: Object, new_status: Object, conditions: list[Object]) -> None:
        spec, name, namespace = resource["spec"], resource["metadata"]["name"], resource["metadata"]["namespace"]
        component = Component(resource, "kafka-bridge", f"{name}-bridge")
        if not spec.get("http"):
            raise InvalidResourceException("The HTTP configuration for the bridge is not specified.")
        port = spec["http"].get("port", 8080)
        new_status |= {"replicas": spec["replicas"], "labelSelector": component.selector_text}
        if spec["replicas"]:
            new_status["url"] = f"http://{name}-bridge-service.{namespace}.svc:{port}"
        components.require_plain_listeners("KafkaBridge.spec", spec)
        components.require_plain_listeners("KafkaBridge.spec.http", spec["http"])
        ports = [("rest-api", port), MANAGEMENT]
        service = component.service(f"{name}-bridge-service", ports)
        service["metadata"]["labels"] = component.labels | {"strimzi.io/discovery": "true"}
        service["metadata"]["annotations"] = {"strimzi.io/discovery": json.dumps(
            [{"port": number, "tls": False, "auth": "none", "protocol": "http"} for _port, number in ports],
            indent=2)}
        config = properties(name, spec)
        for obj in (component.service_account(), service, component.disruption_budget({"maxUnavailable": 1}),
                    component.config_map(f"{name}-bridge-config", {"application.properties": config,
                                                                   "log4j2.properties": broker.LOGGING})):
            self.kube.apply(obj)
        self.kube.apply(self._deployment(component, ports, broker.digest(config)))
        if spec["replicas"]:
            Waiter(self.kube, prefix, namespace).wait_for_deployment(component.full_name)

    @staticmethod
    def _deployment(component: Component, ports: list[tuple[str, int]], config_hash: str) -> Object:
        spec = component.spec
        container = components.container({
            "name": component.full_name,
            "image": spec.get("image") or os.environ.get("STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE",
                                                         "quay.io/strimzi/kafka-bridge:latest"),
            "args": ["/opt/strimzi/bin/docker/kafka_bridge_run.sh"],
            # The environment for jvmOptions is set as by Strimzi, but there is no JVM here.
            "env": [*components.env({"STRIMZI_GC_LOG_ENABLED": False}),
                    *components.jvm_env(spec.get("jvmOptions"), spec.get("resources"), 75)],
            "ports": components.container_ports(ports),
            "livenessProbe": components.http_probe("/healthy", MANAGEMENT[0], 15, spec.get("livenessProbe")),
            "readinessProbe": components.http_probe("/ready", MANAGEMENT[0], 15, spec.get("readinessProbe")),
            "volumeMounts": [resources.API_ACCESS_MOUNT, {"name": "strimzi-tmp", "mountPath": "/tmp"},
                             {"name": "kafka-bridge-configurations", "mountPath": CONFIG}],
        }, spec.get("resources"), component.template("bridgeContainer"))
        volumes = [resources.API_ACCESS,
                   {"name": "strimzi-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "5Mi"}},
                   {"name": "kafka-bridge-configurations", "configMap": {"name": f"{component.name}-bridge-config"}}]
        return component.deployment([container], volumes, {"strimzi.io/auth-hash": "0",
                                                           "strimzi.io/configuration-hash": config_hash},
                                    spec["replicas"])
