"""The small resources round a cluster, and what several pods have in common."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import certs, log
from .kube import Kube, Object

API_ACCESS: Object = {"name": "kube-api-access", "projected": {"sources": [
    {"serviceAccountToken": {"path": "token"}},
    {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}}]}}
API_ACCESS_MOUNT: Object = {"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
                            "name": "kube-api-access", "readOnly": True}
POD_OPTIONS = ("affinity", "dnsConfig", "dnsPolicy", "enableServiceLinks", "hostAliases", "hostUsers",
               "imagePullSecrets", "priorityClassName", "schedulerName", "securityContext",
               "terminationGracePeriodSeconds", "tolerations", "topologySpreadConstraints")

# The stand-in's own mark: which names a certificate is good for.
NAMES = "kstrim.ground/names"


@dataclass
class Cluster:
    """A Kafka resource, its cluster id and what is derived from both."""

    kafka: Object
    cluster_id: str
    ca_cert: str = ""
    ca_key: str = ""
    clients_ca_cert: str = ""

    @property
    def name(self) -> str:
        return self.kafka["metadata"]["name"]

    @property
    def namespace(self) -> str:
        return self.kafka["metadata"]["namespace"]

    @property
    def listeners(self) -> list[Object]:
        return self.kafka["spec"]["kafka"]["listeners"]

    def labels(self, component: str) -> Object:
        return labels(self.name, "Kafka", component, f"{self.name}-{component}")

    def owned(self, obj: Object) -> Object:
        """The same object in the cluster's namespace, to be collected when the Kafka resource is deleted."""
        obj["metadata"]["namespace"] = self.namespace
        obj["metadata"]["ownerReferences"] = [owner(self.kafka)]
        return obj

    def made(self, api: str, kind: str, component: str, name: str = "", **body: Any) -> Object:
        """An object of a component, labelled and owned; it has the component's name unless it has one of its own."""
        metadata = {"name": name or f"{self.name}-{component}", "labels": self.labels(component)}
        return self.owned({"apiVersion": api, "kind": kind, "metadata": metadata} | body)


def labels(cluster: str, kind: str, component: str, name: str) -> Object:
    """The labels of what is made of a custom resource."""
    return {
        "app.kubernetes.io/instance": cluster,
        "app.kubernetes.io/managed-by": "strimzi-cluster-operator",
        "app.kubernetes.io/name": component,
        "app.kubernetes.io/part-of": f"strimzi-{cluster}",
        "strimzi.io/cluster": cluster,
        "strimzi.io/component-type": component,
        "strimzi.io/kind": kind,
        "strimzi.io/name": name,
    }


def selector(labels: Object, *more: str) -> Object:
    """Of these labels, those by which what they are on is selected."""
    return {f"strimzi.io/{key}": labels[f"strimzi.io/{key}"] for key in ("cluster", "name", "kind", *more)}


def owner(obj: Object, controller: bool = False, block: bool = False) -> Object:
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"],
            "uid": obj["metadata"]["uid"], "controller": controller, "blockOwnerDeletion": block}


def probe(action: Object, delay: int, own: Object | None) -> Object:
    """A probe with the real operator's defaults, and what the resource says otherwise."""
    return action | {"initialDelaySeconds": delay, "timeoutSeconds": 5} | (own or {})


def pod_options(template: Object) -> Object:
    """The parts of a `template.pod` that are parts of a pod's spec."""
    return {key: template[key] for key in POD_OPTIONS if key in template}


def port_name(listener: Object) -> str:
    """tcp-clients and tcp-clientstls are names from before listeners had names."""
    if listener["name"] == "plain" and listener["port"] == 9092:
        return "tcp-clients"
    if listener["name"] == "tls" and listener["port"] == 9093:
        return "tcp-clientstls"
    return f"tcp-{listener['name']}"


def _ports(pairs: list[tuple[str, int]]) -> list[Object]:
    return [{"name": name, "port": port, "protocol": "TCP", "targetPort": port} for name, port in pairs]


def services(cluster: Cluster) -> list[Object]:
    chosen = selector(cluster.labels("kafka"))
    clients = [(port_name(listener), listener["port"]) for listener in cluster.listeners]
    bootstrap = {"type": "ClusterIP", "selector": chosen | {"strimzi.io/broker-role": "true"},
                 "ports": _ports([("tcp-replication", 9091), *clients])}
    brokers = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": chosen,
               "ports": _ports([("tcp-ctrlplane", 9090), ("tcp-replication", 9091),
                                ("tcp-kafkaagent", 8443), *clients])}
    return [cluster.made("v1", "Service", "kafka", f"{cluster.name}-kafka-{suffix}", spec=spec)
            for suffix, spec in (("bootstrap", bootstrap), ("brokers", brokers))]


def service_account(cluster: Cluster, component: str) -> Object:
    return cluster.made("v1", "ServiceAccount", component)


def disruption_budget(cluster: Cluster, component: str) -> Object:
    return cluster.made("policy/v1", "PodDisruptionBudget", component, spec={
        "maxUnavailable": 1, "selector": {"matchLabels": selector(cluster.labels(component))}})


def peer(**labels: str) -> Object:
    """Pods of the namespace that a NetworkPolicy lets in, by their `strimzi.io/` labels."""
    return {"podSelector": {"matchLabels": {f"strimzi.io/{key}": value for key, value in labels.items()}}}


def ingress(port: int, *peers: Object) -> Object:
    """A rule of a NetworkPolicy: who may come to a port; everybody where nobody is named."""
    rule: Object = {"ports": [{"port": port, "protocol": "TCP"}]}
    return rule | {"from": list(peers)} if peers else rule


def policy_spec(chosen: Object, rules: list[Object]) -> Object:
    return {"podSelector": {"matchLabels": chosen}, "policyTypes": ["Ingress"], "ingress": rules}


CLUSTER_OPERATOR = peer(kind="cluster-operator")


def _policy(cluster: Cluster, component: str, rules: list[Object], name: str = "") -> Object:
    return cluster.made("networking.k8s.io/v1", "NetworkPolicy", component, name,
                        spec=policy_spec(selector(cluster.labels(component)), rules))


def kafka_policy(cluster: Cluster, metrics_ports: list[int]) -> Object:
    """Who may come to the brokers: clients to every listener, Strimzi's own pods to the inner ports."""
    name = cluster.name
    brokers = peer(cluster=name, kind="Kafka", name=f"{name}-kafka")
    others = [peer(name=f"{name}-{own}") for own in ("entity-operator", "kafka-exporter", "cruise-control")]
    rules = [ingress(9090, brokers, CLUSTER_OPERATOR), ingress(9091, CLUSTER_OPERATOR, brokers, *others),
             ingress(8443, CLUSTER_OPERATOR), *(ingress(listener["port"]) for listener in cluster.listeners),
             *map(ingress, metrics_ports)]
    return _policy(cluster, "kafka", rules, f"{name}-network-policy-kafka")


def entity_policy(cluster: Cluster) -> Object:
    """The entity operator is asked for its health alone."""
    return _policy(cluster, "entity-operator", [ingress(8080), ingress(8081)])


def _role(cluster: Cluster, component: str, rules: list[Object], *bindings: str) -> list[Object]:
    """A role of a component's service account, with its bindings."""
    group, name = "rbac.authorization.k8s.io", f"{cluster.name}-{component}"
    granted = {"subjects": [{"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace}],
               "roleRef": {"apiGroup": group, "kind": "Role", "name": name}}
    return [cluster.made(f"{group}/v1", "Role", component, rules=rules),
            *(cluster.made(f"{group}/v1", "RoleBinding", component, binding, **granted) for binding in bindings)]


def kafka_role(cluster: Cluster, pods: list[str]) -> list[Object]:
    """What the brokers read through the API: the certificates that they trust, and their own."""
    secrets = [f"{cluster.name}-cluster-ca-cert", f"{cluster.name}-trustbundle", *pods]
    rules = [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": secrets, "verbs": ["get"]}]
    return _role(cluster, "kafka", rules, f"{cluster.name}-kafka-role")


def entity_role(cluster: Cluster) -> list[Object]:
    """What the install's ClusterRole strimzi-entity-operator allows, in the cluster's namespace, to the entity operator.

    The API server lets the operator grant only what it holds itself, as it does the real one.
    """
    group = "kafka.strimzi.io"
    write = ["get", "list", "watch", "create", "patch", "update"]
    rules = [
        {"apiGroups": [group], "resources": ["kafkatopics"], "verbs": [*write, "delete"]},
        {"apiGroups": [group], "resources": ["kafkausers"], "verbs": write},
        {"apiGroups": [group], "resources": ["kafkatopics/status", "kafkausers/status"],
         "verbs": ["get", "patch", "update"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": [*write, "delete"]},
    ]
    return _role(cluster, "entity-operator", rules,
                 *(f"{cluster.name}-entity-{operator}-operator-role" for operator in ("topic", "user")))


def secret(cluster: Cluster, name: str, data: dict[str, str | bytes], component: str = "kafka") -> Object:
    made = cluster.made("v1", "Secret", component, name, type="Opaque",
                        data={key: certs.encode(value) for key, value in data.items()})
    made["metadata"]["annotations"] = {"strimzi.io/ca-cert-generation": "0"}
    return made


def authorities(kube: Kube, cluster: Cluster, prefix: str) -> None:
    """Both authorities in their secrets, made once."""
    for kind in ("cluster", "clients"):
        base = f"{cluster.name}-{kind}-ca"
        had_cert = kube.get("Secret", cluster.namespace, f"{base}-cert")
        had_key = kube.get("Secret", cluster.namespace, base)
        if had_cert and had_key:
            cert, key = certs.decode(had_cert["data"]["ca.crt"]), certs.decode(had_key["data"]["ca.key"])
        else:
            log.info("InternalCa:676", f"{prefix}Generating CA with subject=Subject(organizationName='io.strimzi', "
                     f"commonName='{kind}-ca v0', dnsNames=[], ipAddresses=[])")
            cert, key = certs.authority(f"{kind}-ca v0")
            password = certs.password()
            kube.apply(secret(cluster, f"{base}-cert", {
                "ca.crt": cert, "ca.p12": certs.truststore(cert, password), "ca.password": password},
                "certificate-authority"))
            kube.apply(secret(cluster, base, {"ca.key": key}, "certificate-authority"))
        if kind == "cluster":
            cluster.ca_cert, cluster.ca_key = cert, key
        else:
            cluster.clients_ca_cert = cert
    bundle = secret(cluster, f"{cluster.name}-trustbundle", {
        "cluster-ca.crt": cluster.ca_cert, "clients-ca.crt": cluster.clients_ca_cert}, "trust-bundle")
    bundle["metadata"]["labels"]["strimzi.io/name"] = "strimzi"
    bundle["metadata"]["annotations"] = {f"strimzi.io/{kind}-ca-cert-generation": "0" for kind in ("cluster", "clients")}
    kube.apply(bundle)


def certificate(kube: Kube, cluster: Cluster, name: str, common: str, stem: str,
                hosts: list[str] | None = None, component: str = "kafka") -> None:
    """A secret with a certificate signed by the cluster's authority, made again when its names change."""
    found = kube.get("Secret", cluster.namespace, name)
    names = ",".join(hosts or [])
    if found is not None and (found["metadata"].get("annotations") or {}).get(NAMES) == names:
        return
    cert, key = certs.signed(common, cluster.ca_cert, cluster.ca_key, hosts or [])
    made = secret(cluster, name, {f"{stem}.crt": cert, f"{stem}.key": key, "server.pem": key + cert,
                                  # The real broker reads it from the clients' authority's own secret.
                                  "clients-ca.crt": cluster.clients_ca_cert}, component)
    made["metadata"]["annotations"][NAMES] = names
    kube.apply(made)
