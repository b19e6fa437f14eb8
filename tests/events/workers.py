"""How much more four analysing workers do than one, where a model takes 300 ms to answer."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from actors.ai import Settings
from tests.actors.ai.conftest import ModelServer
from tests.events.measure import WORKERS, analyse
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier
    from uuid import UUID

    from tests.events.world import World

STORIES = 24  # of each worker
_LATENCY = 0.3


class SlowModel(ModelServer):
    """It thinks before it answers, each question by itself."""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(_LATENCY)
        return super().answer(path, body)


def speedup(url: str, world: World, places: range) -> float:
    """Stories a second of four workers, divided by that of one. It takes five times as many stories as one worker does."""
    model = SlowModel()
    try:
        alone = _rate(url, model.url, [[world.ids[place] for place in places[:STORIES]]])
        rest = places[STORIES : STORIES * (WORKERS + 1)]
        return _rate(url, model.url, [[world.ids[place] for place in rest[n::WORKERS]] for n in range(WORKERS)]) / alone
    finally:
        model.close()


def _rate(url: str, model: str, shares: list[list[UUID]]) -> float:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(len(shares) + 1)
    workers = [spawn.Process(target=_work, args=(url, model, share, barrier)) for share in shares]
    for worker in workers:
        worker.start()
    barrier.wait(60)
    begin = time.perf_counter()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(f"expected a worker that ends, got exit status {worker.exitcode}")
    return sum(map(len, shares)) / (time.perf_counter() - begin)


def _work(url: str, model: str, stories: list[UUID], barrier: Barrier) -> None:
    settings = {"provider": "openai", "openai": {"base_url": model, "model": "m"}}
    ai = Settings.model_validate(settings).open()
    with closing(connect(url)) as conn:
        barrier.wait(60)
        for story in stories:
            analyse(conn, ai, story)
