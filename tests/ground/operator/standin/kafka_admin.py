"""Kafka's admin API, as far as the operators need it."""
from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ConfigSource,
                                   NewPartitions, NewTopic, ResourceType)

# Error code to exception class of the Java client, which is in the messages of Strimzi's operator.
JAVA_ERRORS = {
    "TOPIC_ALREADY_EXISTS": "TopicExistsException",
    "TOPIC_EXCEPTION": "InvalidTopicException",
    "_INVALID_ARG": "InvalidRequestException",
    "POLICY_VIOLATION": "PolicyViolationException",
    "UNKNOWN_TOPIC_OR_PART": "UnknownTopicOrPartitionException",
    "_TIMED_OUT": "TimeoutException",
}


def java_error(failure: KafkaException) -> str:
    """Return the error in the form of the Java client, such as InvalidReplicationFactorException."""
    error = failure.args[0]
    name = error.name()
    java = JAVA_ERRORS.get(name) or "".join(part.capitalize() for part in name.strip("_").split("_")) + "Exception"
    return f"org.apache.kafka.common.errors.{java}: {error.str()}"


def uuid_text(uuid: Any) -> str:
    """Return a topic id in the form that Java prints."""
    bits = [value & 0xFFFFFFFFFFFFFFFF for value in (uuid.get_most_significant_bits(),
                                                     uuid.get_least_significant_bits())]
    return base64.urlsafe_b64encode(b"".join(v.to_bytes(8, "big") for v in bits)).decode().rstrip("=")


# A client keeps trying brokers that no longer exist. A new client finds the existing ones.
UNREACHABLE_ERRORS = {"_TIMED_OUT", "_TRANSPORT", "_ALL_BROKERS_DOWN", "REQUEST_TIMED_OUT"}


def no_broker_responded(failure: KafkaException) -> bool:
    """Return whether no broker responded."""
    return failure.args[0].name() in UNREACHABLE_ERRORS


class Admin:
    """An admin client with a timeout for each call. If no broker responds, it retries once with a new client."""

    def __init__(self, bootstrap: str, timeout: float = 8.0):
        self.bootstrap, self.timeout = bootstrap, timeout
        self.client = self._new_client()

    def _new_client(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "socket.timeout.ms": 5000,
                            "socket.connection.setup.timeout.ms": 3000,
                            "log_level": 0, "error_cb": lambda _error: None,
                            "reconnect.backoff.max.ms": 1000})

    def _call(self, request: Callable[[AdminClient], dict[Any, Any]]) -> Any:
        for last in (False, True):
            try:
                return next(iter(request(self.client).values())).result(self.timeout)
            except TimeoutError:
                failure = KafkaException(KafkaError(KafkaError._TIMED_OUT))
            except KafkaException as error:
                failure = error
            if last or not no_broker_responded(failure):
                raise failure
            self.client = self._new_client()

    def broker_config(self, node: int) -> dict[str, ConfigEntry]:
        resource = ConfigResource(ResourceType.BROKER, str(node))
        return self._call(lambda c: c.describe_configs([resource], request_timeout=self.timeout))

    def alter_config(self, kind: ResourceType, name: str, values: dict[str, str | None]) -> None:
        """Set options, and reset those whose value is None to their defaults."""
        entries = [ConfigEntry(key, value or "", incremental_operation=AlterConfigOpType.DELETE if value is None
                               else AlterConfigOpType.SET) for key, value in values.items()]
        resource = ConfigResource(kind, name, incremental_configs=entries)
        self._call(lambda c: c.incremental_alter_configs([resource], request_timeout=self.timeout))

    def describe_topic(self, name: str) -> Any | None:
        """Return the topic's description, or None if it does not exist."""
        try:
            return self._call(lambda c: c.describe_topics(TopicCollection([name]), request_timeout=self.timeout))
        except KafkaException as failure:
            if failure.args[0].name() == "UNKNOWN_TOPIC_OR_PART":
                return None
            raise

    def topic_config(self, name: str) -> dict[str, str]:
        """Return the options that are set for the topic itself."""
        resource = ConfigResource(ResourceType.TOPIC, name)
        entries = self._call(lambda c: c.describe_configs([resource], request_timeout=self.timeout))
        own = ConfigSource.DYNAMIC_TOPIC_CONFIG.value
        return {key: entry.value for key, entry in entries.items() if entry.source == own}

    def wait_for_topic(self, name: str, predicate: Callable[[Any], bool]) -> Any:
        """Wait until the description shows a change, and return it. Brokers learn of changes after the controller."""
        deadline = time.monotonic() + self.timeout
        while True:
            found = self.describe_topic(name)
            if found is not None and predicate(found):
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"topic {name} does not show its change")
            time.sleep(0.1)

    def create_topic(self, name: str, partitions: int, replicas: int, config: dict[str, str]) -> None:
        topic = NewTopic(name, num_partitions=partitions, replication_factor=replicas, config=config)
        clients = []

        def request(client: AdminClient) -> dict[str, Any]:
            clients.append(client)
            return client.create_topics([topic], request_timeout=self.timeout)

        try:
            self._call(request)
        except KafkaException as failure:
            # The first call created the topic, but its response was lost.
            if len(clients) == 1 or failure.args[0].name() != "TOPIC_ALREADY_EXISTS":
                raise

    def add_partitions(self, name: str, total: int) -> None:
        self._call(lambda c: c.create_partitions([NewPartitions(name, total)], request_timeout=self.timeout))

    def delete_topic(self, name: str) -> None:
        try:
            self._call(lambda c: c.delete_topics([name], request_timeout=self.timeout))
        except KafkaException as failure:
            if failure.args[0].name() != "UNKNOWN_TOPIC_OR_PART":
                raise
