"""What the operators in the entity operator's pod have in common: a thread that works off resources of one kind."""
from __future__ import annotations

import os
import queue
import signal
import threading

from . import STAND_IN, health, log
from .assembly import periodically
from .kafka_admin import Admin
from .kube import ApiError, Informer, Kube, Object


class Worker:
    """One thread works off the resources that something happened to."""

    kind = ""
    # Class and line of the real one's log.
    where = ""
    # How long until a resource is looked at again after an error of the stand-in's own.
    retry: float | None = None

    def __init__(self, kube: Kube, namespace: str, labels: str, admin: Admin):
        self.kube, self.namespace, self.admin = kube, namespace, admin
        self.queue: queue.Queue[tuple[str, str]] = queue.Queue()
        self.informer = Informer(kube, self.kind, namespace, self._changed, labels)

    def _changed(self, _event: str, resource: Object) -> None:
        self.queue.put((resource["metadata"]["namespace"], resource["metadata"]["name"]))

    def _all(self) -> None:
        for key in list(self.informer.known):
            self.queue.put(key)

    def run(self) -> None:
        self.informer.start()
        periodically(120, self._all)
        while True:
            key = self.queue.get()
            try:
                self._reconcile(*key)
            except ApiError as failure:
                log.warn(self.where, f"{self.kind} {key[1]}: {failure}")
                if failure.code == 409 or failure.code >= 500:
                    self._again(key, 0.5)
            except Exception:
                log.trace(self.where, f"{self.kind} {key[1]} failed")
                if self.retry:
                    self._again(key, self.retry)

    def _again(self, key: tuple[str, str], seconds: float) -> None:
        threading.Timer(seconds, self.queue.put, [key]).start()

    def _reconcile(self, namespace: str, name: str) -> None:
        raise NotImplementedError


def serve(worker: type[Worker], title: str, started: str, labels: str, port: int) -> None:
    """Run until the pod is stopped. `labels`: the variable with the label selector."""
    print(STAND_IN.format(title), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    health.serve(port)
    admin = Admin(os.environ["STRIMZI_KAFKA_BOOTSTRAP_SERVERS"])
    log.info(started, f"{title.title().replace(' ', '')} is starting")
    operator = worker(Kube(), os.environ["STRIMZI_NAMESPACE"], os.environ[labels], admin)
    threading.Thread(target=operator.run, daemon=True).start()
    while True:
        signal.pause()
