"""The Engine of a soak: ``python -m tests.lab.soak.engine PORT SEED SHARE``; the real server, a share of whose answers fails."""

import random
import sys
from typing import Any

from actors.engine import Settings
from actors.engine.contract import EngineError, Finder
from actors.engine.local import LocalEngine
from actors.engine.server import EngineServer

SETTINGS = {"allow_networks": ["127.0.0.0/8"], "contact": "https://soak.example"}


class Faulty:
    """An engine that fails by chance: with a reason, or by breaking off without an answer."""

    def __init__(self, engine: Finder, share: float, seed: int) -> None:
        self._engine = engine
        self._share = share
        self._chance = random.Random(seed)

    def __getattr__(self, name: str) -> Any:
        """Each of its questions."""
        lot = self._chance.random()
        if lot < self._share / 2:
            raise EngineError("engine_failed", "the Engine has a bad moment")
        if lot < self._share:
            raise ConnectionAbortedError("the Engine broke off")
        return getattr(self._engine, name)


class _Server(EngineServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections here are intended."""


def main(port: int, seed: int, share: float) -> None:
    """Serve until it is killed."""
    engine: Any = Faulty(LocalEngine(Settings.model_validate(SETTINGS)), share, seed)
    with _Server(engine, "127.0.0.1", port) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
