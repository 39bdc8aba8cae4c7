"""The StrimziPodSet controller: creates missing pods and deletes surplus ones, without the lock of the cluster."""
from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from . import log
from .kube import ApiError, Informer, Kube, Object, api_version
from .resources import owner_reference

# Selects the pods of the kinds that have StrimziPodSets.
OWNER_SELECTOR = "strimzi.io/kind in (Kafka,KafkaConnect,KafkaMirrorMaker2)"


class PodSetController:
    """Reconciles in one thread the StrimziPodSets for which an event arrived."""

    def __init__(self, kube: Kube, namespace: str | None, next_number: Callable[[], int]) -> None:
        self.kube, self.next_number = kube, next_number
        self.queue: queue.Queue[tuple[str, str]] = queue.Queue()
        self.pending: set[tuple[str, str]] = set()
        self.podsets = Informer(kube, "StrimziPodSet", namespace, self._on_podset_event)
        self.pods = Informer(kube, "Pod", namespace, self._on_pod_event, OWNER_SELECTOR)

    def start(self) -> None:
        log.info("StrimziPodSetController:580", "Starting the StrimziPodSet controller")
        self.pods.start()
        self.podsets.start()
        threading.Thread(target=self._run, name="podsets", daemon=True).start()

    def _enqueue(self, key: tuple[str, str]) -> None:
        if key not in self.pending:
            self.pending.add(key)
            self.queue.put(key)

    def _on_podset_event(self, event: str, podset: Object) -> None:
        if event != "DELETED":
            self._enqueue((podset["metadata"]["namespace"], podset["metadata"]["name"]))

    def _on_pod_event(self, _event: str, pod: Object) -> None:
        name = (pod["metadata"].get("labels") or {}).get("strimzi.io/controller-name")
        if name:
            self._enqueue((pod["metadata"]["namespace"], name))

    def _run(self) -> None:
        self.pods.synced.wait()
        self.podsets.synced.wait()
        log.info("StrimziPodSetController:557", "Informers are in-sync")
        while True:
            key = self.queue.get()
            self.pending.discard(key)
            try:
                self._reconcile(*key)
            except ApiError as failure:
                log.warn("StrimziPodSetController:395", f"StrimziPodSet {key[1]} in namespace {key[0]}: {failure}")
                threading.Timer(1, self._enqueue, [key]).start()
            except Exception:
                log.trace("StrimziPodSetController:395", f"StrimziPodSet {key[1]} in namespace {key[0]} failed")

    def _reconcile(self, namespace: str, name: str) -> None:
        podset = self.kube.get("StrimziPodSet", namespace, name)
        if podset is None or podset["metadata"].get("deletionTimestamp"):
            return
        prefix = f"Reconciliation #{self.next_number()}(watch) StrimziPodSet({namespace}/{name}): "
        log.info("StrimziPodSetController:350", f"{prefix}StrimziPodSet will be reconciled")
        existing = {pod["metadata"]["name"]: pod
                    for pod in self.kube.list("Pod", namespace, f"strimzi.io/controller-name={name}")}
        desired = {pod["metadata"]["name"]: pod for pod in podset["spec"]["pods"]}
        for pod_name in existing.keys() - desired.keys():
            if not existing[pod_name]["metadata"].get("deletionTimestamp"):
                self.kube.delete("Pod", namespace, pod_name)
        for pod_name, pod in desired.items():
            if pod_name not in existing:
                self._create_pod(podset, pod)
            elif existing[pod_name].get("status", {}).get("phase") in ("Failed", "Succeeded") \
                    and not existing[pod_name]["metadata"].get("deletionTimestamp"):
                self.kube.delete("Pod", namespace, pod_name)
        current = [pod for pod_name, pod in existing.items() if pod_name in desired]
        podset["apiVersion"], podset["kind"] = api_version("StrimziPodSet"), "StrimziPodSet"
        new_status = {"currentPods": sum(_revision(pod) == _revision(desired[pod["metadata"]["name"]])
                                         for pod in current),
                      "observedGeneration": podset["metadata"]["generation"],
                      "pods": len(desired), "readyPods": sum(is_ready(pod) for pod in current)}
        if podset.get("status") != new_status:
            self.kube.set_status(podset, new_status)
        log.info("StrimziPodSetController:388", f"{prefix}reconciled")

    def _create_pod(self, podset: Object, pod: Object) -> None:
        owned_pod = pod | {"metadata": pod["metadata"] | {
            "ownerReferences": [owner_reference(
                podset | {"apiVersion": api_version("StrimziPodSet"), "kind": "StrimziPodSet"},
                controller=True, block=True)]}}
        try:
            self.kube.create(owned_pod)
        except ApiError as failure:
            if failure.code != 409:
                raise


def _revision(pod: Object) -> str:
    return (pod["metadata"].get("annotations") or {}).get("strimzi.io/revision", "")


def is_ready(pod: Object) -> bool:
    """Return whether a pod is ready and not being deleted."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions") or [])


def has_old_revision(pod: Object, desired: Object) -> bool:
    """Return whether a pod has another revision than the desired pod."""
    return _revision(pod) != _revision(desired)
