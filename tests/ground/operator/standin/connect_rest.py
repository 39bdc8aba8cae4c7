"""The REST API of Kafka Connect: the requests and retries of the real operator."""
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
        """A response. The Service has a pod's endpoint a moment after the pod is ready, and the stand-in is faster
        than a JVM."""
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
    def _with_retries(code: int, tries: int, ask: Callable[[], Any]) -> Any:
        """Retry after 0.2 s, 0.4 s and so on, as long as this is the response (409 during a rebalance)."""
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
        """A connector's configuration, or None if it does not exist."""
        try:
            return self._with_retries(409, 6, lambda: self._ask("GET", self._path(name, "/config")))
        except ConnectRestException as failure:
            if failure.code == 404:
                return None
            raise

    def create(self, name: str, config: Object) -> None:
        self._with_retries(409, 10, lambda: self._ask("POST", "/connectors", {"name": name, "config": config}))

    def configure(self, name: str, config: Object) -> None:
        self._with_retries(409, 10, lambda: self._ask("PUT", self._path(name, "/config"), config))

    def status(self, name: str) -> Object:
        """A connector's status, which exists a moment after the connector."""
        return self._with_retries(404, 10, lambda: self._ask("GET", self._path(name, "/status")))

    def topics(self, name: str) -> list[str]:
        return self._ask("GET", self._path(name, "/topics"))[name]["topics"]

    def delete(self, name: str) -> None:
        """Delete a connector and wait until its status no longer exists; not an error if there is none."""
        try:
            self._with_retries(409, 10, lambda: self._ask("DELETE", self._path(name)))
            for _ in range(50):
                self._ask("GET", self._path(name, "/status"))
                time.sleep(0.2)
        except ConnectRestException as failure:
            if failure.code != 404:
                raise
