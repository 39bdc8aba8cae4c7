"""The bridge's consumers: instances that live between requests."""
from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field

from confluent_kafka import Consumer, TopicPartition

from .bridge_formats import FORMATS, Wrong, encoded
from .kube import Object

OPTIONS = ("auto.offset.reset", "enable.auto.commit", "fetch.min.bytes", "isolation.level")


@dataclass
class Instance:
    """A consumer and the format of what it reads. One request at a time."""

    client: Consumer
    kind: str
    guard: threading.Lock = field(default_factory=threading.Lock)


class Consumers:
    """All instances, by group and name."""

    def __init__(self, base: dict[str, str]):
        self.base = base
        self.instances: dict[tuple[str, str], Instance] = {}
        self.guard = threading.Lock()

    def route(self, method: str, group: str, rest: list[str], body: Object, host: str, accept: str) -> object:
        """Carry out a request below /consumers/GROUP; its answer's body."""
        if (method, rest) == ("POST", []):
            return self._create(group, body, host)
        if len(rest) < 2 or rest[0] != "instances":
            raise Wrong(404, "Not Found")
        found = self.instances.get((group, rest[1]))
        if found is None:
            raise Wrong(404, "The specified consumer instance was not found.")
        with found.guard:
            match (method, rest[2:]):
                case ("DELETE", []):
                    found.client.close()
                    with self.guard:
                        self.instances.pop((group, rest[1]), None)
                    return None
                case ("POST", ["subscription"]):
                    if not body.get("topics"):
                        raise Wrong(422, "A list (of Topics type) or a topic_pattern must be specified.")
                    return found.client.subscribe(body["topics"])
                case ("DELETE", ["subscription"]):
                    return found.client.unsubscribe()
                case ("POST", ["assignments"]):
                    return found.client.assign([TopicPartition(p["topic"], p["partition"])
                                                for p in body["partitions"]])
                case ("POST", ["offsets"]):
                    found.client.commit(asynchronous=False)
                    return None
                case ("GET", ["records"]):
                    return self._records(found, accept)
        raise Wrong(404, "Not Found")

    def _create(self, group: str, body: Object, host: str) -> Object:
        name, kind = body.get("name") or f"bridge-{uuid.uuid4()}", body.get("format", "binary")
        if f"application/vnd.kafka.{kind}.v2+json" not in FORMATS:
            raise Wrong(422, f"Invalid format type: {kind}")
        options = {key: str(body[key]).lower() for key in OPTIONS if key in body}
        with self.guard:
            if (group, name) in self.instances:
                raise Wrong(409, "A consumer instance with the specified name already exists in the Kafka Bridge.")
            self.instances[group, name] = Instance(Consumer(self.base | {"group.id": group} | options), kind)
        return {"instance_id": name, "base_uri": f"http://{host}/consumers/{group}/instances/{name}"}

    @staticmethod
    def _records(found: Instance, accept: str) -> list[Object]:
        if FORMATS.get(accept.split(";")[0].strip()) != found.kind:
            raise Wrong(406, "Consumer format does not match the embedded format requested by the Accept header.")
        made = []
        for message in found.client.consume(500, timeout=1.0):
            if message.error():
                continue
            made.append({"topic": message.topic(), "key": encoded(message.key(), found.kind),
                         "value": encoded(message.value(), found.kind), "partition": message.partition(),
                         "offset": message.offset(), "timestamp": message.timestamp()[1], "headers": []})
        return made
