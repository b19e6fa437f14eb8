"""Serve the sample site on loopback."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from actors.demo import sample_site


@contextmanager
def served() -> Iterator[tuple[str, list[str]]]:
    """The site on a free port of 127.0.0.1: its address, and the addresses of its two feeds."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        _Handler.pages = sample_site.render(url, datetime.now(UTC).replace(microsecond=0))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield url, [url + path for path in _Handler.pages if path.endswith(".xml")]
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pages: ClassVar[dict[str, str]]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        page = self.pages.get(path)
        body = (page or "<!DOCTYPE html><title>Not found</title><h1>Not found</h1>").encode()
        self.send_response(404 if page is None else 200)
        self.send_header(
            "Content-Type", f"{'application/xml' if path.endswith('.xml') else 'text/html'}; charset=utf-8"
        )
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Log nothing: the demo shows the work of the pipeline, not each request."""
