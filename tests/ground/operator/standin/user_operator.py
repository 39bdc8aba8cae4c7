"""KafkaUsers become secrets, and credentials, rules and limits of the real Kafka; runs in the entity operator's pod."""
from __future__ import annotations

import os
from typing import Any

from . import certs, rights, status
from .kube import Object, api_version
from .resources import owner
from .worker import Worker, serve

NO_ACLS = ("io.strimzi.operator.common.ReconciliationException: "
           "io.strimzi.operator.common.model.InvalidResourceException: Simple authorization ACL rules are configured "
           "but not supported in the Kafka cluster configuration.")


def _username(user: Object) -> str:
    """The name by which Kafka knows a user."""
    name = user["metadata"]["name"]
    tls = ((user.get("spec") or {}).get("authentication") or {}).get("type") in ("tls", "tls-external")
    return f"CN={name}" if tls else name


class UserOperator(Worker):
    """Reconciles KafkaUsers."""

    kind, where = "KafkaUser", "UserControllerLoop:120"

    def __init__(self, *arguments: Any):
        self.gone: dict[tuple[str, str], Object] = {}
        super().__init__(*arguments)

    def _changed(self, event: str, user: Object) -> None:
        if event == "DELETED":
            self.gone[user["metadata"]["namespace"], user["metadata"]["name"]] = user
        super()._changed(event, user)

    def _reconcile(self, namespace: str, name: str) -> None:
        user = self.kube.get("KafkaUser", namespace, name)
        gone = self.gone.pop((namespace, name), None)
        if user is None or user["metadata"].get("deletionTimestamp"):
            if gone is not None:
                self._forget(gone)
            return
        user["apiVersion"], user["kind"] = api_version("KafkaUser"), "KafkaUser"
        if (user["metadata"].get("annotations") or {}).get("strimzi.io/pause-reconciliation") == "true":
            paused = {"conditions": [status.condition("ReconciliationPaused")],
                      "observedGeneration": user["metadata"]["generation"]}
            status.write(self.kube, user, paused, where="UserController:300")
            return
        spec = user.get("spec") or {}
        made: Object = {"observedGeneration": user["metadata"]["generation"]}
        if "authorization" in spec and os.environ.get("STRIMZI_ACLS_ADMIN_API_SUPPORTED") != "true":
            made["conditions"] = [status.not_ready("ExecutionException", NO_ACLS)]
        else:
            kind = (spec.get("authentication") or {}).get("type")
            if kind:
                secret = os.environ.get("STRIMZI_SECRET_PREFIX", "") + name
                self._secret(user, kind, secret)
                made["secret"] = secret
            made["username"] = _username(user)
            self._rights(user)
            made["conditions"] = [status.ready()]
        status.write(self.kube, user, made, where="UserController:300")

    def _rights(self, user: Object) -> None:
        spec = user.get("spec") or {}
        if os.environ.get("STRIMZI_ACLS_ADMIN_API_SUPPORTED") == "true":
            rights.acls(self.admin, _username(user), (spec.get("authorization") or {}).get("acls") or [])
        rights.quotas(self.admin.bootstrap, _username(user), spec.get("quotas") or {})

    def _forget(self, user: Object) -> None:
        """A user that was deleted may do nothing any more."""
        user["spec"] = {"authentication": (user.get("spec") or {}).get("authentication") or {}}
        self._rights(user)
        rights.password(self.admin, user["metadata"]["name"], None)

    def _secret(self, user: Object, kind: str, secret: str) -> None:
        """The user's credentials, made once; Kafka is told a password again whenever it has lost it."""
        if kind not in ("tls", "scram-sha-512"):
            return
        name, password = user["metadata"]["name"], certs.password()
        found = self.kube.get("Secret", self.namespace, secret)
        if found is not None:
            if kind == "scram-sha-512":
                rights.password(self.admin, name, certs.decode(found["data"]["password"]))
            return
        if kind == "tls":
            cert_secret = self._read(os.environ["STRIMZI_CA_CERT_NAME"])
            key_secret = self._read(os.environ["STRIMZI_CA_KEY_NAME"])
            ca_cert = certs.decode(cert_secret["ca.crt"])
            cert, key = certs.signed(name, ca_cert, certs.decode(key_secret["ca.key"]), [], user=True)
            data: dict[str, str | bytes] = {"ca.crt": ca_cert, "user.crt": cert, "user.key": key,
                                            "user.p12": certs.keystore(cert, key, name, password),
                                            "user.password": password}
        else:
            login = "org.apache.kafka.common.security.scram.ScramLoginModule"
            data = {"password": password,
                    "sasl.jaas.config": f'{login} required username="{name}" password="{password}";'}
            rights.password(self.admin, name, password)
        labels = {"app.kubernetes.io/managed-by": "strimzi-user-operator", "strimzi.io/kind": "KafkaUser",
                  "strimzi.io/cluster": (user["metadata"].get("labels") or {}).get("strimzi.io/cluster", "")}
        self.kube.apply({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": secret, "namespace": self.namespace, "labels": labels,
                         "ownerReferences": [owner(user)]},
            "data": {key_name: certs.encode(value) for key_name, value in data.items()}})

    def _read(self, name: str) -> dict[str, str]:
        found = self.kube.get("Secret", os.environ["STRIMZI_CA_NAMESPACE"], name)
        if found is None:
            raise RuntimeError(f"secret {name} is missing")
        return found["data"]


if __name__ == "__main__":
    serve(UserOperator, "user operator", "Main:100", "STRIMZI_LABELS", 8081)
