"""Failures under the names of the real operator's Java exceptions: the class name is the condition's reason."""
from __future__ import annotations


class ReconcileFailure(Exception):
    """A reconciliation ends with a NotReady condition."""

    package = ""

    @property
    def reason(self) -> str:
        return type(self).__name__

    def java(self) -> str:
        """As in the real log."""
        return f"{self.package}.{self.reason}: {self}"


def _java(package: str, name: str) -> type[ReconcileFailure]:
    return type(name, (ReconcileFailure,), {"package": package})


# A resource contradicts itself or its cluster.
InvalidResourceException = _java("io.strimzi.operator.common.model", "InvalidResourceException")
# Something the cluster needs is missing.
InvalidConfigurationException = _java("io.strimzi.operator.common", "InvalidConfigurationException")
# A Kafka version this operator has no image for.
UnsupportedKafkaVersionException = _java("io.strimzi.operator.cluster.model", "UnsupportedKafkaVersionException")
# The operation timeout expired.
StrimziTimeoutException = _java("io.strimzi.operator.common", "StrimziTimeoutException")
# A pod that a restart cannot fix.
FatalProblem = _java("io.strimzi.operator.cluster.operator.resource.KafkaRoller$", "FatalProblem")
# A resource that another one references does not exist.
NoSuchResourceException = _java("io.strimzi.operator.cluster.model", "NoSuchResourceException")
# Java's own, which the real operator throws if there is no more specific one.
RuntimeException = _java("java.lang", "RuntimeException")
# What Vert.x throws for a message without an exception.
NoStackTraceThrowable = _java("io.vertx.core.impl", "NoStackTraceThrowable")
# Java's own, which the real operator throws for a connector or a task that failed.
Throwable = _java("java.lang", "Throwable")
# A connection was refused or timed out.
ConnectException = _java("java.net", "ConnectException")


class ConnectRestException(ReconcileFailure):
    """An error response of Kafka Connect."""

    package = "io.strimzi.operator.cluster.operator.assembly"

    def __init__(self, method: str, path: str, code: int, message: str):
        super().__init__(f"{method} {path} returned {code} ({code}): {message}")
        self.code = code
