"""Common to the topic operator and the user operator: a thread that reconciles the resources of one kind."""
from __future__ import annotations

import os
import queue
import signal
import threading

from . import STAND_IN, health, log
from .assembly import run_periodically
from .kafka_admin import Admin
from .kube import ApiError, Informer, Kube, Object


class Worker:
    """Reconciles in one thread the resources for which an event arrived."""

    kind = ""
    # Class and line in Strimzi's log.
    log_location = ""
    # Seconds until a resource is reconciled again after an unexpected exception.
    retry_delay: float | None = None

    def __init__(self, kube: Kube, namespace: str, labels: str, admin: Admin):
        self.kube, self.namespace, self.admin = kube, namespace, admin
        self.queue: queue.Queue[tuple[str, str]] = queue.Queue()
        self.informer = Informer(kube, self.kind, namespace, self._on_event, labels)

    def _on_event(self, _event: str, resource: Object) -> None:
        self.queue.put((resource["metadata"]["namespace"], resource["metadata"]["name"]))

    def _enqueue_all(self) -> None:
        for key in list(self.informer.cache):
            self.queue.put(key)

    def run(self) -> None:
        self.informer.start()
        run_periodically(120, self._enqueue_all)
        while True:
            key = self.queue.get()
            try:
                self._reconcile(*key)
            except ApiError as failure:
                log.warn(self.log_location, f"{self.kind} {key[1]}: {failure}")
                if failure.code == 409 or failure.code >= 500:
                    self._enqueue_later(key, 0.5)
            except Exception:
                log.trace(self.log_location, f"{self.kind} {key[1]} failed")
                if self.retry_delay:
                    self._enqueue_later(key, self.retry_delay)

    def _enqueue_later(self, key: tuple[str, str], seconds: float) -> None:
        threading.Timer(seconds, self.queue.put, [key]).start()

    def _reconcile(self, namespace: str, name: str) -> None:
        raise NotImplementedError


def serve(worker: type[Worker], title: str, start_location: str, labels_variable: str, port: int) -> None:
    """Run until SIGTERM. `labels_variable` is the environment variable with the label selector."""
    print(STAND_IN.format(title), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    health.serve(port)
    admin = Admin(os.environ["STRIMZI_KAFKA_BOOTSTRAP_SERVERS"])
    log.info(start_location, f"{title.title().replace(' ', '')} is starting")
    operator = worker(Kube(), os.environ["STRIMZI_NAMESPACE"], os.environ[labels_variable], admin)
    threading.Thread(target=operator.run, daemon=True).start()
    while True:
        signal.pause()
