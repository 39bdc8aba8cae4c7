"""The user operator: reconciles KafkaUsers with Secrets and with credentials, ACLs and quotas of the real Kafka.

Runs in the entity operator's pod.
"""
from __future__ import annotations

import os
from typing import Any

from . import certs, kafka_users, status
from .kube import Object, api_version
from .resources import owner_reference
from .worker import Worker, serve

ACLS_NOT_SUPPORTED = ("io.strimzi.operator.common.ReconciliationException: "
                      "io.strimzi.operator.common.model.InvalidResourceException: "
                      "Simple authorization ACL rules are configured "
                      "but not supported in the Kafka cluster configuration.")


def _username(user: Object) -> str:
    """Return a user's name in Kafka."""
    name = user["metadata"]["name"]
    tls = ((user.get("spec") or {}).get("authentication") or {}).get("type") in ("tls", "tls-external")
    return f"CN={name}" if tls else name


class UserOperator(Worker):
    """Reconciles KafkaUsers."""

    kind, log_location = "KafkaUser", "UserControllerLoop:120"

    def __init__(self, *arguments: Any):
        self.deleted_users: dict[tuple[str, str], Object] = {}
        super().__init__(*arguments)

    def _on_event(self, event: str, user: Object) -> None:
        if event == "DELETED":
            self.deleted_users[user["metadata"]["namespace"], user["metadata"]["name"]] = user
        super()._on_event(event, user)

    def _reconcile(self, namespace: str, name: str) -> None:
        user = self.kube.get("KafkaUser", namespace, name)
        deleted = self.deleted_users.pop((namespace, name), None)
        if user is None or user["metadata"].get("deletionTimestamp"):
            if deleted is not None:
                self._delete_kafka_user(deleted)
            return
        user["apiVersion"], user["kind"] = api_version("KafkaUser"), "KafkaUser"
        if (user["metadata"].get("annotations") or {}).get("strimzi.io/pause-reconciliation") == "true":
            paused = {"conditions": [status.condition("ReconciliationPaused")],
                      "observedGeneration": user["metadata"]["generation"]}
            status.write(self.kube, user, paused, location="UserController:300")
            return
        spec = user.get("spec") or {}
        new_status: Object = {"observedGeneration": user["metadata"]["generation"]}
        if "authorization" in spec and os.environ.get("STRIMZI_ACLS_ADMIN_API_SUPPORTED") != "true":
            new_status["conditions"] = [status.not_ready("ExecutionException", ACLS_NOT_SUPPORTED)]
        else:
            kind = (spec.get("authentication") or {}).get("type")
            if kind:
                secret = os.environ.get("STRIMZI_SECRET_PREFIX", "") + name
                self._reconcile_secret(user, kind, secret)
                new_status["secret"] = secret
            new_status["username"] = _username(user)
            self._update_kafka_user(user)
            new_status["conditions"] = [status.ready()]
        status.write(self.kube, user, new_status, location="UserController:300")

    def _update_kafka_user(self, user: Object) -> None:
        spec = user.get("spec") or {}
        if os.environ.get("STRIMZI_ACLS_ADMIN_API_SUPPORTED") == "true":
            kafka_users.reconcile_acls(self.admin, _username(user),
                                       (spec.get("authorization") or {}).get("acls") or [])
        kafka_users.reconcile_quotas(self.admin.bootstrap, _username(user), spec.get("quotas") or {})

    def _delete_kafka_user(self, user: Object) -> None:
        """Delete the ACLs, quotas and credentials of a deleted user."""
        user["spec"] = {"authentication": (user.get("spec") or {}).get("authentication") or {}}
        self._update_kafka_user(user)
        kafka_users.reconcile_password(self.admin, user["metadata"]["name"], None)

    def _reconcile_secret(self, user: Object, kind: str, secret: str) -> None:
        """Create the Secret with the user's credentials if it does not exist. Always set the password in Kafka."""
        if kind not in ("tls", "scram-sha-512"):
            return
        name, password = user["metadata"]["name"], certs.generate_password()
        found = self.kube.get("Secret", self.namespace, secret)
        if found is not None:
            self.kube.set_owners(found, [owner_reference(user)])
            if kind == "scram-sha-512":
                kafka_users.reconcile_password(self.admin, name, certs.decode(found["data"]["password"]))
            return
        if kind == "tls":
            cert_secret = self._read_secret(os.environ["STRIMZI_CA_CERT_NAME"])
            key_secret = self._read_secret(os.environ["STRIMZI_CA_KEY_NAME"])
            ca_cert = certs.decode(cert_secret["ca.crt"])
            cert, key = certs.sign_certificate(name, ca_cert, certs.decode(key_secret["ca.key"]), [], user=True)
            data: dict[str, str | bytes] = {"ca.crt": ca_cert, "user.crt": cert, "user.key": key,
                                            "user.p12": certs.keystore(cert, key, name, password),
                                            "user.password": password}
        else:
            login = "org.apache.kafka.common.security.scram.ScramLoginModule"
            data = {"password": password,
                    "sasl.jaas.config": f'{login} required username="{name}" password="{password}";'}
            kafka_users.reconcile_password(self.admin, name, password)
        labels = {"app.kubernetes.io/managed-by": "strimzi-user-operator", "strimzi.io/kind": "KafkaUser",
                  "strimzi.io/cluster": (user["metadata"].get("labels") or {}).get("strimzi.io/cluster", "")}
        self.kube.apply({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": secret, "namespace": self.namespace, "labels": labels,
                         "ownerReferences": [owner_reference(user)]},
            "data": {key_name: certs.encode(value) for key_name, value in data.items()}})

    def _read_secret(self, name: str) -> dict[str, str]:
        found = self.kube.get("Secret", os.environ["STRIMZI_CA_NAMESPACE"], name)
        if found is None:
            raise RuntimeError(f"secret {name} is missing")
        return found["data"]


if __name__ == "__main__":
    serve(UserOperator, "user operator", "Main:100", "STRIMZI_LABELS", 8081)
