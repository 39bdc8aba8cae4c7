"""The few Kubernetes API calls the operators make, over plain HTTP.

A client library would be larger than the operators themselves and slow to import within their CPU limit.
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

# Strimzi's API groups, and the version of both that 1.0 drops.
STRIMZI = ("kafka.strimzi.io", "core.strimzi.io")
OLD = "v1beta2"

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
    """An answer of the API server that is not a success."""

    def __init__(self, code: int, message: str, url: str = ""):
        super().__init__(message)
        self.code = code
        self.url = url


def api_version(kind: str) -> str:
    """`kafka.strimzi.io/v1` for `Kafka`, `v1` for `Pod`."""
    return KINDS[kind][0].split("/", 1)[1]


class Kube:
    """A client that runs as the pod's service account."""

    def __init__(self) -> None:
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        self.base = f"https://{host}:{port}"
        self.pool = urllib3.PoolManager(maxsize=20, ca_certs=f"{ACCOUNT}/ca.crt", retries=False)
        self._choose_versions()

    def _choose_versions(self) -> None:
        """Before 1.0, whose definitions have it no more, the operators read and write v1beta2. What they chose when
        they started they keep: an upgrade takes it from under them."""
        for group in STRIMZI:
            try:
                served = self.request("GET", f"{self.base}/apis/{group}")["versions"]
            except ApiError as error:
                if error.code == 404:
                    continue
                raise
            if OLD in (version["version"] for version in served):
                for kind, (prefix, plural) in KINDS.items():
                    if prefix == f"apis/{group}/v1":
                        KINDS[kind] = (f"apis/{group}/{OLD}", plural)

    def _headers(self) -> dict[str, str]:
        # The kubelet renews the token in its file.
        with open(f"{ACCOUNT}/token", encoding="ascii") as file:
            return {"Authorization": f"Bearer {file.read().strip()}", "Accept": "application/json"}

    def url(self, kind: str, namespace: str | None, name: str = "", sub: str = "") -> str:
        prefix, plural = KINDS[kind]
        parts = [self.base, prefix]
        if namespace:
            parts += ["namespaces", namespace]
        parts += [part for part in (plural, name, sub) if part]
        return "/".join(parts)

    def request(self, method: str, url: str, body: Object | None = None,
                content: str = "application/json", fields: dict[str, str] | None = None) -> Object:
        headers = self._headers()
        if body is not None:
            headers["Content-Type"] = content
        if fields:
            from urllib.parse import urlencode
            url = f"{url}?{urlencode(fields)}"
        answer = self.pool.request(method, url, headers=headers, timeout=30.0,
                                   body=None if body is None else json.dumps(body).encode())
        data = json.loads(answer.data or b"{}")
        if answer.status >= 400:
            raise ApiError(answer.status, data.get("message", str(answer.status)), f"{method} at: {url}")
        return data

    def get(self, kind: str, namespace: str, name: str) -> Object | None:
        """The object, or None where there is none."""
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

    def replace(self, obj: Object, sub: str = "") -> Object:
        meta = obj["metadata"]
        return self.request("PUT", self.url(obj["kind"], meta["namespace"], meta["name"], sub), obj)

    def apply(self, obj: Object) -> Object:
        """Server-side apply: create it or make it what is wanted."""
        meta = obj["metadata"]
        return self.request("PATCH", self.url(obj["kind"], meta["namespace"], meta["name"]), obj,
                            "application/apply-patch+yaml", {"fieldManager": FIELD_MANAGER, "force": "true"})

    def merge(self, kind: str, namespace: str, name: str, patch: Object) -> Object:
        return self.request("PATCH", self.url(kind, namespace, name), patch, "application/merge-patch+json")

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete; not an error where there is none."""
        try:
            self.request("DELETE", self.url(kind, namespace, name))
        except ApiError as error:
            if error.code != 404:
                raise

    def set_status(self, obj: Object, status: Object) -> Object | None:
        """Replace the whole status, whatever happened to the rest since; None where the object is gone."""
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
        """The events after a resource version, until the server ends the watch."""
        from urllib.parse import urlencode
        fields = {"watch": "1", "resourceVersion": version, "timeoutSeconds": "240"}
        if labels:
            fields["labelSelector"] = labels
        url = f"{self.url(kind, namespace)}?{urlencode(fields)}"
        answer = self.pool.request("GET", url, headers=self._headers(), preload_content=False,
                                   timeout=urllib3.Timeout(connect=10, read=300))
        try:
            if answer.status >= 400:
                raise ApiError(answer.status, answer.data.decode(errors="replace"), url)
            buffer = b""
            for chunk in answer.stream(65536):
                buffer += chunk
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    if line.strip():
                        yield json.loads(line)
        finally:
            answer.close()


class Informer:
    """Keeps the objects of one kind known and tells each change, ADDED, MODIFIED or DELETED, in order."""

    def __init__(self, kube: Kube, kind: str, namespace: str | None,
                 tell: Callable[[str, Object], None], labels: str = ""):
        self.kube, self.kind, self.namespace, self.tell, self.labels = kube, kind, namespace, tell, labels
        self.known: dict[tuple[str, str], Object] = {}
        self.synced = threading.Event()

    def start(self) -> Informer:
        threading.Thread(target=self._forever, name=f"watch-{self.kind}", daemon=True).start()
        return self

    def _forever(self) -> None:
        while True:
            try:
                self._once()
            except Exception as failure:  # a watch must outlive whatever the server does
                log.warn("Informer", f"Watch of {self.kind} failed and is opened again: {failure}")
                time.sleep(1)

    def _once(self) -> None:
        fields = {"labelSelector": self.labels} if self.labels else None
        listed = self.kube.request("GET", self.kube.url(self.kind, self.namespace), fields=fields)
        seen = set()
        for item in listed["items"]:
            item["kind"], item["apiVersion"] = self.kind, api_version(self.kind)
            seen.add(self._note(item))
        for key in set(self.known) - seen:
            self.tell("DELETED", self.known.pop(key))
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
                    self.known.pop(self._key(item), None)
                    self.tell("DELETED", item)
                elif event["type"] in ("ADDED", "MODIFIED"):
                    self._note(item)

    @staticmethod
    def _key(item: Object) -> tuple[str, str]:
        return item["metadata"]["namespace"], item["metadata"]["name"]

    def _note(self, item: Object) -> tuple[str, str]:
        key = self._key(item)
        old = self.known.get(key)
        self.known[key] = item
        if old is None:
            self.tell("ADDED", item)
        elif old["metadata"]["uid"] != item["metadata"]["uid"]:
            self.tell("DELETED", old)
            self.tell("ADDED", item)
        elif old["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            self.tell("MODIFIED", item)
        return key
