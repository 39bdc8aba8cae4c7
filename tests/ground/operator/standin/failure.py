"""Exceptions with the names of Strimzi's Java exceptions: the class name is the reason of the condition."""
from __future__ import annotations


class ReconcileFailure(Exception):
    """A failure of a reconciliation, which results in a NotReady condition."""

    package = ""

    @property
    def reason(self) -> str:
        return type(self).__name__

    def log_text(self) -> str:
        """Return the text that Strimzi logs."""
        return f"{self.package}.{self.reason}: {self}"


def _java_exception(package: str, name: str) -> type[ReconcileFailure]:
    return type(name, (ReconcileFailure,), {"package": package})


# A resource is invalid, by itself or for its cluster.
InvalidResourceException = _java_exception("io.strimzi.operator.common.model", "InvalidResourceException")
# Something that the cluster needs does not exist.
InvalidConfigurationException = _java_exception("io.strimzi.operator.common", "InvalidConfigurationException")
# The operator has no image for the Kafka version.
UnsupportedKafkaVersionException = _java_exception("io.strimzi.operator.cluster.model",
                                                   "UnsupportedKafkaVersionException")
# The operation timed out.
StrimziTimeoutException = _java_exception("io.strimzi.operator.common", "StrimziTimeoutException")
# A restart cannot fix the pod.
FatalProblem = _java_exception("io.strimzi.operator.cluster.operator.resource.KafkaRoller$", "FatalProblem")
# A resource that another one refers to does not exist.
NoSuchResourceException = _java_exception("io.strimzi.operator.cluster.model", "NoSuchResourceException")
# A standard Java exception, which Strimzi uses if it has no more specific one.
RuntimeException = _java_exception("java.lang", "RuntimeException")
# The Vert.x exception for a message without a cause.
NoStackTraceThrowable = _java_exception("io.vertx.core.impl", "NoStackTraceThrowable")
# A standard Java class, which Strimzi uses for a failed connector or task.
Throwable = _java_exception("java.lang", "Throwable")
# The connection failed.
ConnectException = _java_exception("java.net", "ConnectException")


class ConnectRestException(ReconcileFailure):
    """An error response from Kafka Connect."""

    package = "io.strimzi.operator.cluster.operator.assembly"

    def __init__(self, method: str, path: str, code: int, message: str):
        super().__init__(f"{method} {path} returned {code} ({code}): {message}")
        self.code = code
