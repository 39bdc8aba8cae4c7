"""What the operators ask of the running Kafka, through its admin API."""
from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource, NewPartitions,
                                   NewTopic, ResourceType)

# Error code: the class of the Java client, which the real operator's messages name.
JAVA_ERRORS = {
    "TOPIC_ALREADY_EXISTS": "TopicExistsException",
    "TOPIC_EXCEPTION": "InvalidTopicException",
    "_INVALID_ARG": "InvalidRequestException",
    "POLICY_VIOLATION": "PolicyViolationException",
    "UNKNOWN_TOPIC_OR_PART": "UnknownTopicOrPartitionException",
    "_TIMED_OUT": "TimeoutException",
}


def java_error(failure: KafkaException) -> str:
    """The error as the Java client would say it, such as InvalidReplicationFactorException."""
    error = failure.args[0]
    name = error.name()
    java = JAVA_ERRORS.get(name) or "".join(part.capitalize() for part in name.strip("_").split("_")) + "Exception"
    return f"org.apache.kafka.common.errors.{java}: {error.str()}"


def uuid_text(uuid: Any) -> str:
    """A topic id as Java prints it."""
    bits = [value & 0xFFFFFFFFFFFFFFFF for value in (uuid.get_most_significant_bits(),
                                                     uuid.get_least_significant_bits())]
    return base64.urlsafe_b64encode(b"".join(v.to_bytes(8, "big") for v in bits)).decode().rstrip("=")


# A client that knew a broker which is gone asks it again and again: a new one knows only those that are there.
UNREACHED = {"_TIMED_OUT", "_TRANSPORT", "_ALL_BROKERS_DOWN", "REQUEST_TIMED_OUT"}


def unreached(failure: KafkaException) -> bool:
    """Whether no broker answered."""
    return failure.args[0].name() in UNREACHED


class Admin:
    """An admin client with a time limit on each call, which is made once more with a new client."""

    def __init__(self, bootstrap: str, timeout: float = 8.0):
        self.bootstrap, self.timeout = bootstrap, timeout
        self.client = self._new()

    def _new(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "socket.timeout.ms": 5000,
                            "socket.connection.setup.timeout.ms": 3000,
                            "log_level": 0, "error_cb": lambda _error: None,
                            "reconnect.backoff.max.ms": 1000})

    def _call(self, ask: Callable[[AdminClient], dict[Any, Any]]) -> Any:
        for last in (False, True):
            try:
                return next(iter(ask(self.client).values())).result(self.timeout)
            except TimeoutError:
                failure = KafkaException(KafkaError(KafkaError._TIMED_OUT))
            except KafkaException as refused:
                failure = refused
            if last or not unreached(failure):
                raise failure
            self.client = self._new()

    def broker_config(self, node: int) -> dict[str, ConfigEntry]:
        resource = ConfigResource(ResourceType.BROKER, str(node))
        return self._call(lambda c: c.describe_configs([resource], request_timeout=self.timeout))

    def alter(self, kind: ResourceType, name: str, values: dict[str, str | None]) -> None:
        """Set options, and unset those whose value is None."""
        entries = [ConfigEntry(key, value or "", incremental_operation=AlterConfigOpType.DELETE if value is None
                               else AlterConfigOpType.SET) for key, value in values.items()]
        resource = ConfigResource(kind, name, incremental_configs=entries)
        self._call(lambda c: c.incremental_alter_configs([resource], request_timeout=self.timeout))

    def topic(self, name: str) -> Any | None:
        """The topic's description, or None where there is none."""
        try:
            return self._call(lambda c: c.describe_topics(TopicCollection([name]), request_timeout=self.timeout))
        except KafkaException as failure:
            if failure.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                return None
            raise

    def topic_config(self, name: str) -> dict[str, str]:
        """The options set on the topic itself."""
        resource = ConfigResource(ResourceType.TOPIC, name)
        entries = self._call(lambda c: c.describe_configs([resource], request_timeout=self.timeout))
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {key: entry.value for key, entry in entries.items() if entry.source == own}

    def topic_when(self, name: str, good: Callable[[Any], bool]) -> Any:
        """The topic's description once it shows a change: a broker learns of it a moment after the controller."""
        end = time.monotonic() + self.timeout
        while True:
            found = self.topic(name)
            if found is not None and good(found):
                return found
            if time.monotonic() > end:
                raise TimeoutError(f"topic {name} does not show its change")
            time.sleep(0.1)

    def create_topic(self, name: str, partitions: int, replicas: int, config: dict[str, str]) -> None:
        topic = NewTopic(name, num_partitions=partitions, replication_factor=replicas, config=config)
        asked = []

        def ask(client: AdminClient) -> dict[str, Any]:
            asked.append(client)
            return client.create_topics([topic], request_timeout=self.timeout)

        try:
            self._call(ask)
        except KafkaException as failure:
            # Made by the first call, whose answer did not come.
            if len(asked) == 1 or failure.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise

    def add_partitions(self, name: str, total: int) -> None:
        self._call(lambda c: c.create_partitions([NewPartitions(name, total)], request_timeout=self.timeout))

    def delete_topic(self, name: str) -> None:
        try:
            self._call(lambda c: c.delete_topics([name], request_timeout=self.timeout))
        except KafkaException as failure:
            if failure.args[0].name() != "UNKNOWN_TOPIC_OR_PART":
                raise
