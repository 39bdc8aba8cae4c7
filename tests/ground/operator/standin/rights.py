"""A user's rules, limits and password in the running Kafka, through its admin API."""
from __future__ import annotations

import re
import socket
import struct

from confluent_kafka.admin import (AclBinding, AclBindingFilter, AclOperation, AclPermissionType, ResourcePatternType,
                                   ResourceType, ScramCredentialInfo, ScramMechanism, UserScramCredentialDeletion,
                                   UserScramCredentialUpsertion)

from .kafka_admin import Admin
from .kube import Object

KINDS = {"topic": ResourceType.TOPIC, "group": ResourceType.GROUP, "cluster": ResourceType.BROKER,
         "transactionalId": ResourceType.TRANSACTIONAL_ID}
QUOTAS = {"producerByteRate": "producer_byte_rate", "consumerByteRate": "consumer_byte_rate",
          "requestPercentage": "request_percentage", "controllerMutationRate": "controller_mutation_rate"}
ALTER_CLIENT_QUOTAS = 49


def _constant(text: str) -> str:
    """`DescribeConfigs` as `DESCRIBE_CONFIGS`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).upper()


def _wanted(principal: str, acls: list[Object]) -> set[AclBinding]:
    made = set()
    for acl in acls:
        resource = acl["resource"]
        cluster = resource["type"] == "cluster"
        pattern = ResourcePatternType.PREFIXED if resource.get("patternType") == "prefix" else ResourcePatternType.LITERAL
        for operation in acl.get("operations") or [acl["operation"]]:
            made.add(AclBinding(KINDS[resource["type"]], "kafka-cluster" if cluster else resource["name"], pattern,
                                principal, acl.get("host", "*"), AclOperation[_constant(operation)],
                                AclPermissionType[acl.get("type", "allow").upper()]))
    return made


def acls(admin: Admin, username: str, rules: list[Object]) -> None:
    """Make the rules of a user those that are wanted."""
    principal = f"User:{username}"
    everything = AclBindingFilter(ResourceType.ANY, None, ResourcePatternType.ANY, principal, None, AclOperation.ANY,
                                  AclPermissionType.ANY)
    found = set(admin.client.describe_acls(everything, request_timeout=admin.timeout).result(admin.timeout))
    wanted = _wanted(principal, rules)
    surplus = [AclBindingFilter(a.restype, a.name, a.resource_pattern_type, a.principal, a.host, a.operation,
                                a.permission_type) for a in found - wanted]
    for futures in (admin.client.delete_acls(surplus) if surplus else {},
                    admin.client.create_acls(list(wanted - found)) if wanted - found else {}):
        for future in futures.values():
            future.result(admin.timeout)


def password(admin: Admin, name: str, secret: str | None) -> None:
    """Set a user's password, or take it away."""
    client = admin.client
    known = client.describe_user_scram_credentials([name])[name]
    try:
        there = any(info.mechanism == ScramMechanism.SCRAM_SHA_512
                    for info in known.result(admin.timeout).scram_credential_infos)
    except Exception:  # the broker's RESOURCE_NOT_FOUND
        there = False
    if secret is None and not there:
        return
    change = (UserScramCredentialDeletion(name, ScramMechanism.SCRAM_SHA_512) if secret is None else
              UserScramCredentialUpsertion(name, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096),
                                           secret.encode()))
    for future in client.alter_user_scram_credentials([change]).values():
        future.result(admin.timeout)


def _text(text: str) -> bytes:
    return struct.pack(">h", len(text.encode())) + text.encode()


def quotas(bootstrap: str, username: str, wanted: Object) -> None:
    """Set and unset a user's limits. The client library has no call for it, so it is the request itself (version 0)."""
    ops = [(key, wanted.get(field)) for field, key in QUOTAS.items()]
    body = struct.pack(">i", 1) + struct.pack(">i", 1) + _text("user") + _text(username) + struct.pack(">i", len(ops))
    for key, value in ops:
        body += _text(key) + struct.pack(">d?", float(value or 0), value is None)
    body += struct.pack(">?", False)
    request = struct.pack(">hhi", ALTER_CLIENT_QUOTAS, 0, 1) + _text("user-operator") + body
    host, port = bootstrap.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        stream = connection.makefile("rb")
        answer = stream.read(struct.unpack(">i", stream.read(4))[0])
    # Correlation id, throttle time, number of entries, then the entry's error code.
    code = struct.unpack(">h", answer[12:14])[0]
    if code:
        raise RuntimeError(f"quotas of {username}: Kafka's error {code}")
