"""Serve the sample site on loopback, with an ETag, so that a second visit can answer 304."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from actors.demo import sample_site

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self


class SampleSite:
    """The site on a free port of 127.0.0.1, as a context manager.

    Attributes:
        url: ``http://127.0.0.1:PORT``.
        feeds: Addresses of its two feeds.
        answers: How often each (path, status) was answered.
    """

    def __init__(self, now: datetime | None = None) -> None:
        self.now = (now or datetime.now(UTC)).replace(microsecond=0)
        self.answers: Counter[tuple[str, int]] = Counter()
        handler = type("Handler", (_Handler,), {"site": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.pages = sample_site.render(self.url, self.now)
        publications = dict.fromkeys(entry.publication for entry in sample_site.entries())
        self.feeds = [self.url + publication.feed for publication in publications]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


_GONE = b"<!DOCTYPE html><title>Not found</title><h1>Not found</h1><p>Sample data: gone on purpose.</p>"


class _Handler(BaseHTTPRequestHandler):
    site: ClassVar[SampleSite]
    protocol_version = "HTTP/1.1"
    server_version = "sample-site"
    sys_version = ""

    def do_GET(self) -> None:
        page = self.site.pages.get(urlsplit(self.path).path)
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, _GONE, {"Content-Type": "text/html; charset=utf-8"})
            return
        if self.headers.get("If-None-Match") == page.etag:
            self._answer(HTTPStatus.NOT_MODIFIED, b"", {"ETag": page.etag})
        else:
            self._answer(HTTPStatus.OK, page.body, {"ETag": page.etag, "Content-Type": page.content_type})

    do_HEAD = do_GET  # noqa: N815 (the base class's name)

    def _answer(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.site.answers[urlsplit(self.path).path, int(status)] += 1
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status is not HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Log nothing: the demo shows the work of the pipeline, not each request."""
