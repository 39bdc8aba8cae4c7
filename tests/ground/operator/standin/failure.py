"""Failures under the names of the real operator's Java exceptions: the class name is the condition's reason."""
from __future__ import annotations


class ReconcileFailure(Exception):
    """A reconciliation ends with a NotReady condition."""

    package = ""

    @property
    def reason(self) -> str:
        return type(self).__name__

    def java(self) -> str:
        """As the real log shows it."""
        return f"{self.package}.{self.reason}: {self}"


def _java(package: str, name: str) -> type[ReconcileFailure]:
    return type(name, (ReconcileFailure,), {"package": package})


# A resource contradicts itself or its cluster.
InvalidResourceException = _java("io.strimzi.operator.common.model", "InvalidResourceException")
# Something the cluster needs is missing.
InvalidConfigurationException = _java("io.strimzi.operator.common", "InvalidConfigurationException")
# A Kafka version this operator has no image for.
UnsupportedKafkaVersionException = _java("io.strimzi.operator.cluster.model", "UnsupportedKafkaVersionException")
# The operation timeout passed.
StrimziTimeoutException = _java("io.strimzi.operator.common", "StrimziTimeoutException")
# A pod that rolling cannot help.
FatalProblem = _java("io.strimzi.operator.cluster.operator.resource.KafkaRoller$", "FatalProblem")
# A resource that another one names is not there.
NoSuchResourceException = _java("io.strimzi.operator.cluster.model", "NoSuchResourceException")
# Java's own, which the real operator throws where it has no better one.
RuntimeException = _java("java.lang", "RuntimeException")
# What Vert.x makes of a text alone.
NoStackTraceThrowable = _java("io.vertx.core.impl", "NoStackTraceThrowable")
# Java's own, which the real operator makes for a connector or a task that failed.
Throwable = _java("java.lang", "Throwable")
# Nobody answers at an address.
ConnectException = _java("java.net", "ConnectException")


class ConnectRestException(ReconcileFailure):
    """An answer of Kafka Connect that is not a success."""

    package = "io.strimzi.operator.cluster.operator.assembly"

    def __init__(self, method: str, path: str, code: int, message: str):
        super().__init__(f"{method} {path} returned {code} ({code}): {message}")
        self.code = code
