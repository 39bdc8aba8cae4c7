"""Broker options for the listeners and the authorization of a Kafka resource."""
from __future__ import annotations

from .kube import Object

CERTS = "/opt/kafka/certs"
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


def identifier(listener: Object) -> str:
    return f"{listener['name'].upper()}-{listener['port']}"


def authentication(listener: Object) -> str:
    """Return `tls`, `scram-sha-512`, or an empty string."""
    return (listener.get("authentication") or {}).get("type", "")


def protocol(listener: Object) -> str:
    if authentication(listener) == "scram-sha-512":
        return "SASL_SSL" if listener["tls"] else "SASL_PLAINTEXT"
    return "SSL" if listener["tls"] else "PLAINTEXT"


def _broker_overrides(listener: Object, node: int) -> Object:
    """Return the entry of `configuration.brokers` for a node."""
    brokers = (listener.get("configuration") or {}).get("brokers") or []
    return next((entry for entry in brokers if entry["broker"] == node), {})


def advertised_address(listener: Object, node: int, host: str) -> str:
    overrides = _broker_overrides(listener, node)
    return f"{overrides.get('advertisedHost', host)}:{overrides.get('advertisedPort', listener['port'])}"


def alternative_names(kafka: Object, node: int) -> list[str]:
    """Return the names of a node's certificate, in addition to those of its Services."""
    result: list[str] = []
    for listener in kafka["spec"]["kafka"]["listeners"]:
        if listener["tls"]:
            bootstrap = (listener.get("configuration") or {}).get("bootstrap") or {}
            result += bootstrap.get("alternativeNames") or []
            result += [name for name in (_broker_overrides(listener, node).get("advertisedHost"),) if name]
    return sorted(set(result))


def options(listener: Object) -> list[str]:
    key, lines = f"listener.name.{identifier(listener).lower()}", []
    if listener["tls"]:
        lines += [f"{key}.ssl.keystore.type=PEM", f"{key}.ssl.keystore.location={CERTS}/server.pem"]
    if authentication(listener) == "tls":
        lines += [f"{key}.ssl.client.auth=required", f"{key}.ssl.truststore.type=PEM",
                  f"{key}.ssl.truststore.location={CERTS}/clients-ca.crt"]
    if authentication(listener) == "scram-sha-512":
        lines += [f"{key}.sasl.enabled.mechanisms=SCRAM-SHA-512",
                  f"{key}.scram-sha-512.sasl.jaas.config={SCRAM_LOGIN}"]
    return lines


def authorization(kafka: Object) -> list[str]:
    """Return the options for `simple` authorization, the only type that is supported.

    The internal listeners are plain here, so brokers connect as ANONYMOUS, which must be a super user.
    """
    found = kafka["spec"]["kafka"].get("authorization") or {}
    if found.get("type") != "simple":
        return []
    users = sorted({"ANONYMOUS", *(found.get("superUsers") or [])})
    return ["authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=" + ";".join(f"User:{user}" for user in users)]


def options_requiring_restart(kafka: Object, node: int) -> list[str]:
    """Return the options whose change requires a restart of the node."""
    result = authorization(kafka) + alternative_names(kafka, node)
    for listener in kafka["spec"]["kafka"]["listeners"]:
        result += [protocol(listener), advertised_address(listener, node, ""), *options(listener)]
    return result
