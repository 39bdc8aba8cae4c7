"""What `metricsConfig` asks for: Strimzi's reporter inside the process, or Prometheus' agent beside it."""
from __future__ import annotations

from .failure import InvalidConfigurationException
from .kube import Kube, Object

PORT = ("tcp-prometheus", 9404)
# Strimzi 1.2.0's own is newer, and its classes have other names.
REPORTER = "io.strimzi.kafka.metrics.KafkaPrometheusMetricsReporter"
BROKER_REPORTER = "io.strimzi.kafka.metrics.YammerPrometheusMetricsReporter"
# The options that this module sets in a broker.
OWN = ("metric.reporters", "kafka.metrics.reporters", "prometheus.metrics.reporter.")
CLIENTS = ("", "admin.", "producer.", "consumer.")
ALLOWED = {"kafka": ("kafka_cluster_partition.*,kafka_controller_.*,kafka_log_log_size,kafka_network_.*,kafka_server_.*"),
           "connect": ("kafka_connect_.*,kafka_consumer_.*,kafka_producer_producer_.*,"
                       "kafka_admin_client_admin_client_metrics_connection_count")}


def kind(spec: Object) -> str:
    """`strimziMetricsReporter`, `jmxPrometheusExporter`, or nothing."""
    return (spec.get("metricsConfig") or {}).get("type", "")


def ports(spec: Object) -> list[tuple[str, int]]:
    return [PORT] if kind(spec) else []


def _reporter(spec: Object, of: str) -> dict[str, str]:
    allowed = (spec["metricsConfig"].get("values") or {}).get("allowList")
    return {"listener.enable": "true", "listener": f"http://:{PORT[1]}",
            "allowlist": ",".join(allowed) if allowed else ALLOWED[of]}


def broker_options(spec: Object, config: dict[str, str]) -> list[str]:
    """Lines of server.config, where the user's own options do not say otherwise."""
    if kind(spec) != "strimziMetricsReporter":
        return []
    made = {"metric.reporters": REPORTER, "kafka.metrics.reporters": BROKER_REPORTER}
    made |= {f"prometheus.metrics.reporter.{key}": value for key, value in _reporter(spec, "kafka").items()}
    return [f"{key}={value}" for key, value in made.items() if key not in config]


def connect_options(spec: Object) -> list[str]:
    """Lines of kafka-connect.properties: the worker and each of its clients report."""
    if kind(spec) == "jmxPrometheusExporter":
        return [f"{client}metric.reporters=org.apache.kafka.common.metrics.JmxReporter" for client in CLIENTS]
    if kind(spec) != "strimziMetricsReporter":
        return []
    options = {"metric.reporters": REPORTER}
    options |= {f"prometheus.metrics.reporter.{key}": value for key, value in _reporter(spec, "connect").items()}
    return [f"{client}{key}={value}" for client in CLIENTS for key, value in options.items()]


def rules(kube: Kube, namespace: str, spec: Object) -> dict[str, str]:
    """The agent's rules as a part of a ConfigMap, from the one that `metricsConfig` names. The agent reads YAML, too."""
    if kind(spec) != "jmxPrometheusExporter":
        return {}
    key = spec["metricsConfig"]["valueFrom"]["configMapKeyRef"]
    found = kube.get("ConfigMap", namespace, key["name"])
    if found is None:
        raise InvalidConfigurationException(f"ConfigMap {key['name']} does not exist")
    text = (found.get("data") or {}).get(key["key"])
    if text is None:
        raise InvalidConfigurationException(
            f"ConfigMap {key['name']} does not contain specified key {key['key']}")
    return {"metrics-config.json": text or "{}"}
