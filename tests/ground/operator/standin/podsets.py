"""The StrimziPodSet controller: missing pods are made, surplus ones deleted, whoever holds a cluster's lock."""
from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from . import log
from .kube import ApiError, Informer, Kube, Object, api_version
from .resources import owner

# The kinds of resources that have StrimziPodSets.
OWNERS = "strimzi.io/kind in (Kafka,KafkaConnect,KafkaMirrorMaker2)"


class PodSets:
    """One thread that works off the sets that something happened to."""

    def __init__(self, kube: Kube, namespace: str | None, number: Callable[[], int]) -> None:
        self.kube, self.number = kube, number
        self.queue: queue.Queue[tuple[str, str]] = queue.Queue()
        self.pending: set[tuple[str, str]] = set()
        self.sets = Informer(kube, "StrimziPodSet", namespace, self._set_changed)
        self.pods = Informer(kube, "Pod", namespace, self._pod_changed, OWNERS)

    def start(self) -> None:
        log.info("StrimziPodSetController:580", "Starting the StrimziPodSet controller")
        self.pods.start()
        self.sets.start()
        threading.Thread(target=self._work, name="podsets", daemon=True).start()

    def _put(self, key: tuple[str, str]) -> None:
        if key not in self.pending:
            self.pending.add(key)
            self.queue.put(key)

    def _set_changed(self, event: str, podset: Object) -> None:
        if event != "DELETED":
            self._put((podset["metadata"]["namespace"], podset["metadata"]["name"]))

    def _pod_changed(self, _event: str, pod: Object) -> None:
        name = (pod["metadata"].get("labels") or {}).get("strimzi.io/controller-name")
        if name:
            self._put((pod["metadata"]["namespace"], name))

    def _work(self) -> None:
        self.pods.synced.wait()
        self.sets.synced.wait()
        log.info("StrimziPodSetController:557", "Informers are in-sync")
        while True:
            key = self.queue.get()
            self.pending.discard(key)
            try:
                self._reconcile(*key)
            except ApiError as failure:
                log.warn("StrimziPodSetController:395", f"StrimziPodSet {key[1]} in namespace {key[0]}: {failure}")
                threading.Timer(1, self._put, [key]).start()
            except Exception:
                log.trace("StrimziPodSetController:395", f"StrimziPodSet {key[1]} in namespace {key[0]} failed")

    def _reconcile(self, namespace: str, name: str) -> None:
        podset = self.kube.get("StrimziPodSet", namespace, name)
        if podset is None or podset["metadata"].get("deletionTimestamp"):
            return
        prefix = f"Reconciliation #{self.number()}(watch) StrimziPodSet({namespace}/{name}): "
        log.info("StrimziPodSetController:350", f"{prefix}StrimziPodSet will be reconciled")
        have = {pod["metadata"]["name"]: pod
                for pod in self.kube.list("Pod", namespace, f"strimzi.io/controller-name={name}")}
        wanted = {pod["metadata"]["name"]: pod for pod in podset["spec"]["pods"]}
        for pod_name in have.keys() - wanted.keys():
            if not have[pod_name]["metadata"].get("deletionTimestamp"):
                self.kube.delete("Pod", namespace, pod_name)
        for pod_name, pod in wanted.items():
            if pod_name not in have:
                self._create(podset, pod)
            elif have[pod_name].get("status", {}).get("phase") in ("Failed", "Succeeded") \
                    and not have[pod_name]["metadata"].get("deletionTimestamp"):
                self.kube.delete("Pod", namespace, pod_name)
        current = [pod for pod_name, pod in have.items() if pod_name in wanted]
        podset["apiVersion"], podset["kind"] = api_version("StrimziPodSet"), "StrimziPodSet"
        made = {"currentPods": sum(_revision(pod) == _revision(wanted[pod["metadata"]["name"]]) for pod in current),
                "observedGeneration": podset["metadata"]["generation"],
                "pods": len(wanted), "readyPods": sum(is_ready(pod) for pod in current)}
        if podset.get("status") != made:
            self.kube.set_status(podset, made)
        log.info("StrimziPodSetController:388", f"{prefix}reconciled")

    def _create(self, podset: Object, pod: Object) -> None:
        made = pod | {"metadata": pod["metadata"] | {
            "ownerReferences": [owner(podset | {"apiVersion": api_version("StrimziPodSet"), "kind": "StrimziPodSet"},
                                      controller=True, block=True)]}}
        try:
            self.kube.create(made)
        except ApiError as failure:
            if failure.code != 409:
                raise


def _revision(pod: Object) -> str:
    return (pod["metadata"].get("annotations") or {}).get("strimzi.io/revision", "")


def is_ready(pod: Object) -> bool:
    """A pod that serves."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions") or [])


def old_revision(pod: Object, wanted: Object) -> bool:
    """A pod made from an older template."""
    return _revision(pod) != _revision(wanted)


