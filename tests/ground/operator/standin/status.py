"""Conditions and statuses, with the format and order of the recordings."""
from __future__ import annotations

import time
from typing import Any

from . import log
from .kube import Kube, Object

SECURITY = {"authentication": {"type": "strimzi-mtls"}, "encryption": {"type": "strimzi-tls"}}


def now() -> str:
    """Return the time in the format of Strimzi's operator, with nanoseconds."""
    nanoseconds = time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9)) + f".{nanoseconds % 10**9:09d}Z"


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> Object:
    result = {"type": kind, "status": status, "lastTransitionTime": now()}
    if reason:
        result |= {"reason": reason, "message": message}
    return result


def ready() -> Object:
    return condition("Ready")


def not_ready(reason: str, message: str) -> Object:
    return condition("NotReady", "True", reason, message)


def creating() -> Object:
    return {"conditions": [not_ready("Creating", "Kafka cluster is being deployed")], "observedGeneration": 0}


def initial(old: Object) -> Object:
    """Return the fields that a new status of a Kafka resource keeps. The others are set again only on success."""
    status: Object = {"clusterSecurity": SECURITY}
    if "clusterId" in old:
        status["clusterId"] = old["clusterId"]
    return status


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_times(v) for k, v in value.items() if k != "lastTransitionTime"}
    if isinstance(value, list):
        return [_without_times(v) for v in value]
    return value


# By an object's uid: the last status that was written, and what the API server stored. They differ if an older CRD
# does not have all fields. Without this, such a status would be written again on each reconciliation.
_last_written: dict[str, tuple[Any, Any]] = {}


def write(kube: Kube, obj: Object, status: Object, prefix: str = "", location: str = "CrdOperator:147") -> None:
    """Write a status, unless only times would change."""
    current = kube.get(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
    if current is None or current["metadata"]["uid"] != obj["metadata"]["uid"]:
        return
    meta, current_status, desired = obj["metadata"], _without_times(current.get("status")), _without_times(status)
    if current_status == desired or _last_written.get(meta["uid"]) == (desired, current_status):
        return
    written = kube.set_status(current, status)
    if written is not None:
        _last_written[meta["uid"]] = (desired, _without_times(written.get("status")))
        log.info(location, f"{prefix}Status of {obj['kind']} {meta['name']} in namespace {meta['namespace']} "
                 "has been updated")
