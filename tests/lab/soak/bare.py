"""Bare work beside a soak: ``python -m tests.lab.soak.bare PORT HOSTS ITEMS SEED`` fetches, parses and extracts everything once.

It prints how many seconds of CPU that took, with the processes that parse, and nothing else is done: no database, no analysis.
"""

import sys
from contextlib import suppress

import psutil

from actors.engine import Settings
from actors.engine.contract import EngineError
from actors.engine.local import LocalEngine
from tests.fleet import cpu_of
from tests.lab.soak import engine, site
from tests.lab.soak.news import News


def main(port: int, count: int, per_feed: int, seed: int) -> None:
    """Every feed once and every page once, one after another."""
    news = News(site.hosts(port, count), per_feed, seed)
    local = LocalEngine(Settings.model_validate(engine.SETTINGS))
    begin = cpu_of(psutil.Process())
    for feed in news.feeds:
        local.fetch_source(feed)
    for item in news.items.values():
        if item.url:
            with suppress(EngineError):
                local.fetch_item(item.url)
    print(cpu_of(psutil.Process()) - begin)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
