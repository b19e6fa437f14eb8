"""Serve the sample site on loopback."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from actors.demo import sample_site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Site:
    """A served site: its address, and the addresses of its two feeds."""

    url: str
    feeds: list[str]


@contextmanager
def served() -> Iterator[Site]:
    """The site on a free port of 127.0.0.1."""
    pages: dict[str, sample_site.Page] = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: _Handler(pages, *given)) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        pages |= sample_site.render(url, datetime.now(UTC).replace(microsecond=0))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield Site(url, [url + path for path in pages if path.endswith(".xml")])
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, pages: Mapping[str, sample_site.Page], *given: Any) -> None:
        self.pages = pages
        super().__init__(*given)

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        gone = sample_site.Page(b"<!DOCTYPE html><title>Not found</title><h1>Not found</h1>", "text/html")
        page = self.pages.get(path, gone)
        self.send_response(404 if page is gone else 200)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Log nothing: the demo shows the work of the pipeline, not each request."""
