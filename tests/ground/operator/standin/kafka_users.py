"""ACLs, quotas and SCRAM credentials of Kafka users, set through Kafka's admin API."""
from __future__ import annotations

import re
import socket
import struct

from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialDeletion,
                                   UserScramCredentialUpsertion)

from .kafka_admin import Admin
from .kube import Object

RESOURCE_TYPES = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER,
                  "transactionalId": ResourceType.TRANSACTIONAL_ID}
QUOTAS = {"producerByteRate": "producer_byte_rate", "consumerByteRate": "consumer_byte_rate",
          "requestPercentage": "request_percentage", "controllerMutationRate": "controller_mutation_rate"}
ALTER_CLIENT_QUOTAS = 49


def _constant_name(text: str) -> str:
    """Return `DESCRIBE_CONFIGS` for `DescribeConfigs`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).upper()


def _desired_bindings(principal: str, reconcile_acls: list[Object]) -> set[AclBinding]:
    bindings = set()
    for acl in reconcile_acls:
        resource = acl["resource"]
        cluster = resource["type"] == "cluster"
        pattern = ResourcePatternType.PREFIXED if resource.get("patternType") == "prefix" \
            else ResourcePatternType.LITERAL
        for operation in acl.get("operations") or [acl["operation"]]:
            bindings.add(AclBinding(RESOURCE_TYPES[resource["type"]],
                                    "kafka-cluster" if cluster else resource["name"], pattern,
                                    principal, acl.get("host", "*"), AclOperation[_constant_name(operation)],
                                    AclPermissionType[acl.get("type", "allow").upper()]))
    return bindings


def reconcile_acls(admin: Admin, username: str, rules: list[Object]) -> None:
    """Create the missing ACLs of a user and delete the surplus ones."""
    principal = f"User:{username}"
    acl_filter = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, principal, None, AclOperation.ANY,
                                  AclPermissionType.ANY)
    found = set(admin.client.describe_acls(acl_filter, request_timeout=admin.timeout).result(admin.timeout))
    desired = _desired_bindings(principal, rules)
    surplus = [AclBindingFilter(a.restype, a.name, a.resource_pattern_type, a.principal, a.host, a.operation,
                                a.permission_type) for a in found - desired]
    for futures in (admin.client.delete_acls(surplus) if surplus else {},
                    admin.client.create_acls(list(desired - found)) if desired - found else {}):
        for future in futures.values():
            future.result(admin.timeout)


def reconcile_password(admin: Admin, name: str, secret: str | None) -> None:
    """Set a user's SCRAM password, or delete it."""
    client = admin.client
    description = client.describe_user_scram_credentials([name])[name]
    try:
        exists = any(info.mechanism == ScramMechanism.SCRAM_SHA_512
                     for info in description.result(admin.timeout).scram_credential_infos)
    except Exception:  # RESOURCE_NOT_FOUND from the broker
        exists = False
    if secret is None and not exists:
        return
    change = (UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512) if secret is None else
              UserScramCredentialUpsertion(name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096),
                                           secret.encode()))
    for future in client.alter_user_scram_credentials([change]).values():
        future.result(admin.timeout)


def _encode_string(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


def reconcile_quotas(bootstrap: str, username: str, desired: Object) -> None:
    """Set a user's quotas and remove the others.

    The client library has no function for quotas, so this sends the protocol's request, version 0.
    """
    ops = [(key, desired.get(field)) for field, key in QUOTAS.items()]
    body = struct.pack(">i", 1) + struct.pack(">i", 1) + _encode_string("user") + _encode_string(username) \
        + struct.pack(">i", len(ops))
    for key, value in ops:
        body += _encode_string(key) + struct.pack(">d?", float(value or 0), value is None)
    body += struct.pack(">?", False)
    request = struct.pack(">hhi", ALTER_CLIENT_QUOTAS, 0, 1) + _encode_string("user-operator") + body
    host, port = bootstrap.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        response = stream.read(struct.unpack(">i", stream.read(4))[0])
    # The error code follows the correlation id, the throttle time and the number of entries.
    code = struct.unpack(">h", response[12:14])[0]
    if code:
        raise RuntimeError(f"quotas of {username}: Kafka's error {code}")
