"""/healthy, /ready and an empty /metrics, as the probes of the manifests ask."""
from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def serve(port: int) -> None:
    """Answer on a port for ever, in the background."""

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_GET(self) -> None:  # noqa: N802  (the name the library asks for)
            good = self.path in ("/healthy", "/ready", "/metrics")
            body = b"" if self.path == "/metrics" or not good else b'{"status": "ok"}'
            self.send_response(200 if good else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes are not worth a line."""

    server = ThreadingHTTPServer(("", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
