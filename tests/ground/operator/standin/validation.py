"""Checks that the operator makes, and its warnings, with the messages of the recordings."""
from __future__ import annotations

import os

from . import status
from .failure import InvalidConfigurationException, InvalidResourceException, UnsupportedKafkaVersionException
from .kube import Object
from .pools import NodePool, nodes

# The message contains only the first one that is too high.
LIMITED_BY_BROKERS = ("default.replication.factor", "offsets.topic.replication.factor",
                      "transaction.state.log.replication.factor", "transaction.state.log.min.isr")


def images(variable: str = "STRIMZI_KAFKA_IMAGES") -> dict[str, str]:
    """Return the image of each Kafka version, from the environment that the install manifest sets."""
    lines = os.environ.get(variable, "").split()
    return dict(line.split("=", 1) for line in lines)


def kafka_version(kafka: Object) -> str:
    """Return the requested version, or the newest one."""
    supported = _sort_versions(images())
    requested = kafka["spec"]["kafka"].get("version") or supported[-1]
    if requested not in supported:
        raise UnsupportedKafkaVersionException(
            f"Unsupported Kafka.spec.kafka.version: {requested}. Supported versions are: [{', '.join(supported)}]")
    return requested


def _sort_versions(supported: dict[str, str]) -> list[str]:
    """Return the versions, the oldest first."""
    return sorted(supported, key=lambda text: [int(part) for part in text.split(".")])


def image(spec: Object, variable: str) -> str:
    """Return a component's image: the requested one, or that of its Kafka version."""
    supported = images(variable)
    ordered = _sort_versions(supported)
    requested = spec.get("version") or ordered[-1]
    if not spec.get("image") and requested not in supported:
        raise InvalidResourceException(
            f"Kafka version {requested} is not supported. Supported versions are: {', '.join(ordered)}.")
    return spec.get("image") or supported[requested]


def metadata_version(kafka: Object, version: str) -> str:
    """Return the requested metadata version, or the default one of the Kafka version."""
    requested = kafka["spec"]["kafka"].get("metadataVersion")
    if not requested:
        return {"4.2": "4.2-IV1", "4.3": "4.3-IV0"}[version.rsplit(".", 1)[0]]
    return requested if "-IV" in requested else f"{requested}-IV0"


def check_pools(kafka: Object, pools: list[NodePool]) -> None:
    name = kafka["metadata"]["name"]
    if not pools:
        raise InvalidConfigurationException(f"No KafkaNodePools found for Kafka cluster {name}")
    # These two messages are not recorded; their text is the stand-in's own.
    missing = [f"At least one KafkaNodePool with the {role} role and at least one replica is required"
               for role in ("controller", "broker") if not nodes(pools, role)]
    if missing:
        raise InvalidResourceException(f"The Kafka cluster {name} is invalid: [{', '.join(missing)}]")


def check_config(kafka: Object, pools: list[NodePool]) -> None:
    config = kafka["spec"]["kafka"].get("config") or {}
    brokers = len(nodes(pools, "broker"))
    if "cruiseControl" in kafka["spec"] and brokers < 2:
        raise InvalidResourceException(
            f"Kafka {kafka['metadata']['namespace']}/{kafka['metadata']['name']} has invalid configuration. Cruise "
            "Control cannot be deployed with a Kafka cluster which has only one broker. It requires at least two "
            "Kafka brokers.")
    for option in LIMITED_BY_BROKERS:
        value = config.get(option)
        if value is not None and int(value) > brokers:
            limit = "1" if brokers == 1 else f"{brokers} or less"
            raise InvalidResourceException(
                f"Kafka configuration option '{option}' should be set to {limit} "
                f"because this cluster has only {brokers} Kafka broker(s).")


def warnings(pools: list[NodePool]) -> list[Object]:
    """Return the Warning conditions, which the status has even if it is Ready."""
    result = []
    for role, loss in (("broker", "topic messages"), ("controller", "data")):
        with_role = nodes(pools, role)
        if len(with_role) == 1 and any(v["type"] == "ephemeral" for v in with_role[0][0].volumes()):
            result.append(status.condition(
                "Warning", "True", "KafkaStorage",
                f"A Kafka cluster with a single {role} node and ephemeral storage will lose {loss} "
                "after any restart or rolling update."))
    return result
