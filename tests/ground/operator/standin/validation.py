"""What the operator refuses, and what it warns of. Messages are those of the recordings."""
from __future__ import annotations

import os

from . import status
from .failure import InvalidConfigurationException, InvalidResourceException, UnsupportedKafkaVersionException
from .kube import Object
from .pools import Pool, nodes

# Only the first that is too high is named.
LIMITED_BY_BROKERS = ("default.replication.factor", "offsets.topic.replication.factor",
                      "transaction.state.log.replication.factor", "transaction.state.log.min.isr")


def images(variable: str = "STRIMZI_KAFKA_IMAGES") -> dict[str, str]:
    """Kafka version to image, as the install manifest tells it."""
    lines = os.environ.get(variable, "").split()
    return dict(line.split("=", 1) for line in lines)


def kafka_version(kafka: Object) -> str:
    """The version asked for, or the newest."""
    known = _versions(images())
    asked = kafka["spec"]["kafka"].get("version") or known[-1]
    if asked not in known:
        raise UnsupportedKafkaVersionException(
            f"Unsupported Kafka.spec.kafka.version: {asked}. Supported versions are: [{', '.join(known)}]")
    return asked


def _versions(known: dict[str, str]) -> list[str]:
    """Oldest first."""
    return sorted(known, key=lambda text: [int(part) for part in text.split(".")])


def image(spec: Object, variable: str) -> str:
    """A component's image: its own, or that of its Kafka version."""
    known = images(variable)
    ordered = _versions(known)
    asked = spec.get("version") or ordered[-1]
    if not spec.get("image") and asked not in known:
        raise InvalidResourceException(
            f"Kafka version {asked} is not supported. Supported versions are: {', '.join(ordered)}.")
    return spec.get("image") or known[asked]


def metadata_version(kafka: Object, version: str) -> str:
    """The metadata version asked for, or the first of the Kafka version."""
    asked = kafka["spec"]["kafka"].get("metadataVersion")
    if not asked:
        return {"4.2": "4.2-IV1", "4.3": "4.3-IV0"}[version.rsplit(".", 1)[0]]
    return asked if "-IV" in asked else f"{asked}-IV0"


def check_pools(kafka: Object, pools: list[Pool]) -> None:
    name = kafka["metadata"]["name"]
    if not pools:
        raise InvalidConfigurationException(f"No KafkaNodePools found for Kafka cluster {name}")
    # Not recorded: the words of these two are the stand-in's.
    missing = [f"At least one KafkaNodePool with the {role} role and at least one replica is required"
               for role in ("controller", "broker") if not nodes(pools, role)]
    if missing:
        raise InvalidResourceException(f"The Kafka cluster {name} is invalid: [{', '.join(missing)}]")


def check_config(kafka: Object, pools: list[Pool]) -> None:
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


def warnings(pools: list[Pool]) -> list[Object]:
    """Warning conditions, which come with success too."""
    made = []
    for role, loss in (("broker", "topic messages"), ("controller", "data")):
        having = nodes(pools, role)
        if len(having) == 1 and any(v["type"] == "ephemeral" for v in having[0][0].volumes()):
            made.append(status.condition(
                "Warning", "True", "KafkaStorage",
                f"A Kafka cluster with a single {role} node and ephemeral storage will lose {loss} "
                "after any restart or rolling update."))
    return made
