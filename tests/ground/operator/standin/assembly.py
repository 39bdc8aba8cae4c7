"""Common to the cluster operator's kinds: locks, periodic reconciliation, and a status update for every outcome."""
from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from . import log, status
from .failure import ReconcileFailure
from .kube import ApiError, Informer, Kube, Object

LOCK_TIMEOUT = 10
PROGRESS_INTERVAL = 60
PAUSE_ANNOTATION = "strimzi.io/pause-reconciliation"

# All kinds share one sequence of reconciliation numbers.
_numbers = itertools.count(1)


def next_number() -> int:
    return next(_numbers)


class Locks:
    """A lock for each namespace and name. If it is not acquired in time, the next timer reconciles the resource."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.locks: dict[tuple[str, str], threading.Lock] = {}

    def lock_for(self, key: tuple[str, str]) -> threading.Lock:
        with self.guard:
            return self.locks.setdefault(key, threading.Lock())


def annotation(obj: Object, name: str) -> str:
    return (obj["metadata"].get("annotations") or {}).get(name, "")


def reason_and_message(failure: Exception) -> tuple[str, str]:
    """Return the condition's reason and message for a failure."""
    if isinstance(failure, ReconcileFailure):
        return failure.reason, str(failure)
    return "KubernetesClientException", str(failure)


def log_text(failure: Exception) -> str:
    """Return the text of a failure for the log."""
    return failure.log_text() if isinstance(failure, ReconcileFailure) else ": ".join(reason_and_message(failure))


class Assembly:
    """Reconciles the resources of one kind: different resources in parallel, the same resource one at a time."""

    kind = ""

    def __init__(self, kube: Kube) -> None:
        self.kube = kube
        self.locks = Locks()

    def prefix(self, reconciliation_id: int, trigger: str, namespace: str, name: str) -> str:
        return f"Reconciliation #{reconciliation_id}({trigger}) {self.kind}({namespace}/{name}): "

    def watch(self, namespace: str | None) -> None:
        """Watch the resources in a namespace, or in all namespaces."""
        Informer(self.kube, self.kind, namespace, self._on_event).start()
        log.info("ClusterOperator:100", f"Opened watch for {self.kind} operator")

    def _on_event(self, event: str, resource: Object) -> None:
        namespace, name = resource["metadata"]["namespace"], resource["metadata"]["name"]
        reconciliation_id = next_number()
        log.info("AbstractOperator:498", f"{self.prefix(reconciliation_id, 'watch', namespace, name)}"
                 f"{self.kind} {name} in namespace {namespace} was {event}")
        self.start_reconciliation(reconciliation_id, "watch", namespace, name)

    def reconcile_all(self, namespace: str | None) -> None:
        """Reconcile all existing resources. The timer calls this."""
        try:
            found = self.kube.list(self.kind, namespace)
        except ApiError as failure:
            log.warn("ClusterOperator:130", f"Failed to list {self.kind} resources: {failure}")
            return
        for resource in found:
            self.start_reconciliation(next_number(), "timer", resource["metadata"]["namespace"],
                                      resource["metadata"]["name"])

    def start_reconciliation(self, reconciliation_id: int, trigger: str, namespace: str, name: str) -> None:
        """Reconcile a resource in a new thread."""
        prefix = self.prefix(reconciliation_id, trigger, namespace, name)
        self.run_locked(prefix, namespace, name, lambda: self._reconcile(prefix, namespace, name))

    def run_locked(self, prefix: str, namespace: str, name: str, work: Callable[[], None]) -> None:
        """Run `work` in a new thread that holds the lock of the name; skip it if the lock is not acquired in time."""
        def run() -> None:
            lock = self.locks.lock_for((namespace, name))
            if not lock.acquire(timeout=LOCK_TIMEOUT):
                return
            done = threading.Event()

            def log_progress() -> None:
                while not done.wait(PROGRESS_INTERVAL):
                    log.info("AbstractOperator:379", f"{prefix}Reconciliation is in progress")
            threading.Thread(target=log_progress, daemon=True).start()
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
            self.on_deleted(prefix, namespace, name)
            return
        old = resource.get("status") or {}
        if annotation(resource, PAUSE_ANNOTATION) == "true":
            log.warn("AbstractOperator:236", f"{prefix}Reconciliation of {self.kind} {name} in namespace {namespace} "
                     "has been paused")
            paused = self.initial(old) | {"conditions": [status.condition("ReconciliationPaused")],
                                          "observedGeneration": old.get("observedGeneration", 0)}
            status.write(self.kube, resource, paused, prefix)
            return
        log.info("AbstractOperator:242", f"{prefix}{self.kind} {name} will be checked for creation or modification")
        self.write_first_status(prefix, resource, old)
        new_status = self.initial(old) | {"observedGeneration": resource["metadata"]["generation"]}
        conditions: list[Object] = []
        try:
            self.create_or_update(prefix, resource, new_status, conditions)
        except (ReconcileFailure, ApiError) as failure:
            new_status["conditions"] = [*conditions, status.not_ready(*reason_and_message(failure))]
            log.error("AbstractOperator:261", f"{prefix}createOrUpdate failed\n{log_text(failure)}")
            status.write(self.kube, resource, new_status, prefix)
            log.warn("AbstractOperator:534", f"{prefix}Failed to reconcile\n{log_text(failure)}")
            return
        new_status["conditions"] = [*conditions, status.ready()]
        status.write(self.kube, resource, new_status, prefix)
        log.info("AbstractOperator:521", f"{prefix}reconciled")

    def initial(self, _old: Object) -> Object:
        """Return the fields that every new status keeps from the old one."""
        return {}

    def write_first_status(self, prefix: str, resource: Object, old: Object) -> None:
        """Write a status before the reconciliation starts. By default none."""

    def create_or_update(self, prefix: str, resource: Object, new_status: Object, conditions: list[Object]) -> None:
        """Reconcile the resource. Set fields of `new_status` once they are known, so that a failure keeps them."""
        raise NotImplementedError

    def on_deleted(self, prefix: str, namespace: str, name: str) -> None:
        """Handle a deleted resource. By default nothing, since Kubernetes deletes the objects that it owned."""


def run_periodically(interval: float, action: Callable[[], None]) -> None:
    """Run an action in the background at each interval."""
    def forever() -> None:
        while True:
            time.sleep(interval)
            action()
    threading.Thread(target=forever, name="timer", daemon=True).start()
