"""KafkaBridge: a Deployment of the bridge, and its service."""
from __future__ import annotations

import json
import os

from . import broker, component, resources
from .assembly import Assembly
from .component import Component
from .failure import InvalidResourceException
from .kube import Object
from .roller import Waiter

MANAGEMENT = ("rest-api-mgmt", 8081)
CONFIG = "/opt/strimzi/custom-config/"


def properties(name: str, spec: Object) -> str:
    """application.properties."""
    http, producer, consumer = spec["http"], spec.get("producer") or {}, spec.get("consumer") or {}
    lines = [f"bridge.id={name}", f"kafka.bootstrap.servers={spec['bootstrapServers']}",
             "kafka.security.protocol=PLAINTEXT"]
    lines += ["http.host=0.0.0.0", f"http.port={http.get('port', 8080)}",
              f"http.consumer.enabled={component.text(consumer.get('enabled', True))}",
              f"http.timeoutSeconds={consumer.get('timeoutSeconds', -1)}",
              f"http.producer.enabled={component.text(producer.get('enabled', True))}"]
    lines += [f"{key}={component.text(value)}" for key, value in sorted((spec.get("config") or {}).items())]
    return "\n".join(lines) + "\n"


class Bridge(Assembly):
    """Reconciles KafkaBridges."""

    kind = "KafkaBridge"

    def attempt(self, prefix: str, resource: Object, made: Object, conditions: list[Object]) -> None:
        spec, name, namespace = resource["spec"], resource["metadata"]["name"], resource["metadata"]["namespace"]
        own = Component(resource, "kafka-bridge", f"{name}-bridge")
        if not spec.get("http"):
            raise InvalidResourceException("The HTTP configuration for the bridge is not specified.")
        port = spec["http"].get("port", 8080)
        made |= {"replicas": spec["replicas"], "labelSelector": own.selector_text}
        if spec["replicas"]:
            made["url"] = f"http://{name}-bridge-service.{namespace}.svc:{port}"
        component.plain_only("KafkaBridge.spec", spec)
        component.plain_only("KafkaBridge.spec.http", spec["http"])
        ports = [("rest-api", port), MANAGEMENT]
        service = own.service(f"{name}-bridge-service", ports)
        service["metadata"]["labels"] = own.labels | {"strimzi.io/discovery": "true"}
        service["metadata"]["annotations"] = {"strimzi.io/discovery": json.dumps(
            [{"port": number, "tls": False, "auth": "none", "protocol": "http"} for _port, number in ports], indent=2)}
        config = properties(name, spec)
        for part in (own.service_account(), service, own.disruption_budget({"maxUnavailable": 1}),
                     own.config_map(f"{name}-bridge-config", {"application.properties": config,
                                                              "log4j2.properties": broker.LOGGING})):
            self.kube.apply(part)
        self.kube.apply(self._deployment(own, ports, broker.digest(config)))
        if spec["replicas"]:
            Waiter(self.kube, prefix, namespace).deployment(own.full)

    @staticmethod
    def _deployment(own: Component, ports: list[tuple[str, int]], configuration: str) -> Object:
        spec = own.spec
        container = component.container({
            "name": own.full,
            "image": spec.get("image") or os.environ.get("STRIMZI_DEFAULT_KAFKA_BRIDGE_IMAGE",
                                                         "quay.io/strimzi/kafka-bridge:latest"),
            "args": ["/opt/strimzi/bin/docker/kafka_bridge_run.sh"],
            # jvmOptions are carried as the real pod carries them; there is no JVM here.
            "env": [*component.env({"STRIMZI_GC_LOG_ENABLED": False}),
                    *component.java(spec.get("jvmOptions"), spec.get("resources"), 75)],
            "ports": component.container_ports(ports),
            "livenessProbe": component.http_probe("/healthy", MANAGEMENT[0], 15, spec.get("livenessProbe")),
            "readinessProbe": component.http_probe("/ready", MANAGEMENT[0], 15, spec.get("readinessProbe")),
            "volumeMounts": [resources.API_ACCESS_MOUNT, {"name": "strimzi-tmp", "mountPath": "/tmp"},
                             {"name": "kafka-bridge-configurations", "mountPath": CONFIG}],
        }, spec.get("resources"), own.template("bridgeContainer"))
        volumes = [resources.API_ACCESS,
                   {"name": "strimzi-tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "5Mi"}},
                   {"name": "kafka-bridge-configurations", "configMap": {"name": f"{own.name}-bridge-config"}}]
        return own.deployment([container], volumes, {"strimzi.io/auth-hash": "0",
                                                     "strimzi.io/configuration-hash": configuration},
                              spec["replicas"])
