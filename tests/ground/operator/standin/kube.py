"""The Kubernetes API calls of the operators, as HTTP requests.

A client library would be larger than the operators themselves, and slow to import within their CPU limit.
"""
from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import urllib3

from . import log

Object = dict[str, Any]

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
FIELD_MANAGER = "strimzi-cluster-operator"

# Strimzi's API groups, and the version of both that Strimzi 1.0 removes.
STRIMZI_GROUPS = ("kafka.strimzi.io", "core.strimzi.io")
OLD_VERSION = "v1beta2"

# kind: (API group and version below /api or /apis, plural)
KINDS = {
    "ConfigMap": ("api/v1", "configmaps"),
    "PersistentVolumeClaim": ("api/v1", "persistentvolumeclaims"),
    "Pod": ("api/v1", "pods"),
    "Secret": ("api/v1", "secrets"),
    "Service": ("api/v1", "services"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "Event": ("apis/events.k8s.io/v1", "events"),
    "Kafka": ("apis/kafka.strimzi.io/v1", "kafkas"),
    "KafkaBridge": ("apis/kafka.strimzi.io/v1", "kafkabridges"),
    "KafkaConnect": ("apis/kafka.strimzi.io/v1", "kafkaconnects"),
    "KafkaConnector": ("apis/kafka.strimzi.io/v1", "kafkaconnectors"),
    "KafkaMirrorMaker2": ("apis/kafka.strimzi.io/v1", "kafkamirrormaker2s"),
    "KafkaNodePool": ("apis/kafka.strimzi.io/v1", "kafkanodepools"),
    "KafkaRebalance": ("apis/kafka.strimzi.io/v1", "kafkarebalances"),
    "KafkaTopic": ("apis/kafka.strimzi.io/v1", "kafkatopics"),
    "KafkaUser": ("apis/kafka.strimzi.io/v1", "kafkausers"),
    "Lease": ("apis/coordination.k8s.io/v1", "leases"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    "StrimziPodSet": ("apis/core.strimzi.io/v1", "strimzipodsets"),
}


class ApiError(Exception):
    """An error response from the API server."""

    def __init__(self, code: int, message: str, url: str = ""):
        super().__init__(message)
        self.code = code
        self.url = url


def api_version(kind: str) -> str:
    """Return the apiVersion of a kind: `kafka.strimzi.io/v1` for `Kafka`, `v1` for `Pod`."""
    return KINDS[kind][0].split("/", 1)[1]


class Kube:
    """A client for the Kubernetes API with the pod's service account."""

    def __init__(self) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self.base = f"https://{host}:{port}"
        self.pool = urllib3.PoolManager(maxsize=20, ca_certs=f"{ACCOUNT}/ca.crt", retries=False)
        self._choose_versions()

    def _choose_versions(self) -> None:
        """Use v1beta2 if the CRDs serve it, like Strimzi's operators before 1.0. As there, the choice is made at
        startup, so an upgrade of the CRDs can remove the version that a running operator uses."""
        for group in STRIMZI_GROUPS:
            try:
                served = self.request("GET", f"{self.base}/apis/{group}")["versions"]
            except ApiError as error:
                if error.code == 404:
                    continue
                raise
            if OLD_VERSION in (version["version"] for version in served):
                for kind, (prefix, plural) in KINDS.items():
                    if prefix == f"apis/{group}/v1":
                        KINDS[kind] = (f"apis/{group}/{OLD_VERSION}", plural)

    def _headers(self) -> dict[str, str]:
        # Read the file each time, because the kubelet renews the token.
        with open(f"{ACCOUNT}/token", encoding="ascii") as file:
            return {"Authorization": f"Bearer {file.read().strip()}", "Accept": "application/json"}

    def url(self, kind: str, namespace: str | None, name: str = "", subresource: str = "") -> str:
        prefix, plural = KINDS[kind]
        parts = [self.base, prefix]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (plural, name, subresource) if part]
        return "/".join(parts)

    def request(self, method: str, url: str, body: Object | None = None,
                content: str = "application/json", fields: dict[str, str] | None = None) -> Object:
        headers = self._headers()
        if body is not None:
            headers["Content-Type"] = content
        if fields:
            from urllib.parse import urlencode
            url = f"{url}?{urlencode(fields)}"
        response = self.pool.request(method, url, headers=headers, timeout=30.0,
                                     body=None if body is None else json.dumps(body).encode())
        data = json.loads(response.data or b"{}")
        if response.status >= 400:
            raise ApiError(response.status, data.get("message", str(response.status)), f"{method} at: {url}")
        return data

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """Return the object, or None if it does not exist."""
        try:
            return self.request("GET", self.url(kind, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    def list(self, kind: str, namespace: str | None, labels: str = "") -> list[Object]:
        fields = {"labelSelector": labels} if labels else None
        items = self.request("GET", self.url(kind, namespace), fields=fields)["items"]
        for item in items:
            item.setdefault("kind", kind)
            item.setdefault("apiVersion", api_version(kind))
        return items

    def create(self, obj: Object) -> Object:
        return self.request("POST", self.url(obj["kind"], obj["metadata"]["namespace"]), obj)

    def replace(self, obj: Object, subresource: str = "") -> Object:
        meta = obj["metadata"]
        return self.request("PUT", self.url(obj["kind"], meta["namespace"], meta["name"], subresource), obj)

    def apply(self, obj: Object) -> Object:
        """Create or update the object with server-side apply."""
        meta = obj["metadata"]
        return self.request("PATCH", self.url(obj["kind"], meta["namespace"], meta["name"]), obj,
                            "application/apply-patch+yaml", {"fieldManager": FIELD_MANAGER, "force": "true"})

    def set_owners(self, obj: Object, owners: list[Object]) -> None:
        """Replace the owners of an existing object, as Strimzi's operator does when it reconciles one.

        What an earlier resource of the same name left behind would otherwise be deleted by the garbage collector.
        """
        meta = obj["metadata"]
        if [owner["uid"] for owner in meta.get("ownerReferences") or []] != [owner["uid"] for owner in owners]:
            self.merge_patch(obj["kind"], meta["namespace"], meta["name"], {"metadata": {"ownerReferences": owners}})

    def merge_patch(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        return self.request("PATCH", self.url(kind, namespace, name), patch, "application/merge-patch+json")

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete the object, if it exists."""
        try:
            self.request("DELETE", self.url(kind, namespace, name))
        except ApiError as error:
            if error.code != 404:
                raise

    def set_status(self, obj: Object, status: Object) -> Object | None:
        """Replace the whole status, even if the object was changed since. None if it no longer exists."""
        meta = obj["metadata"]
        while True:
            current = self.get(obj["kind"], meta["namespace"], meta["name"])
            if current is None or current["metadata"]["uid"] != meta["uid"]:
                return None
            current["status"] = status
            try:
                return self.replace(current, "status")
            except ApiError as error:
                if error.code == 404:
                    return None
                if error.code != 409:
                    raise

    def watch(self, kind: str, namespace: str | None, version: str, labels: str = "") -> Iterator[Object]:
        """Yield the events after a resource version, until the server ends the watch."""
        from urllib.parse import urlencode
        fields = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "240"}
        if labels:
            fields["labelSelector"] = labels
        url = f"{self.url(kind, namespace)}?{urlencode(fields)}"
        response = self.pool.request("GET", url, headers=self._headers(), preload_content=False,
                                     timeout=urllib3.Timeout(connect=10, read=300))
        try:
            if response.status >= 400:
                raise ApiError(response.status, response.data.decode(errors="replace"), url)
            buffer = b""
            for chunk in response.stream(65536):
                buffer += chunk
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
        finally:
            response.close()


class Informer:
    """Caches the objects of one kind and reports each change in order: ADDED, MODIFIED or DELETED."""

    def __init__(self, kube: Kube, kind: str, namespace: str | None,
                 on_event: Callable[[str, Object], None], labels: str = ""):
        self.kube, self.kind, self.namespace, self.on_event, self.labels = kube, kind, namespace, on_event, labels
        self.cache: dict[tuple[str, str], Object] = {}
        self.synced = threading.Event()

    def start(self) -> Informer:
        threading.Thread(target=self._run, name=f"watch-{self.kind}", daemon=True).start()
        return self

    def _run(self) -> None:
        while True:
            try:
                self._list_and_watch()
            except Exception as failure:  # the watch must continue after any error
                log.warn("Informer", f"Watch of {self.kind} failed and is opened again: {failure}")
                time.sleep(1)

    def _list_and_watch(self) -> None:
        fields = {"labelSelector": self.labels} if self.labels else None
        listed = self.kube.request("GET", self.kube.url(self.kind, self.namespace), fields=fields)
        seen = set()
        for item in listed["items"]:
            item["kind"], item["apiVersion"] = self.kind, api_version(self.kind)
            seen.add(self._update(item))
        for key in set(self.cache) - seen:
            self.on_event("DELETED", self.cache.pop(key))
        self.synced.set()
        version = listed["metadata"]["resourceVersion"]
        while True:
            for event in self.kube.watch(self.kind, self.namespace, version, self.labels):
                item = event["object"]
                if event["type"] == "ERROR":
                    if item.get("code") == 410:
                        return
                    raise ApiError(item.get("code", 0), item.get("message", "watch error"))
                version = item["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self.cache.pop(self._key(item), None)
                    self.on_event("DELETED", item)
                elif event["type"] in ("ADDED", "MODIFIED"):
                    self._update(item)

    @staticmethod
    def _key(item: Object) -> tuple[str, str]:
        return item["metadata"]["namespace"], item["metadata"]["name"]

    def _update(self, item: Object) -> tuple[str, str]:
        key = self._key(item)
        old = self.cache.get(key)
        self.cache[key] = item
        if old is None:
            self.on_event("ADDED", item)
        elif old["metadata"]["uid"] != item["metadata"]["uid"]:
            self.on_event("DELETED", old)
            self.on_event("ADDED", item)
        elif old["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            self.on_event("MODIFIED", item)
        return key
