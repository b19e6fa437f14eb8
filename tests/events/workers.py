"""Speed-up of four analysing workers over one, with a model that takes 300 ms to answer."""

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
    from multiprocessing.sharedctypes import Synchronized
    from multiprocessing.synchronize import Barrier
    from uuid import UUID

    from tests.events.world import World

STORIES = 24  # of each worker
_WARM = (
    2  # that each analyses before the clock starts: what is imported and opened at the first is no part of the others
)
_HALF = STORIES // 2 + _WARM
NEEDED = (STORIES + _WARM) * WORKERS + 2 * _HALF
_LATENCY = 0.3


class SlowModel(ModelServer):
    """It thinks before it answers, each question by itself."""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(_LATENCY)
        return super().answer(path, body)


def speedup(url: str, world: World, places: range) -> float:
    """Stories a second of four workers, divided by that of one before and after, of ``NEEDED`` stories. Whoever is free takes the next."""
    model = SlowModel()
    ids = [world.ids[place] for place in places]
    try:
        before = _seconds(url, model.url, ids[:_HALF], 1)
        together = _seconds(url, model.url, ids[_HALF:-_HALF], WORKERS)
        after = _seconds(url, model.url, ids[-_HALF:], 1)
        return (WORKERS * STORIES / together) / (STORIES / (before + after))
    finally:
        model.close()


def _seconds(url: str, model: str, stories: list[UUID], count: int) -> float:
    """How long so many workers took for all of them but the first ``_WARM`` of each."""
    spawn = multiprocessing.get_context("spawn")
    barrier, taken = spawn.Barrier(count + 1), spawn.Value("i", 0)
    workers = [spawn.Process(target=_work, args=(url, model, stories, taken, barrier)) for _ in range(count)]
    for worker in workers:
        worker.start()
    barrier.wait(120)
    begin = time.perf_counter()
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(f"expected a worker that ends, got exit status {worker.exitcode}")
    return time.perf_counter() - begin


def _work(url: str, model: str, stories: list[UUID], taken: Synchronized[int], barrier: Barrier) -> None:
    settings = {"provider": "openai", "openai": {"base_url": model, "model": "m"}}
    ai = Settings.model_validate(settings).open()

    def following() -> UUID | None:
        with taken.get_lock():
            taken.value += 1
            return stories[taken.value - 1] if taken.value <= len(stories) else None

    with closing(connect(url)) as conn:
        for _ in range(_WARM):
            first = following()
            assert first is not None
            analyse(conn, ai, first)
        barrier.wait(120)
        while story := following():
            analyse(conn, ai, story)
