"""The stand-in for the HTTP bridge: produces messages to the real Kafka and responds like Strimzi's bridge."""
from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient

from . import STAND_IN, health, log
from .kube import Object

PROPERTIES = "/opt/strimzi/custom-config/application.properties"
RESPONSE_TYPE = "application/vnd.kafka.v2+json"
REQUEST_TYPE = "application/vnd.kafka.json.v2+json"


def read_properties(path: str) -> dict[str, str]:
    with open(path, encoding="utf-8") as file:
        pairs = (line.strip().split("=", 1) for line in file if "=" in line and not line.startswith("#"))
        return dict(pairs)


def encode_json(value: object) -> bytes | None:
    """Return a value as compact JSON; None stays None."""
    return None if value is None else json.dumps(value, separators=(",", ":")).encode()


class RequestError(Exception):
    """A request that gets an error response: the status code and the message."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


class Handler(BaseHTTPRequestHandler):
    """Handles the requests of the bridge's API."""

    protocol_version = "HTTP/1.1"
    producer: Producer

    def _respond(self, code: int, body: Object) -> None:
        data = encode_json(body) or b""
        self.send_response(code)
        self.send_header("Content-Type", RESPONSE_TYPE)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _handle(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            self._respond(200, self._route([unquote(part) for part in self.path.strip("/").split("/")], raw))
        except RequestError as error:
            self._respond(error.code, {"error_code": error.code, "message": str(error)})
        except BrokenPipeError:
            pass
        except Exception as failure:
            log.trace("HttpBridge:500", f"{self.command} {self.path} failed")
            self._respond(500, {"error_code": 500, "message": str(failure)})

    do_GET = do_POST = _handle  # noqa: N815  (names defined by the library)

    def _route(self, path: list[str], raw: bytes) -> Object:
        if self.command != "POST" or len(path) != 2 or path[0] != "topics":
            raise RequestError(404, "Not Found")
        content_type = self.headers.get("Content-Type")
        if (content_type or "").split(";")[0].strip() != REQUEST_TYPE:
            raise RequestError(400, f"Validation error on: content type {content_type} is not supported")
        try:
            body = json.loads(raw)
        except ValueError as failure:
            raise RequestError(400, "Validation error on: body is not valid JSON") from failure
        records = body.get("records") if isinstance(body, dict) else None
        if not isinstance(records, list) or not records:
            raise RequestError(400, "Validation error on: /records - Missing or empty")
        return self._produce(path[1], records)

    def _produce(self, topic: str, records: list[Object]) -> Object:
        """Produce the records. Return the partition and offset of each, or the error."""
        results: list[Object] = [{} for _ in records]

        def record_result(index: int, error: object, message: Message) -> None:
            results[index] = ({"partition": message.partition(), "offset": message.offset()} if error is None
                              else {"error_code": 500, "message": str(error)})
        for index, record in enumerate(records):
            self.producer.produce(topic, encode_json(record.get("value")), encode_json(record.get("key")),
                                  on_delivery=lambda e, m, i=index: record_result(i, e, m))
        self.producer.flush(65)
        return {"offsets": results}

    def log_message(self, *arguments: object) -> None:
        log.info("HttpBridge:300", str(arguments[0]) % arguments[1:])


def main() -> None:
    """Run until SIGTERM."""
    print(STAND_IN.format("HTTP bridge"), flush=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    config = read_properties(sys.argv[1] if len(sys.argv) > 1 else PROPERTIES)
    base: Object = {"bootstrap.servers": config["kafka.bootstrap.servers"], "log_level": 0}
    Handler.producer = Producer(base | {"linger.ms": "0", "message.timeout.ms": "60000"})
    admin = AdminClient(base)
    while True:
        try:
            admin.list_topics(timeout=10)
            break
        except Exception as failure:
            log.warn("Application:100", f"Kafka does not answer: {failure}")
            time.sleep(1)
    port = int(config.get("http.port", "8080"))
    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    health.serve(8081)
    log.info("HttpBridge:150", f"HTTP-Kafka Bridge started and listening on port {port}")
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
