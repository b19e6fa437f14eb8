"""The sites of a soak have one host for each feed, and a share of their answers fails."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from threading import Lock

from tests.actors.scripted_site import Answer, Asked, Loopback, page
from tests.lab.soak.news import Item, News

_LATER = {"Retry-After": "1"}
_CUT = {"Content-Length": "2000", "Connection": "close"}  # The connection ends in the middle of the body.
_FAULTS = (
    Answer("oops", 500),
    Answer("bad gateway", 502),
    Answer("slow down", 503, headers=_LATER),
    Answer("slow down", 429, headers=_LATER),
    Answer("<html><body><p>The beginning of something." * 20, headers=_CUT),
    None,
)
_WALL = (
    "<p>The first two sentences are free to read for everybody who comes here. The rest of it is not.</p>"
    "<p>Subscribe to continue reading this story.</p>"
)


class Faulty(Loopback):
    """A random share of the answers is one of the ``ways`` to fail, where None is no answer."""

    def __init__(self, share: float, seed: int, ways: Sequence[Answer | None]) -> None:
        self._share, self._ways, self._chance = share, ways, random.Random(seed)
        self.faults = 0
        self.lock = Lock()
        super().__init__()

    def respond(self, asked: Asked) -> Answer | None:
        with self.lock:
            if self._chance.random() < self._share:
                self.faults += 1
                return self._chance.choice(self._ways)
        return self.answer(asked)

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError


class Sites(Faulty):
    """``peak`` is the largest number of concurrent requests of a host."""

    host = "0.0.0.0"  # Each feed has another address below 127.1.

    def __init__(self, share: float, count: int, per_feed: int, seed: int) -> None:
        self.peak = 0
        self._now: Counter[str] = Counter()
        super().__init__(share, seed, _FAULTS)
        port = self.url.rpartition(":")[2]
        hosts = [f"http://127.1.{n // 250}.{n % 250 + 1}:{port}" for n in range(count)]
        self.news = News(hosts, per_feed, seed)

    def respond(self, asked: Asked) -> Answer | None:
        host = asked.headers["host"]
        with self.lock:
            self._now[host] += 1
            self.peak = max(self.peak, self._now[host])
        try:
            time.sleep(0.002)  # The delay is that of a machine in the same building.
            return super().respond(asked)
        finally:
            with self.lock:
                self._now[host] -= 1

    def answer(self, asked: Asked) -> Answer:
        url = f"http://{asked.headers['host']}{asked.path}".partition("?")[0]
        if url in self.news.feeds:
            headers = {"ETag": f'"{self.news.seed}"'}
            return Answer(self.news.feed(url), content_type="application/rss+xml", headers=headers)
        item = self.news.pages.get(url, Item("", None, "missing"))
        match item.kind:
            case "good":
                return Answer(self.news.page(item))
            case "loop":
                return Answer(status=302, headers={"Location": url})
            case "image":
                return Answer(b"\x89PNG", content_type="image/png")
            case "wall":
                return Answer(page("For subscribers", _WALL))
            case "short":
                return Answer(page("Short", "<p>There is little to say about it.</p>"))
            case kind:
                return Answer(status=410 if kind == "removed" else 404)
