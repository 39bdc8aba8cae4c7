"""Kafka Connect's REST API: the requests that Strimzi's operator sends, with the same retries."""
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
    """A client for one Kafka Connect cluster."""

    def __init__(self, host: str, port: int = 8083):
        self.base = f"http://{host}:{port}"
        self.pool = urllib3.PoolManager(retries=False)

    def _request(self, method: str, path: str, body: Object | None = None) -> Any:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        response = self._send(method, path, headers, None if body is None else json.dumps(body).encode())
        if response.status >= 400:
            try:
                message = json.loads(response.data)["message"]
            except (ValueError, KeyError, TypeError):
                message = "Unknown error message"
            raise ConnectRestException(method, path, response.status, message)
        return json.loads(response.data) if response.data else None

    def _send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Any:
        """Send a request. Retry a failed connection for 5 s: the Service can reach a pod only some time after the pod
        is ready, and the stand-in is faster than Strimzi's operator."""
        deadline = time.monotonic() + 5
        while True:
            try:
                return self.pool.request(method, self.base + path, headers=headers, timeout=90.0, body=body)
            except urllib3.exceptions.NewConnectionError as failure:
                if time.monotonic() > deadline:
                    raise ConnectException(f"{self.base}: {failure}") from failure
            except urllib3.exceptions.HTTPError as failure:
                raise ConnectException(f"{self.base}: {failure}") from failure
            time.sleep(0.3)

    @staticmethod
    def _retry(code: int, attempts: int, call: Callable[[], Any]) -> Any:
        """Retry after 0.2 s, 0.4 s and so on while the response has this code, such as 409 during a rebalance."""
        delay = 0.2
        for _ in range(attempts):
            try:
                return call()
            except ConnectRestException as failure:
                if failure.code != code:
                    raise
            time.sleep(delay)
            delay = min(delay * 2, 10)
        return call()

    @staticmethod
    def _path(name: str, sub: str = "") -> str:
        return f"/connectors/{quote(name, safe='')}{sub}"

    def plugins(self) -> list[Object]:
        return self._request("GET", "/connector-plugins")

    def names(self) -> list[str]:
        return self._request("GET", "/connectors")

    def config(self, name: str) -> dict[str, str] | None:
        """Return a connector's configuration, or None if the connector does not exist."""
        try:
            return self._retry(409, 6, lambda: self._request("GET", self._path(name, "/config")))
        except ConnectRestException as failure:
            if failure.code == 404:
                return None
            raise

    def create(self, name: str, config: Object) -> None:
        self._retry(409, 10, lambda: self._request("POST", "/connectors", {"name": name, "config": config}))

    def configure(self, name: str, config: Object) -> None:
        self._retry(409, 10, lambda: self._request("PUT", self._path(name, "/config"), config))

    def status(self, name: str) -> Object:
        """Return a connector's status, which exists only some time after the connector."""
        return self._retry(404, 10, lambda: self._request("GET", self._path(name, "/status")))

    def topics(self, name: str) -> list[str]:
        return self._request("GET", self._path(name, "/topics"))[name]["topics"]

    def delete(self, name: str) -> None:
        """Delete a connector, if it exists, and wait until its status no longer exists."""
        try:
            self._retry(409, 10, lambda: self._request("DELETE", self._path(name)))
            for _ in range(50):
                self._request("GET", self._path(name, "/status"))
                time.sleep(0.2)
        except ConnectRestException as failure:
            if failure.code != 404:
                raise
