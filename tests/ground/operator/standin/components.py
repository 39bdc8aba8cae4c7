"""Manifests that all components have in common: labels, Services, Deployments, containers, probes, JVM options."""
from __future__ import annotations

import re
from dataclasses import dataclass

from . import resources
from .failure import InvalidResourceException
from .kube import Object

# Labels of a custom resource that its objects do not inherit.
NOT_INHERITED = re.compile(r"^(app\.kubernetes\.io/(?!part-of).*|kustomize\.toolkit\.fluxcd\.io.*)")


@dataclass
class Component:
    """A component that a custom resource defines: its type and the full name of its objects."""

    resource: Object
    type: str
    full_name: str
    # The component's spec, if it is a part of the resource's spec.
    own_spec: Object | None = None

    @property
    def name(self) -> str:
        return self.resource["metadata"]["name"]

    @property
    def namespace(self) -> str:
        return self.resource["metadata"]["namespace"]

    @property
    def spec(self) -> Object:
        return self.resource["spec"] if self.own_spec is None else self.own_spec

    @property
    def labels(self) -> Object:
        inherited = {key: value for key, value in (self.resource["metadata"].get("labels") or {}).items()
                     if not NOT_INHERITED.match(key)}
        return inherited | resources.labels(self.name, self.resource["kind"], self.type, self.full_name)

    @property
    def selector(self) -> Object:
        return resources.selector(self.labels)

    @property
    def selector_text(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.selector.items())

    def template(self, part: str) -> Object:
        """Return a part of `spec.template`, such as `pod`."""
        return (self.spec.get("template") or {}).get(part) or {}

    def set_owner(self, obj: Object) -> Object:
        """Set the namespace, labels and owner of an object, so that it is deleted with the resource."""
        obj["metadata"] |= {"namespace": self.namespace,
                            "ownerReferences": [resources.owner_reference(self.resource)]}
        obj["metadata"].setdefault("labels", self.labels)
        return obj

    def service_account(self) -> Object:
        return self.set_owner({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.full_name}})

    def service(self, name: str, ports: list[tuple[str, int]], extra_spec: Object | None = None) -> Object:
        """Return a Service. Its ports have the names of the container's ports."""
        service_ports = [{"name": port, "port": number, "targetPort": port, "protocol": "TCP"}
                         for port, number in ports]
        spec = {"type": "ClusterIP", "selector": self.selector, "ports": service_ports} | (extra_spec or {})
        return self.set_owner({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})

    def headless_service(self, name: str, ports: list[tuple[str, int]]) -> Object:
        return self.service(name, ports, {"clusterIP": "None", "publishNotReadyAddresses": True})

    def disruption_budget(self, budget: Object) -> Object:
        return self.set_owner({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                               "metadata": {"name": self.full_name},
                               "spec": budget | {"selector": {"matchLabels": self.selector}}})

    def network_policy(self, rules: list[Object]) -> Object:
        return self.set_owner({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                               "metadata": {"name": self.full_name},
                               "spec": resources.policy_spec(self.selector, rules)})

    def config_map(self, name: str, data: dict[str, str]) -> Object:
        return self.set_owner({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})

    def deployment(self, containers: list[Object], volumes: list[Object], annotations: Object,
                   replicas: int = 1) -> Object:
        """Return a Deployment with the pod options of `spec.template`."""
        pod = self.template("pod")
        metadata = pod.get("metadata") or {}
        pod_spec = {"automountServiceAccountToken": False, "serviceAccountName": self.full_name,
                    "containers": containers, "volumes": volumes + (pod.get("volumes") or []),
                    "terminationGracePeriodSeconds": 30} | resources.pod_options(pod)
        return self.set_owner({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": self.full_name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": self.selector},
                     "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                     "template": {"metadata": {"labels": self.labels | (metadata.get("labels") or {}),
                                               "annotations": annotations | (metadata.get("annotations") or {})},
                                  "spec": pod_spec}}})


def env(pairs: dict[str, object]) -> list[Object]:
    return [{"name": name, "value": text(value)} for name, value in pairs.items()]


def container_ports(pairs: list[tuple[str, int]]) -> list[Object]:
    return [{"name": name, "containerPort": number, "protocol": "TCP"} for name, number in pairs]


def container(base: Object, requirements: Object | None, template: Object) -> Object:
    """Complete a container: its pull policy, its resources, and the additions of its part of `spec.template`."""
    result = base | {"imagePullPolicy": "IfNotPresent", "resources": requirements or {},
                     "env": base["env"] + (template.get("env") or []),
                     "volumeMounts": base["volumeMounts"] + (template.get("volumeMounts") or [])}
    return result | {key: template[key] for key in ("securityContext",) if template.get(key)}


def jvm_env(options: Object | None, requirements: Object | None, percentage: int, maximum: int = 0) -> list[Object]:
    """Return the environment of Kafka's scripts for jvmOptions and resources: heap, flags and system properties."""
    options, requirements = options or {}, requirements or {}
    memory = (requirements.get("requests") or {}).get("memory") or (requirements.get("limits") or {}).get("memory")
    heap = [f"{flag}{options[flag]}" for flag in ("-Xms", "-Xmx") if options.get(flag)]
    variables: dict[str, object] = {}
    if "-Xmx" not in options:
        if memory:
            variables["STRIMZI_DYNAMIC_HEAP_PERCENTAGE"] = percentage
            if maximum:
                variables["STRIMZI_DYNAMIC_HEAP_MAX"] = maximum
        elif "-Xms" not in options:
            heap.append("-Xms128M")
    if heap:
        variables["KAFKA_HEAP_OPTS"] = " ".join(heap)
    flags = []
    for flag, value in (options.get("-XX") or {}).items():
        text = str(value).lower()
        flags.append(f"-XX:{'+' if text == 'true' else '-'}{flag}" if text in ("true", "false")
                     else f"-XX:{flag}={value}")
    if flags:
        variables["KAFKA_JVM_PERFORMANCE_OPTS"] = " ".join(flags)
    properties = [f"-D{p['name']}={p['value']}" for p in options.get("javaSystemProperties") or []]
    if properties:
        variables["STRIMZI_JAVA_SYSTEM_PROPERTIES"] = " ".join(properties)
    return env(variables)


def http_probe(path: str, port: str, delay: int, overrides: Object | None, timeout: int = 5) -> Object:
    return {"httpGet": {"path": path, "port": port}, "initialDelaySeconds": delay,
            "timeoutSeconds": timeout} | (overrides or {})


def user_config(config: Object | None, forbidden: tuple[str, ...], defaults: Object) -> dict[str, str]:
    """Return the defaults with the options of `config` that are not forbidden."""
    exceptions = ("ssl.endpoint.identification.algorithm", "ssl.cipher.suites", "ssl.protocol",
                  "ssl.enabled.protocols")
    options = {key: text(value) for key, value in (config or {}).items()
               if key in exceptions or not key.startswith(forbidden)}
    return dict(sorted((defaults | options).items()))


def text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def require_plain_listeners(path: str, cluster: Object) -> None:
    """Reject TLS and authentication: components of the stand-in support plain listeners only."""
    for field in ("tls", "authentication"):
        if cluster.get(field):
            raise InvalidResourceException(f"{path}.{field}: the stand-in's components use plain listeners only")
