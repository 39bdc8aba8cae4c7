"""Reconciles KafkaConnects and, over Kafka Connect's REST API, KafkaConnectors."""
from __future__ import annotations

from . import components, connectors, log, status, validation
from .assembly import Assembly, annotation, log_text, next_number, reason_and_message
from .components import Component
from .connect_cluster import ConnectCluster
from .connect_rest import ConnectRest
from .failure import (ConnectException, InvalidResourceException, NoSuchResourceException, ReconcileFailure,
                      RuntimeException)
from .kube import ApiError, Informer, Object, api_version
from .pools import CLUSTER_LABEL

USE_CONNECTOR_RESOURCES = "strimzi.io/use-connector-resources"
JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"


def _uses_connector_resources(connect: Object) -> bool:
    return annotation(connect, USE_CONNECTOR_RESOURCES) == "true"


def _connect_not_found(namespace: str, name: str) -> ReconcileFailure:
    return NoSuchResourceException(f"KafkaConnect resource '{name}' identified by label '{CLUSTER_LABEL}' does not "
                                   f"exist in namespace {namespace}.")


class Connect(Assembly):
    """Reconciles KafkaConnects, and KafkaConnectors while it holds the lock of their KafkaConnect."""

    kind = "KafkaConnect"

    def watch(self, namespace: str | None) -> None:
        super().watch(namespace)
        Informer(self.kube, "KafkaConnector", namespace, self._on_connector_event).start()
        log.info("ClusterOperator:100", "Opened watch for KafkaConnector operator")

    def create_or_update(self, prefix: str, resource: Object, new_status: Object, conditions: list[Object]) -> None:
        spec, name = resource["spec"], resource["metadata"]["name"]
        image = validation.image(spec, "STRIMZI_KAFKA_CONNECT_IMAGES")
        component = Component(resource, "kafka-connect", f"{name}-connect")
        cluster = ConnectCluster(component, image, f"{name}-connect-api", f"{name}-connect-config", spec,
                                 {"key.converter": JSON_CONVERTER, "value.converter": JSON_CONVERTER})
        cluster.set_status_fields(new_status)
        components.require_plain_listeners("KafkaConnect.spec", spec)
        cluster.reconcile(self.kube, prefix)
        if _uses_connector_resources(resource):
            if cluster.replicas:
                new_status["connectorPlugins"] = ConnectRest(cluster.rest_host).plugins()
            self._reconcile_connectors(prefix, resource, cluster.rest_host)

    def on_deleted(self, prefix: str, namespace: str, name: str) -> None:
        for connector in self._list_connectors(namespace, name):
            self._write_connector_status(prefix, connector, _connect_not_found(namespace, name))

    def _list_connectors(self, namespace: str, connect: str) -> list[Object]:
        return self.kube.list("KafkaConnector", namespace, f"{CLUSTER_LABEL}={connect}")

    def _reconcile_connectors(self, prefix: str, connect: Object, host: str) -> None:
        namespace, name = connect["metadata"]["namespace"], connect["metadata"]["name"]
        desired, rest = self._list_connectors(namespace, name), ConnectRest(host)
        if not connect["spec"]["replicas"]:
            for connector in desired:
                self._write_connector_status(prefix, connector, RuntimeException(
                    f"Kafka Connect cluster '{name}' in namespace {namespace} has 0 replicas."))
            return
        try:
            surplus = set(rest.names()) - {connector["metadata"]["name"] for connector in desired}
        except ConnectException as failure:
            log.warn("KafkaConnectAssemblyOperator:330", f"{prefix}Failed to connect to the REST API => trying to "
                     "update the connector status")
            for connector in desired:
                self._write_connector_status(prefix, connector, failure)
            raise
        for surplus_name in surplus:
            log.info("KafkaConnectAssemblyOperator:410", f"{prefix}deleting connector: {surplus_name}")
            rest.delete(surplus_name)
        for connector in desired:
            self._reconcile_connector(prefix, connect, connector, rest)

    def _on_connector_event(self, event: str, connector: Object) -> None:
        meta = connector["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        connector["apiVersion"], connector["kind"] = api_version("KafkaConnector"), "KafkaConnector"
        connect = (meta.get("labels") or {}).get(CLUSTER_LABEL)
        prefix = self.prefix(next_number(), "connector-watch", namespace, connect or "null")
        if connect is None:
            self._write_connector_status(prefix, connector, InvalidResourceException(
                f"Resource lacks label '{CLUSTER_LABEL}': No connect cluster in which to create this connector."))
            return
        found = self.kube.get("KafkaConnect", namespace, connect)
        text = f"KafkaConnector {name} in namespace {namespace} was {event}"
        if found is None:
            log.info("KafkaConnectAssemblyOperator:490",
                     f"{prefix}{text}, but Connect cluster {connect} does not exist")
            if event != "DELETED":
                self._write_connector_status(prefix, connector, _connect_not_found(namespace, connect))
            return
        log.info("KafkaConnectAssemblyOperator:510", f"{prefix}{text}")
        rest = ConnectRest(f"{connect}-connect-api.{namespace}.svc")

        def work() -> None:
            current = self.kube.get("KafkaConnector", namespace, name)
            if current is None:
                if _uses_connector_resources(found):
                    log.info("KafkaConnectAssemblyOperator:410", f"{prefix}deleting connector: {name}")
                    rest.delete(name)
            else:
                self._reconcile_connector(prefix, found, current, rest)
            log.info("KafkaConnectAssemblyOperator:520", f"{prefix}reconciled")
        self.run_locked(prefix, namespace, connect, work)

    def _reconcile_connector(self, prefix: str, connect: Object, connector: Object, rest: ConnectRest) -> None:
        """Reconcile one connector. A failure is reported only in the connector's status."""
        name = connector["metadata"]["name"]
        log.info("KafkaConnectAssemblyOperator:420", f"{prefix}creating/updating connector: {name}")
        try:
            if not _uses_connector_resources(connect):
                raise NoSuchResourceException(f"KafkaConnect {connect['metadata']['name']} is not configured with "
                                              f"annotation {USE_CONNECTOR_RESOURCES}")
            connector_status, topics = connectors.reconcile(rest, name, connector["spec"]), rest.topics(name)
        except (ReconcileFailure, ApiError) as failure:
            self._write_connector_status(prefix, connector, failure)
            return
        self._write_connector_status(prefix, connector, connectors.find_failure(connector_status),
                                     {"connectorStatus": connector_status, "topics": sorted(topics)})

    def _write_connector_status(self, prefix: str, connector: Object, failure: Exception | None,
                                connect_fields: Object | None = None) -> None:
        """Write a KafkaConnector's status, with the fields that Kafka Connect reported."""
        condition = status.ready() if failure is None else status.not_ready(*reason_and_message(failure))
        new_status: Object = {"observedGeneration": connector["metadata"]["generation"],
                              "conditions": [condition]} | (connect_fields or {})
        if failure is not None:
            log.warn("KafkaConnectAssemblyOperator:560",
                     f"{prefix}Error reconciling connector {connector['metadata']['name']}\n{log_text(failure)}")
        new_status["tasksMax"] = connector["spec"].get("tasksMax")
        if new_status["tasksMax"] is None:
            new_status["tasksMax"] = len(new_status.get("connectorStatus", {}).get("tasks") or [])
        try:
            status.write(self.kube, connector, new_status, prefix)
        except ApiError as error:
            log.warn("CrdOperator:150", f"{prefix}{error}")
