"""How the bridge carries keys and values in JSON, and how it says no."""
from __future__ import annotations

import base64
import json

FORMATS = {f"application/vnd.kafka.{kind}.v2+json": kind for kind in ("json", "binary", "text")}


class Wrong(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


def decoded(value: object, kind: str) -> bytes | None:
    """A key or value of a request as Kafka shall have it."""
    if value is None:
        return None
    if kind == "json":
        return json.dumps(value, separators=(",", ":")).encode()
    if not isinstance(value, str):
        raise Wrong(422, f"A {kind} key or value must be a string")
    if kind == "text":
        return value.encode()
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as failure:
        raise Wrong(422, f"Not base64: {failure}") from failure


def encoded(value: bytes | None, kind: str) -> object:
    """A key or value of Kafka as an answer has it."""
    if value is None:
        return None
    if kind == "json":
        try:
            return json.loads(value)
        except ValueError as failure:
            raise Wrong(406, f"Failed to decode: {failure}") from failure
    return value.decode() if kind == "text" else base64.b64encode(value).decode()
