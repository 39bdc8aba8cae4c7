"""What belongs to every component beside Kafka: names, labels, services, probes, heap."""
from __future__ import annotations

import re
from dataclasses import dataclass

from . import resources
from .failure import InvalidResourceException
from .kube import Object

# Labels of a custom resource that are not handed on to what is made of it.
NOT_HANDED_ON = re.compile(r"^(app\.kubernetes\.io/(?!part-of).*|kustomize\.toolkit\.fluxcd\.io.*)")


@dataclass
class Component:
    """A custom resource, the type of what it asks for, and the name of that."""

    resource: Object
    type: str
    full: str
    # What asks for it, where that is a part of the resource's spec.
    part: Object | None = None

    @property
    def name(self) -> str:
        return self.resource["metadata"]["name"]

    @property
    def namespace(self) -> str:
        return self.resource["metadata"]["namespace"]

    @property
    def spec(self) -> Object:
        return self.resource["spec"] if self.part is None else self.part

    @property
    def labels(self) -> Object:
        handed_on = {key: value for key, value in (self.resource["metadata"].get("labels") or {}).items()
                     if not NOT_HANDED_ON.match(key)}
        return handed_on | resources.labels(self.name, self.resource["kind"], self.type, self.full)

    @property
    def selector(self) -> Object:
        return resources.selector(self.labels)

    @property
    def selector_text(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.selector.items())

    def template(self, part: str) -> Object:
        """A part of `template`, such as `pod`."""
        return (self.spec.get("template") or {}).get(part) or {}

    def owned(self, obj: Object) -> Object:
        """The same object, labelled, in the resource's namespace, to be collected when the resource is deleted."""
        obj["metadata"] |= {"namespace": self.namespace, "ownerReferences": [resources.owner(self.resource)]}
        obj["metadata"].setdefault("labels", self.labels)
        return obj

    def service_account(self) -> Object:
        return self.owned({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.full}})

    def service(self, name: str, ports: list[tuple[str, int]], more: Object | None = None) -> Object:
        """A service; its ports are named as the container's."""
        listed = [{"name": port, "port": number, "targetPort": port, "protocol": "TCP"} for port, number in ports]
        spec = {"type": "ClusterIP", "selector": self.selector, "ports": listed} | (more or {})
        return self.owned({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})

    def headless(self, name: str, ports: list[tuple[str, int]]) -> Object:
        return self.service(name, ports, {"clusterIP": "None", "publishNotReadyAddresses": True})

    def disruption_budget(self, budget: Object) -> Object:
        return self.owned({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": self.full},
                           "spec": budget | {"selector": {"matchLabels": self.selector}}})

    def network_policy(self, rules: list[Object]) -> Object:
        return self.owned({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                           "metadata": {"name": self.full}, "spec": resources.policy_spec(self.selector, rules)})

    def config_map(self, name: str, data: dict[str, str]) -> Object:
        return self.owned({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})

    def deployment(self, containers: list[Object], volumes: list[Object], annotations: Object,
                   replicas: int = 1) -> Object:
        """A Deployment of one pod template, with what `template.pod` says."""
        pod = self.template("pod")
        own = pod.get("metadata") or {}
        body = {"automountServiceAccountToken": False, "serviceAccountName": self.full, "containers": containers,
                "volumes": volumes + (pod.get("volumes") or []),
                "terminationGracePeriodSeconds": 30} | resources.pod_options(pod)
        return self.owned({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": self.full},
            "spec": {"replicas": replicas, "selector": {"matchLabels": self.selector},
                     "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                     "template": {"metadata": {"labels": self.labels | (own.get("labels") or {}),
                                               "annotations": annotations | (own.get("annotations") or {})},
                                  "spec": body}}})


def env(pairs: dict[str, object]) -> list[Object]:
    return [{"name": name, "value": text(value)} for name, value in pairs.items()]


def container_ports(pairs: list[tuple[str, int]]) -> list[Object]:
    return [{"name": name, "containerPort": number, "protocol": "TCP"} for name, number in pairs]


def container(own: Object, wanted: Object | None, template: Object) -> Object:
    """A container with what all have in common: its resources, and what its part of `template` adds."""
    made = own | {"imagePullPolicy": "IfNotPresent", "resources": wanted or {},
                  "env": own["env"] + (template.get("env") or []),
                  "volumeMounts": own["volumeMounts"] + (template.get("volumeMounts") or [])}
    return made | {key: template[key] for key in ("securityContext",) if template.get(key)}


def java(options: Object | None, wanted: Object | None, percentage: int, most: int = 0) -> list[Object]:
    """jvmOptions and resources as the variables of Kafka's scripts: the heap, flags, system properties."""
    options, wanted = options or {}, wanted or {}
    memory = (wanted.get("requests") or {}).get("memory") or (wanted.get("limits") or {}).get("memory")
    heap = [f"{flag}{options[flag]}" for flag in ("-Xms", "-Xmx") if options.get(flag)]
    made: dict[str, object] = {}
    if "-Xmx" not in options:
        if memory:
            made["STRIMZI_DYNAMIC_HEAP_PERCENTAGE"] = percentage
            if most:
                made["STRIMZI_DYNAMIC_HEAP_MAX"] = most
        elif "-Xms" not in options:
            heap.append("-Xms128M")
    if heap:
        made["KAFKA_HEAP_OPTS"] = " ".join(heap)
    flags = []
    for flag, value in (options.get("-XX") or {}).items():
        text = str(value).lower()
        flags.append(f"-XX:{'+' if text == 'true' else '-'}{flag}" if text in ("true", "false")
                     else f"-XX:{flag}={value}")
    if flags:
        made["KAFKA_JVM_PERFORMANCE_OPTS"] = " ".join(flags)
    properties = [f"-D{p['name']}={p['value']}" for p in options.get("javaSystemProperties") or []]
    if properties:
        made["STRIMZI_JAVA_SYSTEM_PROPERTIES"] = " ".join(properties)
    return env(made)


def http_probe(path: str, port: str, delay: int, own: Object | None, timeout: int = 5) -> Object:
    return {"httpGet": {"path": path, "port": port}, "initialDelaySeconds": delay,
            "timeoutSeconds": timeout} | (own or {})


def user_config(config: Object | None, forbidden: tuple[str, ...], defaults: Object) -> dict[str, str]:
    """The options of a `config` that count, over what the operator sets unless told otherwise."""
    excepted = ("ssl.endpoint.identification.algorithm", "ssl.cipher.suites", "ssl.protocol", "ssl.enabled.protocols")
    given = {key: text(value) for key, value in (config or {}).items()
             if key in excepted or not key.startswith(forbidden)}
    return dict(sorted((defaults | given).items()))


def text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def plain_only(where: str, cluster: Object) -> None:
    """The stand-in's own limit, said loudly: its components have no certificates and no passwords."""
    for field in ("tls", "authentication"):
        if cluster.get(field):
            raise InvalidResourceException(f"{where}.{field}: the stand-in's components use plain listeners only")
