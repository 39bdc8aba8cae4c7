"""Options for `metricsConfig`: Strimzi's Metrics Reporter, or the Prometheus JMX Exporter."""
from __future__ import annotations

from .failure import InvalidConfigurationException
from .kube import Kube, Object

PORT = ("tcp-prometheus", 9404)
# The classes of reporter 0.2.0. Strimzi 1.2.0 ships a newer one, whose classes have other names.
REPORTER = "io.strimzi.kafka.metrics.KafkaPrometheusMetricsReporter"
BROKER_REPORTER = "io.strimzi.kafka.metrics.YammerPrometheusMetricsReporter"
# The broker options that this module sets.
RESERVED_OPTIONS = ("metric.reporters", "kafka.metrics.reporters", "prometheus.metrics.reporter.")
CLIENT_PREFIXES = ("", "admin.", "producer.", "consumer.")
DEFAULT_ALLOWLISTS = {"kafka": ("kafka_cluster_partition.*,kafka_controller_.*,kafka_log_log_size,"
                                "kafka_network_.*,kafka_server_.*"),
                      "connect": ("kafka_connect_.*,kafka_consumer_.*,kafka_producer_producer_.*,"
                                  "kafka_admin_client_admin_client_metrics_connection_count")}


def config_type(spec: Object) -> str:
    """Return `strimziMetricsReporter`, `jmxPrometheusExporter`, or an empty string."""
    return (spec.get("metricsConfig") or {}).get("type", "")


def ports(spec: Object) -> list[tuple[str, int]]:
    return [PORT] if config_type(spec) else []


def _reporter_options(spec: Object, process: str) -> dict[str, str]:
    allowed = (spec["metricsConfig"].get("values") or {}).get("allowList")
    return {"listener.enable": "true", "listener": f"http://:{PORT[1]}",
            "allowlist": ",".join(allowed) if allowed else DEFAULT_ALLOWLISTS[process]}


def broker_options(spec: Object, config: dict[str, str]) -> list[str]:
    """Return lines of server.config, without the options that the user sets."""
    if config_type(spec) != "strimziMetricsReporter":
        return []
    options = {"metric.reporters": REPORTER, "kafka.metrics.reporters": BROKER_REPORTER}
    options |= {f"prometheus.metrics.reporter.{key}": value
                for key, value in _reporter_options(spec, "kafka").items()}
    return [f"{key}={value}" for key, value in options.items() if key not in config]


def connect_options(spec: Object) -> list[str]:
    """Return lines of kafka-connect.properties for the worker and each of its clients."""
    if config_type(spec) == "jmxPrometheusExporter":
        return [f"{client}metric.reporters=org.apache.kafka.common.metrics.JmxReporter" for client in CLIENT_PREFIXES]
    if config_type(spec) != "strimziMetricsReporter":
        return []
    options = {"metric.reporters": REPORTER}
    options |= {f"prometheus.metrics.reporter.{key}": value
                for key, value in _reporter_options(spec, "connect").items()}
    return [f"{client}{key}={value}" for client in CLIENT_PREFIXES for key, value in options.items()]


def rules(kube: Kube, namespace: str, spec: Object) -> dict[str, str]:
    """Return the JMX Exporter's rules for a ConfigMap, from the ConfigMap in `metricsConfig`. They may be YAML."""
    if config_type(spec) != "jmxPrometheusExporter":
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
