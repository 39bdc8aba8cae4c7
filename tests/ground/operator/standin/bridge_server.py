"""The played HTTP bridge: producing, reading and looking at topics of the real Kafka, in the real bridge's words."""
from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient

from . import STAND_IN, log
from .bridge_consumers import Consumers
from .bridge_formats import FORMATS, Wrong, decoded
from .kube import Object

PROPERTIES = "/opt/strimzi/custom-config/application.properties"
JSON = "application/vnd.kafka.v2+json"
# librdkafka takes these options of a producer under the same names; the others are Java's own.
TAKEN = ("acks", "linger.ms", "compression.type", "retries", "client.id", "enable.idempotence")


def read_properties(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as file:
        pairs = (line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#"))
        return dict(pairs)


class Bridge:
    """What the handlers share: the clients of Kafka."""

    def __init__(self, config: dict[str, str]):
        base = {"bootstrap.servers": config["kafka.bootstrap.servers"], "log_level": 0}
        own = {key: config[f"kafka.producer.{key}"] for key in TAKEN if f"kafka.producer.{key}" in config}
        self.producer = Producer(base | {"linger.ms": "0", "message.timeout.ms": "60000"} | own)
        self.admin = AdminClient(base)
        self.consumers = Consumers(base)

    def topics(self) -> dict[str, Object]:
        """The topics with their partitions."""
        made = {}
        for name, topic in self.admin.list_topics(timeout=10).topics.items():
            made[name] = [{"partition": p.id, "leader": p.leader, "replicas": [
                {"broker": r, "leader": r == p.leader, "in_sync": r in p.isrs} for r in p.replicas]}
                for p in sorted(topic.partitions.values(), key=lambda p: p.id)]
        return made

    def produce(self, topic: str, partition: int | None, kind: str, body: Object) -> Object:
        """Send the records; where each is, or why it is nowhere."""
        results: list[Object] = [{} for _ in body["records"]]

        def told(index: int, error: object, message: Message) -> None:
            if error is None:
                results[index] = {"partition": message.partition(), "offset": message.offset()}
            else:
                results[index] = {"error_code": 500, "message": str(error)}
        for index, record in enumerate(body["records"]):
            where = record.get("partition", partition)
            if where is not None and where < 0:
                raise Wrong(422, f"Invalid partition: {where}")
            headers = [(header["key"], decoded(header.get("value"), "binary"))
                       for header in record.get("headers") or []]
            self.producer.produce(
                topic, decoded(record.get("value"), kind), decoded(record.get("key"), kind),
                -1 if where is None else where, lambda e, m, i=index: told(i, e, m), headers=headers or None)
        self.producer.flush(65)
        return {"offsets": results}


class Handler(BaseHTTPRequestHandler):
    """One request of the API."""

    protocol_version = "HTTP/1.1"
    bridge: Bridge

    def _answer(self, code: int, body: object = None, content: str = JSON) -> None:
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        self.send_response(code)
        if data:
            self.send_header("Content-Type", content)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _handle(self) -> None:
        path = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        try:
            try:
                body = json.loads(raw) if raw else {}
            except ValueError as failure:
                raise Wrong(400, "Validation error on: body is not valid JSON") from failure
            self._route(self.command, path, body)
        except Wrong as wrong:
            self._answer(wrong.code, {"error_code": wrong.code, "message": str(wrong)})
        except BrokenPipeError:
            pass
        except Exception as failure:
            log.trace("HttpBridge:500", f"{self.command} {self.path} failed")
            self._answer(500, {"error_code": 500, "message": str(failure)})

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815  (names that the library asks for)

    def _route(self, method: str, path: list[str], body: Object) -> None:
        match (method, path):
            case ("GET", [""]):
                version = os.environ.get("STRIMZI_BRIDGE_VERSION", "1.1.0")
                self._answer(200, {"bridge_version": version}, "application/json")
            case ("GET", ["topics"]):
                self._answer(200, sorted(self.bridge.topics()))
            case ("GET", ["topics", topic, *more]) if more in ([], ["partitions"]):
                found = self.bridge.topics().get(topic)
                if found is None:
                    raise Wrong(404, "This server does not host this topic-partition.")
                self._answer(200, found if more else {"name": topic, "configs": {}, "partitions": found})
            case ("POST", ["topics", topic]):
                self._produce(topic, None, body)
            case ("POST", ["topics", topic, "partitions", partition]) if re.fullmatch(r"\d+", partition):
                self._produce(topic, int(partition), body)
            case (_, ["consumers", group, *rest]):
                host = self.headers.get("Host", f"{socket.gethostname()}:8080")
                answer = self.bridge.consumers.route(method, group, rest, body, host, self.headers.get("Accept", ""))
                content = self.headers.get("Accept", JSON) if rest[-1:] == ["records"] else JSON
                self._answer(204 if answer is None else 200, answer, content)
            case _:
                raise Wrong(404, "Not Found")

    def _produce(self, topic: str, partition: int | None, body: Object) -> None:
        kind = FORMATS.get((self.headers.get("Content-Type") or "").split(";")[0].strip())
        if kind is None:
            raise Wrong(400, f"Validation error on: content type {self.headers.get('Content-Type')} is not supported")
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list) or not records:
            raise Wrong(400, "Validation error on: /records - Missing or empty")
        self._answer(200, self.bridge.produce(topic, partition, kind, body))

    def log_message(self, *arguments: object) -> None:
        log.info("HttpBridge:300", str(arguments[0]) % arguments[1:])


class Management(BaseHTTPRequestHandler):
    """Probes and metrics, on a port of their own."""

    def do_GET(self) -> None:  # noqa: N802
        self.send_response({"/healthy": 204, "/ready": 204, "/metrics": 200}.get(self.path, 404))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Probes are not worth a line."""


def serve(port: int, handler: type[BaseHTTPRequestHandler]) -> None:
    server = ThreadingHTTPServer(("", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()


def main() -> None:
    """Run until the pod is stopped."""
    print(STAND_IN.format("HTTP bridge"), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    config = read_properties(sys.argv[1] if len(sys.argv) > 1 else PROPERTIES)
    Handler.bridge = Bridge(config)
    while True:
        try:
            Handler.bridge.admin.list_topics(timeout=10)
            break
        except Exception as failure:
            log.warn("Application:100", f"Kafka does not answer: {failure}")
            time.sleep(1)
    serve(int(config.get("http.port", "8080")), Handler)
    serve(8081, Management)
    log.info("HttpBridge:150", f"HTTP-Kafka Bridge started and listening on port {config.get('http.port', '8080')}")
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
