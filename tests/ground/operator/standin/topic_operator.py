"""The topic operator: reconciles KafkaTopics with topics of the real Kafka. Runs in the entity operator's pod."""
from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import ResourceType

from . import kafka_admin, status
from .kube import Object, api_version
from .worker import Worker, serve

FINALIZER = "strimzi.io/topic-operator"


class ChangeRejected(Exception):
    """A change that is not supported, with the reason and the message of the condition."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value)


class TopicOperator(Worker):
    """Reconciles KafkaTopics."""

    kind, log_location, retry_delay = "KafkaTopic", "BatchingTopicController:100", 5

    def _reconcile(self, namespace: str, name: str) -> None:
        topic = self.kube.get("KafkaTopic", namespace, name)
        if topic is None:
            return
        topic["apiVersion"], topic["kind"] = api_version("KafkaTopic"), "KafkaTopic"
        meta = topic["metadata"]
        kafka_name = (topic.get("spec") or {}).get("topicName") or name
        managed = (meta.get("annotations") or {}).get("strimzi.io/managed") != "false"
        finalizers = meta.get("finalizers") or []
        if meta.get("deletionTimestamp"):
            if FINALIZER in finalizers:
                try:
                    if managed:
                        self.admin.delete_topic(kafka_name)
                except KafkaException as failure:
                    self._write_status(topic, self._failed_condition("KafkaError", kafka_admin.java_error(failure)),
                                       kafka_name)
                    return
                self._set_finalizers(topic, [f for f in finalizers if f != FINALIZER])
            return
        if not managed:
            self._write_status(topic, status.condition("Unmanaged"), kafka_name)
            return
        if FINALIZER not in finalizers:
            self._set_finalizers(topic, [*finalizers, FINALIZER])
        topic_id = None
        try:
            topic_id = self._reconcile_topic(topic, kafka_name)
            condition = status.ready()
        except ChangeRejected as rejection:
            topic_id = (topic.get("status") or {}).get("topicId")
            condition = self._failed_condition(rejection.reason, str(rejection))
        except KafkaException as failure:
            condition = self._failed_condition("KafkaError", kafka_admin.java_error(failure))
            if kafka_admin.no_broker_responded(failure):
                self._enqueue_later((namespace, name), 5)
        self._write_status(topic, condition, kafka_name, topic_id)

    def _reconcile_topic(self, topic: Object, name: str) -> str:
        """Create or change the topic according to its spec. Return its id."""
        spec = topic.get("spec") or {}
        partitions, replicas = spec.get("partitions", -1), spec.get("replicas", -1)
        config = {key: _text(value) for key, value in (spec.get("config") or {}).items()}
        found = self.admin.describe_topic(name)
        if found is None:
            self.admin.create_topic(name, partitions, replicas, config)
            created = self.admin.wait_for_topic(name, lambda t: partitions in (-1, len(t.partitions)))
            return kafka_admin.uuid_text(created.topic_id)
        if partitions != -1 and partitions < len(found.partitions):
            raise ChangeRejected("NotSupported", "Decreasing partitions not supported")
        mismatched = [p.id for p in found.partitions if replicas not in (-1, len(p.replicas))]
        if mismatched:
            raise ChangeRejected("NotSupported",
                                 f"Replication factor change not supported, but required for partitions {mismatched}")
        if partitions > len(found.partitions):
            self.admin.add_partitions(name, partitions)
            self.admin.wait_for_topic(name, lambda t: len(t.partitions) == partitions)
        running = self.admin.topic_config(name)
        changes: dict[str, str | None] = {k: v for k, v in config.items() if running.get(k) != v}
        changes |= {k: None for k in running if k not in config}
        if changes:
            self.admin.alter_config(ResourceType.TOPIC, name, changes)
        return kafka_admin.uuid_text(found.topic_id)

    @staticmethod
    def _failed_condition(reason: str, message: str) -> Object:
        return status.condition("Ready", "False", reason, message)

    def _set_finalizers(self, topic: Object, finalizers: list[str]) -> None:
        meta = topic["metadata"]
        self.kube.merge_patch("KafkaTopic", meta["namespace"], meta["name"],
                              {"metadata": {"finalizers": finalizers, "uid": meta["uid"]}})

    def _write_status(self, topic: Object, condition: Object, name: str, topic_id: str | None = None) -> None:
        new_status: Object = {"conditions": [condition], "observedGeneration": topic["metadata"]["generation"],
                              "topicName": name}
        if topic_id:
            new_status["topicId"] = topic_id
        status.write(self.kube, topic, new_status, location="BatchingTopicController:400")


if __name__ == "__main__":
    serve(TopicOperator, "topic operator", "TopicOperatorMain:130", "STRIMZI_RESOURCE_LABELS", 8080)
