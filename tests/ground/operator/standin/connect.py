"""KafkaConnect and KafkaConnector: a Connect cluster, and its connectors over its REST API."""
from __future__ import annotations

from . import component, connectors, log, status, validation
from .assembly import Assembly, annotation, java, number, reason
from .component import Component
from .connect_cluster import ConnectCluster
from .connect_rest import ConnectRest
from .failure import (ConnectException, InvalidResourceException, NoSuchResourceException, ReconcileFailure,
                      RuntimeException)
from .kube import ApiError, Informer, Object, api_version
from .pools import CLUSTER_LABEL

USE_RESOURCES = "strimzi.io/use-connector-resources"
JSON = "org.apache.kafka.connect.json.JsonConverter"


def _uses_resources(connect: Object) -> bool:
    return annotation(connect, USE_RESOURCES) == "true"


def _no_cluster(namespace: str, name: str) -> ReconcileFailure:
    return NoSuchResourceException(f"KafkaConnect resource '{name}' identified by label '{CLUSTER_LABEL}' does not "
                                   f"exist in namespace {namespace}.")


class Connect(Assembly):
    """Reconciles KafkaConnects, and KafkaConnectors under the lock of theirs."""

    kind = "KafkaConnect"

    def watch(self, namespace: str | None) -> None:
        super().watch(namespace)
        Informer(self.kube, "KafkaConnector", namespace, self._connector_changed).start()
        log.info("ClusterOperator:100", "Opened watch for KafkaConnector operator")

    def attempt(self, prefix: str, resource: Object, made: Object, conditions: list[Object]) -> None:
        spec, name = resource["spec"], resource["metadata"]["name"]
        image = validation.image(spec, "STRIMZI_KAFKA_CONNECT_IMAGES")
        own = Component(resource, "kafka-connect", f"{name}-connect")
        cluster = ConnectCluster(own, image, f"{name}-connect-api", f"{name}-connect-config", spec,
                                 {"key.converter": JSON, "value.converter": JSON})
        cluster.tell(made)
        component.plain_only("KafkaConnect.spec", spec)
        cluster.bring_about(self.kube, prefix)
        if _uses_resources(resource):
            if cluster.replicas:
                made["connectorPlugins"] = ConnectRest(cluster.rest_host).plugins()
            self._all_connectors(prefix, resource, cluster.rest_host)

    def deleted(self, prefix: str, namespace: str, name: str) -> None:
        for connector in self._connectors(namespace, name):
            self._told(prefix, connector, _no_cluster(namespace, name))

    def _connectors(self, namespace: str, connect: str) -> list[Object]:
        return self.kube.list("KafkaConnector", namespace, f"{CLUSTER_LABEL}={connect}")

    def _all_connectors(self, prefix: str, connect: Object, host: str) -> None:
        namespace, name = connect["metadata"]["namespace"], connect["metadata"]["name"]
        wanted, rest = self._connectors(namespace, name), ConnectRest(host)
        if not connect["spec"]["replicas"]:
            for connector in wanted:
                self._told(prefix, connector, RuntimeException(
                    f"Kafka Connect cluster '{name}' in namespace {namespace} has 0 replicas."))
            return
        try:
            surplus = set(rest.names()) - {connector["metadata"]["name"] for connector in wanted}
        except ConnectException as failure:
            log.warn("KafkaConnectAssemblyOperator:330", f"{prefix}Failed to connect to the REST API => trying to "
                     "update the connector status")
            for connector in wanted:
                self._told(prefix, connector, failure)
            raise
        for gone in surplus:
            log.info("KafkaConnectAssemblyOperator:410", f"{prefix}deleting connector: {gone}")
            rest.delete(gone)
        for connector in wanted:
            self._connector(prefix, connect, connector, rest)

    def _connector_changed(self, event: str, connector: Object) -> None:
        meta = connector["metadata"]
        namespace, name = meta["namespace"], meta["name"]
        connector["apiVersion"], connector["kind"] = api_version("KafkaConnector"), "KafkaConnector"
        connect = (meta.get("labels") or {}).get(CLUSTER_LABEL)
        prefix = self.prefix(number(), "connector-watch", namespace, connect or "null")
        if connect is None:
            self._told(prefix, connector, InvalidResourceException(
                f"Resource lacks label '{CLUSTER_LABEL}': No connect cluster in which to create this connector."))
            return
        found = self.kube.get("KafkaConnect", namespace, connect)
        text = f"KafkaConnector {name} in namespace {namespace} was {event}"
        if found is None:
            log.info("KafkaConnectAssemblyOperator:490",
                     f"{prefix}{text}, but Connect cluster {connect} does not exist")
            if event != "DELETED":
                self._told(prefix, connector, _no_cluster(namespace, connect))
            return
        log.info("KafkaConnectAssemblyOperator:510", f"{prefix}{text}")
        rest = ConnectRest(f"{connect}-connect-api.{namespace}.svc")

        def work() -> None:
            now = self.kube.get("KafkaConnector", namespace, name)
            if now is None:
                if _uses_resources(found):
                    log.info("KafkaConnectAssemblyOperator:410", f"{prefix}deleting connector: {name}")
                    rest.delete(name)
            else:
                self._connector(prefix, found, now, rest)
            log.info("KafkaConnectAssemblyOperator:520", f"{prefix}reconciled")
        self.locked(prefix, namespace, connect, work)

    def _connector(self, prefix: str, connect: Object, connector: Object, rest: ConnectRest) -> None:
        """One connector: whatever fails is told in its status alone."""
        name = connector["metadata"]["name"]
        log.info("KafkaConnectAssemblyOperator:420", f"{prefix}creating/updating connector: {name}")
        try:
            if not _uses_resources(connect):
                raise NoSuchResourceException(f"KafkaConnect {connect['metadata']['name']} is not configured with "
                                              f"annotation {USE_RESOURCES}")
            seen, topics = connectors.bring_about(rest, name, connector["spec"]), rest.topics(name)
        except (ReconcileFailure, ApiError) as failure:
            self._told(prefix, connector, failure)
            return
        self._told(prefix, connector, connectors.trouble(seen), {"connectorStatus": seen, "topics": sorted(topics)})

    def _told(self, prefix: str, connector: Object, failure: Exception | None,
              seen: Object | None = None) -> None:
        """Write a connector's status, with what Connect says of it."""
        first = status.ready() if failure is None else status.not_ready(*reason(failure))
        made: Object = {"observedGeneration": connector["metadata"]["generation"],
                        "conditions": [first]} | (seen or {})
        if failure is not None:
            log.warn("KafkaConnectAssemblyOperator:560",
                     f"{prefix}Error reconciling connector {connector['metadata']['name']}\n{java(failure)}")
        made["tasksMax"] = connector["spec"].get("tasksMax")
        if made["tasksMax"] is None:
            made["tasksMax"] = len(made.get("connectorStatus", {}).get("tasks") or [])
        try:
            status.write(self.kube, connector, made, prefix)
        except ApiError as gone:
            log.warn("CrdOperator:150", f"{prefix}{gone}")
