"""KafkaMirrorMaker2: a Connect cluster whose connectors the operator makes itself."""
from __future__ import annotations

from . import component, connectors, log, validation
from .assembly import Assembly
from .component import Component
from .connect_cluster import FORBIDDEN, PORT, ConnectCluster
from .connect_rest import ConnectRest
from .failure import NoStackTraceThrowable
from .kube import Object

BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
CONNECTORS = {"sourceConnector": "MirrorSourceConnector", "checkpointConnector": "MirrorCheckpointConnector"}
PATTERNS = {"topicsPattern": "topics", "topicsExcludePattern": "topics.exclude",
            "groupsPattern": "groups", "groupsExcludePattern": "groups.exclude"}


def _wanted(spec: Object) -> dict[str, Object]:
    """The connectors of all mirrors: name, and spec as a KafkaConnector's."""
    made, target = {}, spec["target"]
    for mirror in spec["mirrors"]:
        source = mirror["source"]
        ends: Object = {}
        for end, cluster in (("target", target), ("source", source)):
            ends |= {f"{end}.cluster.alias": cluster["alias"],
                     f"{end}.cluster.bootstrap.servers": cluster["bootstrapServers"],
                     f"{end}.cluster.security.protocol": "PLAINTEXT"}
            ends |= {f"{end}.cluster.{key}": value for key, value in (cluster.get("config") or {}).items()}
        for field, kind in CONNECTORS.items():
            if field in mirror:
                own = mirror[field] or {}
                patterns = {option: mirror[name] for name, option in PATTERNS.items() if name in mirror}
                made[f"{source['alias']}->{target['alias']}.{kind}"] = own | {
                    "class": f"org.apache.kafka.connect.mirror.{kind}",
                    "config": ends | (own.get("config") or {}) | patterns}
    return made


class MirrorMaker(Assembly):
    """Reconciles KafkaMirrorMaker2s."""

    kind = "KafkaMirrorMaker2"

    def attempt(self, prefix: str, resource: Object, made: Object, conditions: list[Object]) -> None:
        spec, name = resource["spec"], resource["metadata"]["name"]
        image = validation.image(spec, "STRIMZI_KAFKA_MIRROR_MAKER_2_IMAGES")
        own = Component(resource, "kafka-mirror-maker-2", f"{name}-mirrormaker2")
        aliases = ";".join(cluster["alias"] for cluster in (spec["target"], *(m["source"] for m in spec["mirrors"])))
        # The real one lets prometheus.metrics.reporter. through here.
        cluster = ConnectCluster(own, image, f"{name}-mirrormaker2-api", f"{name}-mirrormaker2-config",
                                 spec["target"], {f"{part}.converter": BYTES for part in ("key", "value", "header")},
                                 FORBIDDEN[:-1], tuple(component.env({"KAFKA_MIRRORMAKER_2_CLUSTERS": aliases})))
        cluster.tell(made)
        component.plain_only("KafkaMirrorMaker2.spec.target", spec["target"])
        for mirror in spec["mirrors"]:
            component.plain_only("KafkaMirrorMaker2.spec.mirrors[].source", mirror["source"])
        cluster.bring_about(self.kube, prefix)
        if cluster.replicas:
            self._connectors(prefix, spec, ConnectRest(cluster.rest_host, PORT), made)

    @staticmethod
    def _connectors(prefix: str, spec: Object, rest: ConnectRest, made: Object) -> None:
        wanted = _wanted(spec)
        for surplus in set(rest.names()) - wanted.keys():
            log.info("KafkaMirrorMaker2AssemblyOperator:300", f"{prefix}Deleting connector {surplus}")
            rest.delete(surplus)
        made["connectors"] = []
        for name, connector in wanted.items():
            seen = connectors.bring_about(rest, name, connector)
            made["connectors"] = sorted([*made["connectors"], seen], key=lambda found: found["name"])
        if any((found.get("connector") or {}).get("state") == "FAILED" for found in made["connectors"]):
            raise NoStackTraceThrowable("One or more connectors are in FAILED state")
