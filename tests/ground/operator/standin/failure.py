"""Failures under the names of the real operator's Java exceptions: the class name is the condition's reason."""
from __future__ import annotations


class ReconcileFailure(Exception):
    """A reconciliation ends with a NotReady condition."""

    package = "io.strimzi.operator.common.model"

    @property
    def reason(self) -> str:
        return type(self).__name__

    def java(self) -> str:
        """As the real log shows it."""
        return f"{self.package}.{self.reason}: {self}"


class InvalidResourceException(ReconcileFailure):
    """A resource contradicts itself or its cluster."""


class InvalidConfigurationException(ReconcileFailure):
    """Something the cluster needs is missing."""

    package = "io.strimzi.operator.common"


class UnsupportedKafkaVersionException(ReconcileFailure):
    """A Kafka version this operator has no image for."""

    package = "io.strimzi.operator.cluster.model"


class StrimziTimeoutException(ReconcileFailure):
    """The operation timeout passed."""

    package = "io.strimzi.operator.common"


class FatalProblem(ReconcileFailure):
    """A pod that rolling cannot help."""

    package = "io.strimzi.operator.cluster.operator.resource.KafkaRoller$"


class NoSuchResourceException(ReconcileFailure):
    """A resource that another one names is not there."""

    package = "io.strimzi.operator.cluster.model"


class RuntimeException(ReconcileFailure):
    """Java's own, which the real operator throws where it has no better one."""

    package = "java.lang"


class NoStackTraceThrowable(ReconcileFailure):
    """What Vert.x makes of a text alone."""

    package = "io.vertx.core.impl"


class Throwable(ReconcileFailure):
    """Java's own, which the real operator makes for a connector or a task that failed."""

    package = "java.lang"


class ConnectException(ReconcileFailure):
    """Nobody answers at an address."""

    package = "java.net"


class ConnectRestException(ReconcileFailure):
    """An answer of Kafka Connect that is not a success."""

    package = "io.strimzi.operator.cluster.operator.assembly"

    def __init__(self, method: str, path: str, code: int, message: str):
        super().__init__(f"{method} {path} returned {code} ({code}): {message}")
        self.code = code
