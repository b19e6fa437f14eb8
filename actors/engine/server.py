"""Serves the local Engine over HTTP (see docs/engine.md), so that untrusted pages are fetched on a separate server."""

import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from actors.engine.contract import EngineError, Finder
from actors.engine.text import text_at
from zeke_jobs import Payload

PORT = 3010
_LARGEST_REQUEST = 64 * 1024
_STATUS_OF_CODE = {"invalid_url": 400, "not_found": 404, "gone": 404}


class EngineServer(ThreadingHTTPServer):
    """Serves ``POST /ingest``, ``POST /source``, ``POST /discover`` and ``GET /health`` with one Engine.

    If ``token`` is set, callers must send this bearer token. While ``most`` requests run, others get status 503.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, engine: Finder, host: str = "127.0.0.1", port: int = PORT, *, token: str | None = None, most: int = 32
    ) -> None:
        self.engine = engine
        self.token = token
        self.free = threading.BoundedSemaphore(most)
        super().__init__((host, port), _Handler)


class _Refused(Exception):
    """Refuses a request. The arguments are the status and the body of the answer."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: EngineServer
    timeout = 10.0
    server_version = "zeke-engine"
    sys_version = ""

    def do_GET(self) -> None:
        if self.path == "/health":
            self._answer(200, {"status": "ok", "providers": {"local": {"status": "ok"}}})
        else:
            self._answer(404, {"error": f"expected /health, /ingest, /source or /discover, got {self.path[:100]}"})

    def do_POST(self) -> None:
        told: dict[str, Any]
        try:
            status, told = 200, {"data": self._found().model_dump(mode="json", by_alias=True)}
        except _Refused as refused:
            status, told = refused.args
        except EngineError as error:
            status = _STATUS_OF_CODE.get(error.code, 500)
            told = {"error": str(error), "code": error.code, "transient": error.transient}
            told |= {"retryAfter": error.retry_after, "unreachable": error.is_unreachable}
        self._answer(status, told)

    def _found(self) -> Payload:
        length = self.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or int(length) > _LARGEST_REQUEST:
            self.close_connection = True
            raise _Refused(400, {"error": f"expected a body of at most {_LARGEST_REQUEST} bytes with its length"})
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            body = None
        engine, url = self.server.engine, text_at(body, "url")
        if not isinstance(body, dict):
            raise _Refused(400, {"error": "expected a JSON object"})
        given = self.headers.get("authorization", "").encode("latin-1", "replace")
        if self.server.token is not None and not hmac.compare_digest(given, f"Bearer {self.server.token}".encode()):
            raise _Refused(401, {"error": "expected the Engine's bearer token"})
        if self.path not in {"/ingest", "/source", "/discover"}:
            raise _Refused(404, {"error": f"expected /ingest, /source or /discover, got {self.path[:100]}"})
        if not isinstance(body.get("url"), str):
            raise _Refused(400, {"error": 'expected an object with "url"', "code": "invalid_url"})
        if not self.server.free.acquire(blocking=False):
            raise _Refused(503, {"error": "busy", "code": "engine_failed", "transient": True, "retryAfter": 1})
        try:
            if self.path == "/ingest":
                return engine.fetch_item(url)
            if self.path == "/discover":
                return engine.discover(url)
            return engine.fetch_source(url, text_at(body, "etag") or None, text_at(body, "lastModified") or None)
        finally:
            self.server.free.release()

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (http.server has this name)
        """Log nothing, because the sender of a request logs the request."""
