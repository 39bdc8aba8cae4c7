"""Serves /healthy and /ready for the probes of the manifests, and an empty /metrics."""
from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(port: int) -> None:
    """Serve a port in the background."""

    class Handler(BaseHTTPRequestHandler):
        """Handles the requests."""

        def do_GET(self) -> None:  # noqa: N802  (name defined by the library)
            known = self.path in ("/healthy", "/ready", "/metrics")
            body = b"" if self.path == "/metrics" or not known else b'{"status": "ok"}'
            self.send_response(200 if known else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Do not log probes."""

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
