"""Reconciles KafkaMirrorMaker2s: a Kafka Connect cluster whose connectors the operator creates."""
from __future__ import annotations

from . import components, connectors, log, validation
from .assembly import Assembly
from .components import Component
from .connect_cluster import FORBIDDEN_PREFIXES, PORT, ConnectCluster
from .connect_rest import ConnectRest
from .failure import NoStackTraceThrowable
from .kube import Object

BYTES_CONVERTER = "org.apache.kafka.connect.converters.ByteArrayConverter"
CONNECTORS = {"sourceConnector": "MirrorSourceConnector", "checkpointConnector": "MirrorCheckpointConnector"}
PATTERNS = {"topicsPattern": "topics", "topicsExcludePattern": "topics.exclude",
            "groupsPattern": "groups", "groupsExcludePattern": "groups.exclude"}


def _desired_connectors(spec: Object) -> dict[str, Object]:
    """Return the connectors of all mirrors: the name, and a spec like that of a KafkaConnector."""
    desired, target = {}, spec["target"]
    for mirror in spec["mirrors"]:
        source = mirror["source"]
        cluster_config: Object = {}
        for end, cluster in (("target", target), ("source", source)):
            cluster_config |= {f"{end}.cluster.alias": cluster["alias"],
                               f"{end}.cluster.bootstrap.servers": cluster["bootstrapServers"],
                               f"{end}.cluster.security.protocol": "PLAINTEXT"}
            cluster_config |= {f"{end}.cluster.{key}": value for key, value in (cluster.get("config") or {}).items()}
        for field, kind in CONNECTORS.items():
            if field in mirror:
                connector = mirror[field] or {}
                patterns = {option: mirror[name] for name, option in PATTERNS.items() if name in mirror}
                desired[f"{source['alias']}->{target['alias']}.{kind}"] = connector | {
                    "class": f"org.apache.kafka.connect.mirror.{kind}",
                    "config": cluster_config | (connector.get("config") or {}) | patterns}
    return desired


class MirrorMaker(Assembly):
    """Reconciles KafkaMirrorMaker2s."""

    kind = "KafkaMirrorMaker2"

    def create_or_update(self, prefix: str, resource: Object, new_status: Object, conditions: list[Object]) -> None:
        spec, name = resource["spec"], resource["metadata"]["name"]
        image = validation.image(spec, "STRIMZI_KAFKA_MIRROR_MAKER_2_IMAGES")
        component = Component(resource, "kafka-mirror-maker-2", f"{name}-mirrormaker2")
        aliases = ";".join(cluster["alias"] for cluster in (spec["target"], *(m["source"] for m in spec["mirrors"])))
        # Strimzi allows prometheus.metrics.reporter. here.
        cluster = ConnectCluster(component, image, f"{name}-mirrormaker2-api", f"{name}-mirrormaker2-config",
                                 spec["target"],
                                 {f"{part}.converter": BYTES_CONVERTER for part in ("key", "value", "header")},
                                 FORBIDDEN_PREFIXES[:-1],
                                 tuple(components.env({"KAFKA_MIRRORMAKER_2_CLUSTERS": aliases})))
        cluster.set_status_fields(new_status)
        components.require_plain_listeners("KafkaMirrorMaker2.spec.target", spec["target"])
        for mirror in spec["mirrors"]:
            components.require_plain_listeners("KafkaMirrorMaker2.spec.mirrors[].source", mirror["source"])
        cluster.reconcile(self.kube, prefix)
        if cluster.replicas:
            self._reconcile_connectors(prefix, spec, ConnectRest(cluster.rest_host, PORT), new_status)

    @staticmethod
    def _reconcile_connectors(prefix: str, spec: Object, rest: ConnectRest, new_status: Object) -> None:
        desired = _desired_connectors(spec)
        for surplus in set(rest.names()) - desired.keys():
            log.info("KafkaMirrorMaker2AssemblyOperator:300", f"{prefix}Deleting connector {surplus}")
            rest.delete(surplus)
        new_status["connectors"] = []
        for name, connector in desired.items():
            connector_status = connectors.reconcile(rest, name, connector)
            new_status["connectors"] = sorted([*new_status["connectors"], connector_status],
                                              key=lambda found: found["name"])
        if any((found.get("connector") or {}).get("state") == "FAILED" for found in new_status["connectors"]):
            raise NoStackTraceThrowable("One or more connectors are in FAILED state")
