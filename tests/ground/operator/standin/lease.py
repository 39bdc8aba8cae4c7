"""Leader election by a Lease, with the durations of Strimzi's operator.

Without permission for the Lease the operator waits forever. Its pod is ready; only the log shows the error.
"""
from __future__ import annotations

import os
import threading
import time
from datetime import datetime, timezone

from . import log
from .kube import ApiError, Kube, Object

LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD = 15, 10, 2


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Leadership:
    """Acquires, renews and releases the Lease for this process."""

    def __init__(self, kube: Kube, namespace: str, name: str, identity: str):
        self.kube, self.namespace, self.name, self.identity = kube, namespace, name, identity
        self.observed_renewal: tuple[str, float] = ("", 0.0)
        self.logged_leader = ""
        self.stopping = False

    def acquire(self) -> None:
        """Wait until this process is the leader. Then renew the Lease in the background; exit if it is lost."""
        log.info("LeaderElectionManager:69", "Starting the Leader Elector")
        while not self._acquire_or_renew():
            time.sleep(RETRY_PERIOD)
        log.info("LeaderElectionManager:121", f"The new leader is {self.identity}")
        log.info("LeaderElectionManager:103", "Started being a leader")
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def release(self) -> None:
        """Release the Lease, so that another process can acquire it immediately."""
        self.stopping = True
        for _attempt in range(3):
            try:
                lease = self.kube.get("Lease", self.namespace, self.name)
                if lease and lease["spec"].get("holderIdentity") == self.identity:
                    lease["spec"]["holderIdentity"] = ""
                    self.kube.replace(lease)
                return
            except Exception as failure:  # a concurrent renewal, or the API is unreachable: the process exits anyway
                log.warn("LeaderElectionManager:110", f"Could not release the lease: {failure}")

    def _renew(self) -> None:
        last_renewal = time.monotonic()
        while self.stopping or time.monotonic() - last_renewal < RENEW_DEADLINE:
            if not self.stopping and self._acquire_or_renew():
                last_renewal = time.monotonic()
            time.sleep(RETRY_PERIOD)
        log.error("LeaderElectionManager:110", "Stopped being a leader")
        os._exit(1)

    def _acquire_or_renew(self) -> bool:
        try:
            return self._update_lease()
        except ApiError as failure:
            lock = f"LeaseLock: {self.namespace} - {self.name} ({self.identity})"
            log.warn("LeaderElector:189", f"Exception occurred while acquiring lock '{lock} retrying...'\n"
                     "io.fabric8.kubernetes.client.KubernetesClientException: "
                     f"Failure executing: {failure.url}. Message: {failure}.")
        except Exception as failure:
            log.warn("LeaderElector:189", f"Exception occurred while acquiring lock: {failure}")
        return False

    def _update_lease(self) -> bool:
        lease = self.kube.get("Lease", self.namespace, self.name)
        if lease is None:
            self.kube.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                              "metadata": {"name": self.name, "namespace": self.namespace},
                              "spec": self._spec(None)})
            return True
        spec = lease["spec"]
        holder = spec.get("holderIdentity") or ""
        if holder and holder != self.logged_leader:
            self.logged_leader = holder
            if holder != self.identity:
                log.info("LeaderElectionManager:121", f"The new leader is {holder}")
        if holder and holder != self.identity:
            # It has expired if renewTime did not change for the Lease's duration, by the clock of this process.
            renew_time = spec.get("renewTime", "")
            if renew_time != self.observed_renewal[0]:
                self.observed_renewal = (renew_time, time.monotonic())
                return False
            if time.monotonic() - self.observed_renewal[1] < spec.get("leaseDurationSeconds", LEASE_DURATION):
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
        is_holder = old.get("holderIdentity") == self.identity
        return {"holderIdentity": self.identity, "leaseDurationSeconds": LEASE_DURATION, "renewTime": _now(),
                "acquireTime": old.get("acquireTime", _now()) if is_holder else _now(),
                "leaseTransitions": old.get("leaseTransitions", 0) + (0 if is_holder else 1)}
