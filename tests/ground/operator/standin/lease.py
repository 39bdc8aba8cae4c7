"""Leader election by a Lease, with the durations of the real operator.

Without rights to the lease the operator waits for ever, alive and Ready, and says so in its log alone.
"""
from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timezone

from . import log
from .kube import ApiError, Kube, Object

DURATION, DEADLINE, RETRY = 15, 10, 2


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Leadership:
    """The lease of this process."""

    def __init__(self, kube: Kube, namespace: str, name: str, identity: str):
        self.kube, self.namespace, self.name, self.identity = kube, namespace, name, identity
        self.seen: tuple[str, float] = ("", 0.0)
        self.told = ""
        self.stopping = False

    def acquire(self) -> None:
        """Return once this process leads; then keep the lease renewed, and end the process if it is lost."""
        log.info("LeaderElectionManager:69", "Starting the Leader Elector")
        while not self._try():
            time.sleep(RETRY)
        log.info("LeaderElectionManager:121", f"The new leader is {self.identity}")
        log.info("LeaderElectionManager:103", "Started being a leader")
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def release(self) -> None:
        """Let the next process lead at once."""
        self.stopping = True
        for _try in range(3):
            try:
                lease = self.kube.get("Lease", self.namespace, self.name)
                if lease and lease["spec"].get("holderIdentity") == self.identity:
                    lease["spec"]["holderIdentity"] = ""
                    self.kube.replace(lease)
                return
            except Exception as failure:  # a renewal came between, or the API is away: the process ends anyway
                log.warn("LeaderElectionManager:110", f"Could not release the lease: {failure}")

    def _renew(self) -> None:
        good = time.monotonic()
        while self.stopping or time.monotonic() - good < DEADLINE:
            if not self.stopping and self._try():
                good = time.monotonic()
            time.sleep(RETRY)
        log.error("LeaderElectionManager:110", "Stopped being a leader")
        os._exit(1)

    def _try(self) -> bool:
        try:
            return self._take()
        except ApiError as failure:
            lock = f"LeaseLock: {self.namespace} - {self.name} ({self.identity})"
            log.warn("LeaderElector:189", f"Exception occurred while acquiring lock '{lock} retrying...'\n"
                     "io.fabric8.kubernetes.client.KubernetesClientException: "
                     f"Failure executing: {failure.url}. Message: {failure}.")
        except Exception as failure:
            log.warn("LeaderElector:189", f"Exception occurred while acquiring lock: {failure}")
        return False

    def _take(self) -> bool:
        lease = self.kube.get("Lease", self.namespace, self.name)
        if lease is None:
            self.kube.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                              "metadata": {"name": self.name, "namespace": self.namespace},
                              "spec": self._spec(None)})
            return True
        spec = lease["spec"]
        holder = spec.get("holderIdentity") or ""
        if holder and holder != self.told:
            self.told = holder
            if holder != self.identity:
                log.info("LeaderElectionManager:121", f"The new leader is {holder}")
        if holder and holder != self.identity:
            # Expired only if it stood still for its duration by our own clock.
            mark = spec.get("renewTime", "")
            if mark != self.seen[0]:
                self.seen = (mark, time.monotonic())
                return False
            if time.monotonic() - self.seen[1] < spec.get("leaseDurationSeconds", DURATION):
                return False
        lease["spec"] = self._spec(spec)
        try:
            self.kube.replace(lease)
        except ApiError as failure:
            if failure.code == 409:
                return False
            raise
        return True

    def _spec(self, old: Object | None) -> Object:
        old = old or {}
        same = old.get("holderIdentity") == self.identity
        return {"holderIdentity": self.identity, "leaseDurationSeconds": DURATION, "renewTime": _now(),
                "acquireTime": old.get("acquireTime", _now()) if same else _now(),
                "leaseTransitions": old.get("leaseTransitions", 0) + (0 if same else 1)}
