"""What the operators of all kinds have in common: one lock a name, the timer, a status for every end."""
from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from . import log, status
from .failure import ReconcileFailure
from .kube import ApiError, Informer, Kube, Object

LOCK_TIMEOUT = 10
PROGRESS = 60
PAUSE = "strimzi.io/pause-reconciliation"

# Reconciliations are numbered over all kinds.
_numbers = itertools.count(1)


def number() -> int:
    return next(_numbers)


class Locks:
    """One lock a cluster name: whoever cannot have it in ten seconds gives up, and the timer comes again."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.locks: dict[tuple[str, str], threading.Lock] = {}

    def of(self, key: tuple[str, str]) -> threading.Lock:
        with self.guard:
            return self.locks.setdefault(key, threading.Lock())


def annotation(obj: Object, name: str) -> str:
    return (obj["metadata"].get("annotations") or {}).get(name, "")


def reason(failure: Exception) -> tuple[str, str]:
    """A failure as a condition's reason and message."""
    if isinstance(failure, ReconcileFailure):
        return failure.reason, str(failure)
    return "KubernetesClientException", str(failure)


def java(failure: Exception) -> str:
    """A failure as the log shows it."""
    return failure.java() if isinstance(failure, ReconcileFailure) else ": ".join(reason(failure))


class Assembly:
    """Reconciles the resources of one kind; several names at a time, one name never twice at a time."""

    kind = ""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.locks = Locks()

    def prefix(self, of: int, trigger: str, namespace: str, name: str) -> str:
        return f"Reconciliation #{of}({trigger}) {self.kind}({namespace}/{name}): "

    def watch(self, namespace: str | None) -> None:
        """Follow the resources of a namespace, or of all."""
        Informer(self.kube, self.kind, namespace, self._changed).start()
        log.info("ClusterOperator:100", f"Opened watch for {self.kind} operator")

    def _changed(self, event: str, resource: Object) -> None:
        namespace, name = resource["metadata"]["namespace"], resource["metadata"]["name"]
        of = number()
        log.info("AbstractOperator:498", f"{self.prefix(of, 'watch', namespace, name)}"
                 f"{self.kind} {name} in namespace {namespace} was {event}")
        self.later(of, "watch", namespace, name)

    def all(self, namespace: str | None) -> None:
        """Reconcile whatever there is, as the timer does."""
        try:
            found = self.kube.list(self.kind, namespace)
        except ApiError as failure:
            log.warn("ClusterOperator:130", f"Failed to list {self.kind} resources: {failure}")
            return
        for resource in found:
            self.later(number(), "timer", resource["metadata"]["namespace"], resource["metadata"]["name"])

    def later(self, of: int, trigger: str, namespace: str, name: str) -> None:
        """Reconcile in a thread of its own."""
        prefix = self.prefix(of, trigger, namespace, name)
        self.locked(prefix, namespace, name, lambda: self._reconcile(prefix, namespace, name))

    def locked(self, prefix: str, namespace: str, name: str, work: Callable[[], None]) -> None:
        """Do work on a name in a thread of its own, unless another holds that name for too long."""
        def run() -> None:
            lock = self.locks.of((namespace, name))
            if not lock.acquire(timeout=LOCK_TIMEOUT):
                return
            done = threading.Event()

            def progress() -> None:
                while not done.wait(PROGRESS):
                    log.info("AbstractOperator:379", f"{prefix}Reconciliation is in progress")
            threading.Thread(target=progress, daemon=True).start()
            try:
                work()
            except Exception:
                log.trace("AbstractOperator:534", f"{prefix}Failed to reconcile")
            finally:
                done.set()
                lock.release()
        threading.Thread(target=run, daemon=True).start()

    def _reconcile(self, prefix: str, namespace: str, name: str) -> None:
        resource = self.kube.get(self.kind, namespace, name)
        if resource is None:
            self.deleted(prefix, namespace, name)
            return
        old = resource.get("status") or {}
        if annotation(resource, PAUSE) == "true":
            log.warn("AbstractOperator:236", f"{prefix}Reconciliation of {self.kind} {name} in namespace {namespace} "
                     "has been paused")
            paused = self.initial(old) | {"conditions": [status.condition("ReconciliationPaused")],
                                          "observedGeneration": old.get("observedGeneration", 0)}
            status.write(self.kube, resource, paused, prefix)
            return
        log.info("AbstractOperator:242", f"{prefix}{self.kind} {name} will be checked for creation or modification")
        self.begin(prefix, resource, old)
        made = self.initial(old) | {"observedGeneration": resource["metadata"]["generation"]}
        conditions: list[Object] = []
        try:
            self.attempt(prefix, resource, made, conditions)
        except (ReconcileFailure, ApiError) as failure:
            made["conditions"] = [*conditions, status.not_ready(*reason(failure))]
            log.error("AbstractOperator:261", f"{prefix}createOrUpdate failed\n{java(failure)}")
            status.write(self.kube, resource, made, prefix)
            log.warn("AbstractOperator:534", f"{prefix}Failed to reconcile\n{java(failure)}")
            return
        made["conditions"] = [*conditions, status.ready()]
        status.write(self.kube, resource, made, prefix)
        log.info("AbstractOperator:521", f"{prefix}reconciled")

    def initial(self, _old: Object) -> Object:
        """What every status keeps of the one before."""
        return {}

    def begin(self, prefix: str, resource: Object, old: Object) -> None:
        """What is told before the work begins."""

    def attempt(self, prefix: str, resource: Object, made: Object, conditions: list[Object]) -> None:
        """One walk through all steps; what it learns goes into `made` at once, so that a failure keeps it."""
        raise NotImplementedError

    def deleted(self, prefix: str, namespace: str, name: str) -> None:
        """The resource is gone; what it owned goes with it."""


def periodically(interval: float, action: Callable[[], None]) -> None:
    """Run an action again and again, in the background."""
    def forever() -> None:
        while True:
            time.sleep(interval)
            action()
    threading.Thread(target=forever, name="timer", daemon=True).start()
