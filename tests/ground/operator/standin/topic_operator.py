"""KafkaTopics become topics of the real Kafka, with its real errors; runs in the entity operator's pod."""
from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import ResourceType

from . import kafka_admin, status
from .kube import Object, api_version
from .worker import Worker, serve

FINALIZER = "strimzi.io/topic-operator"


class Refused(Exception):
    """A change that Kafka cannot make: the reason and the message of the condition."""

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

    kind, where, retry = "KafkaTopic", "BatchingTopicController:100", 5

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
                    self._write(topic, self._failed("KafkaError", kafka_admin.java_error(failure)), kafka_name)
                    return
                self._finalizers(topic, [f for f in finalizers if f != FINALIZER])
            return
        if not managed:
            self._write(topic, status.condition("Unmanaged"), kafka_name)
            return
        if FINALIZER not in finalizers:
            self._finalizers(topic, [*finalizers, FINALIZER])
        topic_id = None
        try:
            topic_id = self._bring_about(topic, kafka_name)
            condition = status.ready()
        except Refused as refused:
            topic_id = (topic.get("status") or {}).get("topicId")
            condition = self._failed(refused.reason, str(refused))
        except KafkaException as failure:
            condition = self._failed("KafkaError", kafka_admin.java_error(failure))
            if kafka_admin.unreached(failure):
                self._again((namespace, name), 5)
        self._write(topic, condition, kafka_name, topic_id)

    def _bring_about(self, topic: Object, name: str) -> str:
        """Make the topic what its spec says; return its id."""
        spec = topic.get("spec") or {}
        partitions, replicas = spec.get("partitions", -1), spec.get("replicas", -1)
        config = {key: _text(value) for key, value in (spec.get("config") or {}).items()}
        found = self.admin.topic(name)
        if found is None:
            self.admin.create_topic(name, partitions, replicas, config)
            made = self.admin.topic_when(name, lambda t: partitions in (-1, len(t.partitions)))
            return kafka_admin.uuid_text(made.topic_id)
        if partitions != -1 and partitions < len(found.partitions):
            raise Refused("NotSupported", "Decreasing partitions not supported")
        wrong = [p.id for p in found.partitions if replicas not in (-1, len(p.replicas))]
        if wrong:
            raise Refused("NotSupported",
                          f"Replication factor change not supported, but required for partitions {wrong}")
        if partitions > len(found.partitions):
            self.admin.add_partitions(name, partitions)
            self.admin.topic_when(name, lambda t: len(t.partitions) == partitions)
        running = self.admin.topic_config(name)
        changes: dict[str, str | None] = {k: v for k, v in config.items() if running.get(k) != v}
        changes |= {k: None for k in running if k not in config}
        if changes:
            self.admin.alter(ResourceType.TOPIC, name, changes)
        return kafka_admin.uuid_text(found.topic_id)

    @staticmethod
    def _failed(reason: str, message: str) -> Object:
        return status.condition("Ready", "False", reason, message)

    def _finalizers(self, topic: Object, finalizers: list[str]) -> None:
        meta = topic["metadata"]
        self.kube.merge("KafkaTopic", meta["namespace"], meta["name"],
                        {"metadata": {"finalizers": finalizers, "uid": meta["uid"]}})

    def _write(self, topic: Object, condition: Object, name: str, topic_id: str | None = None) -> None:
        made: Object = {"conditions": [condition], "observedGeneration": topic["metadata"]["generation"],
                        "topicName": name}
        if topic_id:
            made["topicId"] = topic_id
        status.write(self.kube, topic, made, where="BatchingTopicController:400")


if __name__ == "__main__":
    serve(TopicOperator, "topic operator", "TopicOperatorMain:130", "STRIMZI_RESOURCE_LABELS", 8080)
