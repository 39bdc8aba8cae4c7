"""Manifests that the parts of a Kafka cluster have in common, and its certificates."""
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

# An annotation of the stand-in: the subject alternative names of a certificate.
NAMES_ANNOTATION = "kstrim.ground/names"


@dataclass
class Cluster:
    """A Kafka resource with its cluster id and its certificate authorities."""

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

    def set_owner(self, obj: Object) -> Object:
        """Set the namespace and owner of an object, so that it is deleted with the Kafka resource."""
        obj["metadata"]["namespace"] = self.namespace
        obj["metadata"]["ownerReferences"] = [owner_reference(self.kafka)]
        return obj

    def new_object(self, api: str, kind: str, component: str, name: str = "", **body: Any) -> Object:
        """Return an object of a component with labels and owner. Its name is the component's by default."""
        metadata = {"name": name or f"{self.name}-{component}", "labels": self.labels(component)}
        return self.set_owner({"apiVersion": api, "kind": kind, "metadata": metadata} | body)


def labels(cluster: str, kind: str, component: str, name: str) -> Object:
    """Return the labels of the objects of a custom resource."""
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


def selector(labels: Object, *extra: str) -> Object:
    """Return those of the labels that a selector uses."""
    return {f"strimzi.io/{key}": labels[f"strimzi.io/{key}"] for key in ("cluster", "name", "kind", *extra)}


def owner_reference(obj: Object, controller: bool = False, block: bool = False) -> Object:
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "name": obj["metadata"]["name"],
            "uid": obj["metadata"]["uid"], "controller": controller, "blockOwnerDeletion": block}


def probe(action: Object, delay: int, overrides: Object | None) -> Object:
    """Return a probe with Strimzi's defaults, overridden by the resource's options."""
    return action | {"initialDelaySeconds": delay, "timeoutSeconds": 5} | (overrides or {})


def pod_options(template: Object) -> Object:
    """Return the options of a `template.pod` that belong in a pod's spec."""
    return {key: template[key] for key in POD_OPTIONS if key in template}


def port_name(listener: Object) -> str:
    """Return the name of a listener's port. Strimzi keeps two names from releases whose listeners had no names."""
    if listener["name"] == "plain" and listener["port"] == 9092:
        return "tcp-clients"
    if listener["name"] == "tls" and listener["port"] == 9093:
        return "tcp-clientstls"
    return f"tcp-{listener['name']}"


def _ports(pairs: list[tuple[str, int]]) -> list[Object]:
    return [{"name": name, "port": port, "protocol": "TCP", "targetPort": port} for name, port in pairs]


def services(cluster: Cluster) -> list[Object]:
    pod_selector = selector(cluster.labels("kafka"))
    clients = [(port_name(listener), listener["port"]) for listener in cluster.listeners]
    bootstrap = {"type": "ClusterIP", "selector": pod_selector | {"strimzi.io/broker-role": "true"},
                 "ports": _ports([("tcp-replication", 9091), *clients])}
    brokers = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": pod_selector,
               "ports": _ports([("tcp-ctrlplane", 9090), ("tcp-replication", 9091),
                                ("tcp-kafkaagent", 8443), *clients])}
    return [cluster.new_object("v1", "Service", "kafka", f"{cluster.name}-kafka-{suffix}", spec=spec)
            for suffix, spec in (("bootstrap", bootstrap), ("brokers", brokers))]


def service_account(cluster: Cluster, component: str) -> Object:
    return cluster.new_object("v1", "ServiceAccount", component)


def disruption_budget(cluster: Cluster, component: str) -> Object:
    return cluster.new_object("policy/v1", "PodDisruptionBudget", component, spec={
        "maxUnavailable": 1, "selector": {"matchLabels": selector(cluster.labels(component))}})


def peer(**labels: str) -> Object:
    """Return a NetworkPolicy peer: pods in the namespace with these `strimzi.io/` labels."""
    return {"podSelector": {"matchLabels": {f"strimzi.io/{key}": value for key, value in labels.items()}}}


def ingress_rule(port: int, *peers: Object) -> Object:
    """Return an ingress rule that allows traffic to a port from the peers, or from everywhere."""
    rule: Object = {"ports": [{"port": port, "protocol": "TCP"}]}
    return rule | {"from": list(peers)} if peers else rule


def policy_spec(pod_selector: Object, rules: list[Object]) -> Object:
    return {"podSelector": {"matchLabels": pod_selector}, "policyTypes": ["Ingress"], "ingress": rules}


CLUSTER_OPERATOR = peer(kind="cluster-operator")


def _network_policy(cluster: Cluster, component: str, rules: list[Object], name: str = "") -> Object:
    return cluster.new_object("networking.k8s.io/v1", "NetworkPolicy", component, name,
                              spec=policy_spec(selector(cluster.labels(component)), rules))


def kafka_network_policy(cluster: Cluster, metrics_ports: list[int]) -> Object:
    """Allow clients to connect to every listener, and only Strimzi's pods to the internal ports."""
    name = cluster.name
    brokers = peer(cluster=name, kind="Kafka", name=f"{name}-kafka")
    others = [peer(name=f"{name}-{suffix}") for suffix in ("entity-operator", "kafka-exporter", "cruise-control")]
    rules = [ingress_rule(9090, brokers, CLUSTER_OPERATOR), ingress_rule(9091, CLUSTER_OPERATOR, brokers, *others),
             ingress_rule(8443, CLUSTER_OPERATOR),
             *(ingress_rule(listener["port"]) for listener in cluster.listeners),
             *map(ingress_rule, metrics_ports)]
    return _network_policy(cluster, "kafka", rules, f"{name}-network-policy-kafka")


def entity_network_policy(cluster: Cluster) -> Object:
    """Allow connections only to the health check ports."""
    return _network_policy(cluster, "entity-operator", [ingress_rule(8080), ingress_rule(8081)])


def _role(cluster: Cluster, component: str, rules: list[Object], *bindings: str) -> list[Object]:
    """Return the Role of a component's service account and its RoleBindings."""
    group, name = "rbac.authorization.k8s.io", f"{cluster.name}-{component}"
    binding_fields = {"subjects": [{"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace}],
                      "roleRef": {"apiGroup": group, "kind": "Role", "name": name}}
    return [cluster.new_object(f"{group}/v1", "Role", component, rules=rules),
            *(cluster.new_object(f"{group}/v1", "RoleBinding", component, binding, **binding_fields)
              for binding in bindings)]


def kafka_role(cluster: Cluster, pods: list[str]) -> list[Object]:
    """Return the Role with which the brokers read certificates through the API: the trusted ones and their own."""
    secrets = [f"{cluster.name}-cluster-ca-cert", f"{cluster.name}-trustbundle", *pods]
    rules = [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": secrets, "verbs": ["get"]}]
    return _role(cluster, "kafka", rules, f"{cluster.name}-kafka-role")


def entity_role(cluster: Cluster) -> list[Object]:
    """Return the entity operator's Role, with the rules of the manifest's ClusterRole strimzi-entity-operator.

    The API server allows the operator to grant only permissions that it has itself, as with Strimzi's operator.
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
    obj = cluster.new_object("v1", "Secret", component, name, type="Opaque",
                             data={key: certs.encode(value) for key, value in data.items()})
    obj["metadata"]["annotations"] = {"strimzi.io/ca-cert-generation": "0"}
    return obj


def reconcile_generated_secret(kube: Kube, cluster: Cluster, name: str, data: dict[str, str | bytes],
                               component: str) -> None:
    """Create a Secret with generated data if it does not exist."""
    found = kube.get("Secret", cluster.namespace, name)
    if found is not None:
        kube.set_owners(found, [owner_reference(cluster.kafka)])
    else:
        kube.apply(secret(cluster, name, data, component))


def reconcile_authorities(kube: Kube, cluster: Cluster, prefix: str) -> None:
    """Create the Secrets of the cluster CA and of the clients CA if they do not exist."""
    for kind in ("cluster", "clients"):
        base = f"{cluster.name}-{kind}-ca"
        cert_secret = kube.get("Secret", cluster.namespace, f"{base}-cert")
        key_secret = kube.get("Secret", cluster.namespace, base)
        if cert_secret and key_secret:
            for found in (cert_secret, key_secret):
                kube.set_owners(found, [owner_reference(cluster.kafka)])
            cert, key = certs.decode(cert_secret["data"]["ca.crt"]), certs.decode(key_secret["data"]["ca.key"])
        else:
            log.info("InternalCa:676", f"{prefix}Generating CA with subject=Subject(organizationName='io.strimzi', "
                     f"commonName='{kind}-ca v0', dnsNames=[], ipAddresses=[])")
            cert, key = certs.create_authority(f"{kind}-ca v0")
            password = certs.generate_password()
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
    bundle["metadata"]["annotations"] = {f"strimzi.io/{kind}-ca-cert-generation": "0"
                                         for kind in ("cluster", "clients")}
    kube.apply(bundle)


def reconcile_certificate(kube: Kube, cluster: Cluster, name: str, common_name: str, stem: str,
                          hosts: list[str] | None = None, component: str = "kafka") -> None:
    """Create a Secret with a certificate signed by the cluster CA. Replace it if the alternative names change."""
    found = kube.get("Secret", cluster.namespace, name)
    names = ",".join(hosts or [])
    if found is not None and (found["metadata"].get("annotations") or {}).get(NAMES_ANNOTATION) == names:
        kube.set_owners(found, [owner_reference(cluster.kafka)])
        return
    cert, key = certs.sign_certificate(common_name, cluster.ca_cert, cluster.ca_key, hosts or [])
    new_secret = secret(cluster, name, {f"{stem}.crt": cert, f"{stem}.key": key, "server.pem": key + cert,
                                        # Strimzi's broker reads it from the Secret of the clients CA.
                                        "clients-ca.crt": cluster.clients_ca_cert}, component)
    new_secret["metadata"]["annotations"][NAMES_ANNOTATION] = names
    kube.apply(new_secret)
