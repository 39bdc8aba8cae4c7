"""Conditions and statuses, in the form and order the recordings show."""
from __future__ import annotations

import time
from typing import Any

from . import log
from .kube import Kube, Object

SECURITY = {"authentication": {"type": "strimzi-mtls"}, "encryption": {"type": "strimzi-tls"}}


def now() -> str:
    """A time as the real operator writes it, nanoseconds and all."""
    nanoseconds = time.time_ns()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 10**9)) + f".{nanoseconds % 10**9:09d}Z"


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> Object:
    made = {"type": kind, "status": status, "lastTransitionTime": now()}
    if reason:
        made |= {"reason": reason, "message": message}
    return made


def ready() -> Object:
    return condition("Ready")


def not_ready(reason: str, message: str) -> Object:
    return condition("NotReady", "True", reason, message)


def creating() -> Object:
    return {"conditions": [not_ready("Creating", "Kafka cluster is being deployed")], "observedGeneration": 0}


def initial(old: Object) -> Object:
    """What every later status of a Kafka keeps: the rest comes back only with success."""
    status: Object = {"clusterSecurity": SECURITY}
    if "clusterId" in old:
        status["clusterId"] = old["clusterId"]
    return status


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k != "lastTransitionTime"}
    if isinstance(value, list):
        return [_timeless(v) for v in value]
    return value


# By an object's uid: the status that was written last, and what the API server stored of it. It drops fields that an older
# definition does not have; to write them again would change nothing but times, for ever.
_stored: dict[str, tuple[Any, Any]] = {}


def write(kube: Kube, obj: Object, status: Object, prefix: str = "", where: str = "CrdOperator:147") -> None:
    """Write a status unless nothing but times would change."""
    current = kube.get(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
    if current is None or current["metadata"]["uid"] != obj["metadata"]["uid"]:
        return
    meta, now_stored, wanted = obj["metadata"], _timeless(current.get("status")), _timeless(status)
    if now_stored == wanted or _stored.get(meta["uid"]) == (wanted, now_stored):
        return
    written = kube.set_status(current, status)
    if written is not None:
        _stored[meta["uid"]] = (wanted, _timeless(written.get("status")))
        log.info(where, f"{prefix}Status of {obj['kind']} {meta['name']} in namespace {meta['namespace']} "
                 "has been updated")
