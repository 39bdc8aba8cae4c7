"""Listeners and authorization of a Kafka resource as options of a broker; what their clients need."""
from __future__ import annotations

from .kube import Object

CERTS = "/opt/kafka/certs"
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def identifier(listener: Object) -> str:
    return f"{listener['name'].upper()}-{listener['port']}"


def authentication(listener: Object) -> str:
    """`tls`, `scram-sha-512`, or nothing."""
    return (listener.get("authentication") or {}).get("type", "")


def protocol(listener: Object) -> str:
    if authentication(listener) == "scram-sha-512":
        return "SASL_SSL" if listener["tls"] else "SASL_PLAINTEXT"
    return "SSL" if listener["tls"] else "PLAINTEXT"


def _broker(listener: Object, node: int) -> Object:
    """What `configuration.brokers` says of a node."""
    brokers = (listener.get("configuration") or {}).get("brokers") or []
    return next((entry for entry in brokers if entry["broker"] == node), {})


def advertised(listener: Object, node: int, host: str) -> str:
    own = _broker(listener, node)
    return f"{own.get('advertisedHost', host)}:{own.get('advertisedPort', listener['port'])}"


def names(kafka: Object, node: int) -> list[str]:
    """What a node's certificate is good for, beyond its services' names."""
    made: list[str] = []
    for listener in kafka["spec"]["kafka"]["listeners"]:
        if listener["tls"]:
            bootstrap = (listener.get("configuration") or {}).get("bootstrap") or {}
            made += bootstrap.get("alternativeNames") or []
            made += [name for name in (_broker(listener, node).get("advertisedHost"),) if name]
    return sorted(set(made))


def options(listener: Object) -> list[str]:
    key, made = f"listener.name.{identifier(listener).lower()}", []
    if listener["tls"]:
        made += [f"{key}.ssl.keystore.type=PEM", f"{key}.ssl.keystore.location={CERTS}/server.pem"]
    if authentication(listener) == "tls":
        made += [f"{key}.ssl.client.auth=required", f"{key}.ssl.truststore.type=PEM",
                 f"{key}.ssl.truststore.location={CERTS}/clients-ca.crt"]
    if authentication(listener) == "scram-sha-512":
        made += [f"{key}.sasl.enabled.mechanisms=SCRAM-SHA-512",
                 f"{key}.scram-sha-512.sasl.jaas.config={SCRAM_LOGIN}"]
    return made


def authorization(kafka: Object) -> list[str]:
    """Only `simple`. The brokers' own listeners are plain here, so that their name has to be a super user."""
    found = kafka["spec"]["kafka"].get("authorization") or {}
    if found.get("type") != "simple":
        return []
    users = sorted({"ANONYMOUS", *(found.get("superUsers") or [])})
    return ["authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=" + ";".join(f"User:{user}" for user in users)]


def fixed(kafka: Object, node: int) -> list[str]:
    """What makes a node restart when it changes."""
    made = authorization(kafka) + names(kafka, node)
    for listener in kafka["spec"]["kafka"]["listeners"]:
        made += [protocol(listener), advertised(listener, node, ""), *options(listener)]
    return made
