"""``python -m tests.lab.soak.site PORT HOSTS ITEMS SEED SHARE`` serves the sites of a soak, one host for each feed."""

import asyncio
import json
import sys
from collections import Counter

from tests.lab.soak.news import News
from tests.lab.soak.web import Answer, Faults, Request, serve

_WAYS = [
    Answer(500, b"oops"),
    Answer(502, b"bad gateway"),
    Answer(503, b"slow down", headers={"Retry-After": "1"}),
    Answer(429, b"slow down", headers={"Retry-After": "1"}),
    Answer(silent=True),
    Answer(200, b"<html><body><p>The beginning of something." * 20, cut=True),
]
_WALL = (
    "<html><head><title>For subscribers</title></head><body><article><h1>For subscribers</h1><p>The first two sentences are "
    "free to read for everybody who comes here. The rest of it is not.</p><p>Subscribe to continue reading this story.</p>"
    "</article></body></html>"
)
_SHORT = "<html><head><title>Short</title></head><body><article><h1>Short</h1><p>There is little to say about it.</p></article></body></html>"


def hosts(port: int, count: int) -> list[str]:
    """Return the base addresses of ``count`` sites, each with another loopback address."""
    return [f"http://{address}:{port}" for address in addresses(count)]


def addresses(count: int) -> list[str]:
    return [f"127.1.{n // 250}.{n % 250 + 1}" for n in range(count)]


class Sites:
    """The sites answer for all hosts, and count the concurrent requests of each host."""

    def __init__(self, news: News, faults: Faults) -> None:
        self._news = news
        self._faults = faults
        self.asked = 0
        self.peak = 0
        self._now: Counter[str] = Counter()

    async def answer(self, request: Request) -> Answer:
        """Return a feed, the page of an item, or 404."""
        if request.path == "/counts":
            told = {"asked": self.asked, "faults": self._faults.count, "peak": self.peak}
            return Answer(body=json.dumps(told).encode())
        self.asked += 1
        self._now[request.host] += 1
        self.peak = max(self.peak, self._now[request.host])
        try:
            await asyncio.sleep(0.002)  # The delay is that of a machine in the same building.
            return self._page(request)
        finally:
            self._now[request.host] -= 1

    def _page(self, request: Request) -> Answer:
        fault = self._faults.strike()
        if fault is not None:
            return fault
        url = f"http://{request.host}{request.path}".partition("?")[0]
        if url in self._news.feeds:
            headers = {"ETag": f'"{self._news.seed}"'}
            return Answer(body=self._news.feed(url).encode(), content_type="application/rss+xml", headers=headers)
        item = self._news.pages.get(url)
        kind = item.kind if item else "missing"
        if kind == "loop":
            return Answer(302, headers={"Location": url})
        if kind == "image":
            return Answer(body=b"\x89PNG", content_type="image/png")
        said = {"missing": (404, ""), "removed": (410, ""), "wall": (200, _WALL), "short": (200, _SHORT)}.get(kind)
        if said is not None:
            return Answer(said[0], said[1].encode())
        assert item is not None
        return Answer(body=self._news.page(item).encode())


def main(port: int, count: int, per_feed: int, seed: int, share: float) -> None:
    """Serve the sites of a seed; ``share`` of the answers fail."""
    news = News(hosts(port, count), per_feed, seed)
    sites = Sites(news, Faults(share, seed, _WAYS))
    asyncio.run(serve(sites.answer, addresses(count), port))


if __name__ == "__main__":
    port_, count_, items_, seed_, share_ = sys.argv[1:]
    main(int(port_), int(count_), int(items_), int(seed_), float(share_))
