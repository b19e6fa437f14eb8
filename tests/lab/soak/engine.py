"""``python -m tests.lab.soak.engine PORT SEED SHARE`` serves the real Engine, and makes a share of its answers fail.

With ``bare FILE`` the module only fetches, parses and extracts the addresses in a file once, and prints the seconds of
CPU, including the reader processes. The file has the addresses of feeds and of items as JSON.
"""

import json
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from actors.engine import Settings
from actors.engine.contract import EngineError, Finder
from actors.engine.local import LocalEngine
from actors.engine.server import EngineServer
from tests.fleet import cpu_of

_SETTINGS = Settings.model_validate({"allow_networks": ["127.0.0.0/8"], "contact": "https://soak.example"})


class Faulty:
    """The engine fails at random: with a reason, or by closing the connection without an answer."""

    def __init__(self, engine: Finder, share: float, seed: int) -> None:
        self._engine, self._share, self._chance = engine, share, random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        lot = self._chance.random()
        if lot < self._share / 2:
            raise EngineError("engine_failed", "the Engine has a bad moment")
        if lot < self._share:
            raise ConnectionAbortedError("the Engine broke off")
        return getattr(self._engine, name)


def main(port: int, seed: int, share: float) -> None:
    engine: Any = Faulty(LocalEngine(_SETTINGS), share, seed)
    with EngineServer(engine, "127.0.0.1", port) as server:
        print("ready", flush=True)
        server.serve_forever()


def bare(file: str) -> None:
    """Read every feed once and every page once, one after another."""
    feeds, pages = json.loads(Path(file).read_text())
    local = LocalEngine(_SETTINGS)
    begin = cpu_of(psutil.Process())
    for feed in feeds:
        local.fetch_source(feed)
    for page in pages:
        with suppress(EngineError):
            local.fetch_item(page)
    print(cpu_of(psutil.Process()) - begin)


if __name__ == "__main__":
    if sys.argv[1] == "bare":
        bare(sys.argv[2])
    else:
        main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
