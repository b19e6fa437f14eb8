"""These web servers on loopback give the answers that a test sets."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """The server adds ``Content-Length`` unless ``headers`` contain it."""

    body: bytes | str = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def as_json(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(body), status, "application/json; charset=UTF-8", headers)


class Loopback:
    """This web server listens on loopback; its subclasses decide the answers."""

    host = "127.0.0.1"
    root = ""  # the path at which its addresses begin

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer((self.host, 0), self._handler())
        self._server.socket.listen(256)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Return the address without a trailing slash."""
        return f"http://127.0.0.1:{self._server.server_port}{self.root}"

    def respond(self, asked: Asked) -> Answer | None:
        """Return the answer to a request; None closes the connection without an answer."""
        raise NotImplementedError

    def _handler(owner) -> type[BaseHTTPRequestHandler]:  # noqa: N805 (the handler has a self of its own)
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = owner.respond(Asked(self.command, self.path, headers, self.rfile.read(length)))
                if answer is None:
                    self.close_connection = True
                    return
                body = answer.body.encode() if isinstance(answer.body, str) else answer.body
                self.send_response(answer.status)
                sent = {"Content-Type": answer.content_type, "Content-Length": str(len(body)), **answer.headers}
                for name, value in sent.items():
                    self.send_header(name, value)
                try:
                    self.end_headers()
                    self.wfile.write(body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # The client may close the connection early.

            do_POST = do_GET  # noqa: N815 (http.server looks for this name)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class Site(Loopback):
    """``site.pages["/feed"]`` is an ``Answer``, or a function from a request to an ``Answer``; ``asked`` has all requests."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer | Callable[[Asked], Answer]] = {}
        self.asked: list[Asked] = []
        super().__init__()

    def times(self, path: str) -> int:
        return sum(asked.path == path for asked in self.asked)

    def respond(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        page = self.pages.get(asked.path, Answer(status=404))
        return page if isinstance(page, Answer) else page(asked)


_NAMES = (
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:media="http://search.yahoo.com/mrss/" '
    'xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:yt="http://www.youtube.com/xml/schemas/2015"'
)


def paragraphs(words: str, count: int = 6) -> str:
    """Make ``count`` different paragraphs."""
    return "".join(
        f"<p>Paragraph {number} says that {words} was measured at {number * 17} milliseconds in run {number}, which is "
        f"{number + 3} percent better than release {number} and was not expected by the people of team {number}.</p>"
        for number in range(1, count + 1)
    )


def page(title: str, body: str, head: str = "") -> str:
    """Make an article's page with navigation and footer."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{head}</head><body>'
        f'<nav><a href="/">Home</a> <a href="/about">About</a></nav><main><article><h1>{title}</h1>{body}</article></main>'
        "<footer>Imprint and contact</footer></body></html>"
    )


def rss(*entries: tuple[str, str, str], link: str = "http://127.0.0.1/", extra: str = "") -> str:
    """Make an RSS 2.0 feed; each entry is (guid, title, link), and each item also gets ``extra``."""
    items = "".join(
        f"<item><guid>{guid}</guid><title>{title}</title><link>{url}</link>{extra}</item>"
        for guid, title, url in entries
    )
    return (
        f'<?xml version="1.0"?><rss version="2.0" {_NAMES}><channel><title>A feed</title><link>{link}</link>'
        f"<description>For tests</description>{items}</channel></rss>"
    )


def atom(*entries: str, title: str = "A feed") -> str:
    """Make an Atom feed; each entry is given as the XML inside its ``entry`` element."""
    listed = "".join(f"<entry>{entry}</entry>" for entry in entries)
    return f'<feed {_NAMES} xmlns="http://www.w3.org/2005/Atom"><title>{title}</title><id>x</id>{listed}</feed>'


def channel(description: str = "What it shows", title: str = "A channel") -> str:
    """Make the feed of a YouTube channel with one video."""
    return atom(
        "<id>yt:video:abcdefghijk</id><yt:videoId>abcdefghijk</yt:videoId><title>A video</title>"
        '<link rel="alternate" href="https://www.youtube.com/watch?v=abcdefghijk"/>'
        f"<media:group><media:description>{description}</media:description></media:group>",
        title=title,
    )
