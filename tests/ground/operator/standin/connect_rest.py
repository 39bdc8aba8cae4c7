"""The REST API of Kafka Connect: what the real operator asks of it, with its patience."""
from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import urllib3

from .failure import ConnectException, ConnectRestException
from .kube import Object


class ConnectRest:
    """A client of one Connect cluster."""

    def __init__(self, host: str, port: int = 8083):
        self.base = f"http://{host}:{port}"
        self.pool = urllib3.PoolManager(retries=False)

    def _ask(self, method: str, path: str, body: Object | None = None) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        answer = self._reached(method, path, headers, None if body is None else json.dumps(body).encode())
        if answer.status >= 400:
            try:
                message = json.loads(answer.data)["message"]
            except (ValueError, KeyError, TypeError):
                message = "Unknown error message"
            raise ConnectRestException(method, path, answer.status, message)
        return json.loads(answer.data) if answer.data else None

    def _reached(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Any:
        """An answer. The service knows of a pod a moment after that is ready, and the stand-in is sooner than a JVM."""
        end = time.monotonic() + 5
        while True:
            try:
                return self.pool.request(method, self.base + path, headers=headers, timeout=90.0, body=body)
            except urllib3.exceptions.NewConnectionError as failure:
                if time.monotonic() > end:
                    raise ConnectException(f"{self.base}: {failure}") from failure
            except urllib3.exceptions.HTTPError as failure:
                raise ConnectException(f"{self.base}: {failure}") from failure
            time.sleep(0.3)

    @staticmethod
    def _patiently(code: int, tries: int, ask: Callable[[], Any]) -> Any:
        """Again after 0.2 s, 0.4 s and so on, as long as the answer is this one (409 while workers agree anew)."""
        delay = 0.2
        for _ in range(tries):
            try:
                return ask()
            except ConnectRestException as failure:
                if failure.code != code:
                    raise
            time.sleep(delay)
            delay = min(delay * 2, 10)
        return ask()

    @staticmethod
    def _path(name: str, sub: str = "") -> str:
        return f"/connectors/{quote(name, safe='')}{sub}"

    def plugins(self) -> list[Object]:
        return self._ask("GET", "/connector-plugins")

    def names(self) -> list[str]:
        return self._ask("GET", "/connectors")

    def config(self, name: str) -> dict[str, str] | None:
        """A connector's configuration, or None where there is no such connector."""
        try:
            return self._patiently(409, 6, lambda: self._ask("GET", self._path(name, "/config")))
        except ConnectRestException as failure:
            if failure.code == 404:
                return None
            raise

    def create(self, name: str, config: Object) -> None:
        self._patiently(409, 10, lambda: self._ask("POST", "/connectors", {"name": name, "config": config}))

    def configure(self, name: str, config: Object) -> None:
        self._patiently(409, 10, lambda: self._ask("PUT", self._path(name, "/config"), config))

    def status(self, name: str) -> Object:
        """A connector's status, which comes a moment after the connector."""
        return self._patiently(404, 10, lambda: self._ask("GET", self._path(name, "/status")))

    def topics(self, name: str) -> list[str]:
        return self._ask("GET", self._path(name, "/topics"))[name]["topics"]

    def delete(self, name: str) -> None:
        """Delete a connector and wait until its status is gone; not an error where there is none."""
        try:
            self._patiently(409, 10, lambda: self._ask("DELETE", self._path(name)))
            for _ in range(50):
                self._ask("GET", self._path(name, "/status"))
                time.sleep(0.2)
        except ConnectRestException as failure:
            if failure.code != 404:
                raise
