"""Speed-up of four analysing workers over one, with a model that takes 300 ms to answer."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

from actors.ai import Settings, gate
from actors.ai.protocol import Story
from tests.actors.ai.conftest import ModelServer, completion
from tests.lab.events.measure import WORKERS, analyse
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized
    from multiprocessing.synchronize import Barrier

    from tests.lab.events.world import World

STORIES = 24  # of each worker
WARM = 2  # stories that each analyses before the clock starts, because imports and connections belong to the first
_HALF = STORIES // 2 + WARM
NEEDED = (STORIES + WARM) * WORKERS + 2 * _HALF
SPARE = 50  # further stories, because some have no sentence that may be shown
LATENCY = 0.3


class SlowModel(ModelServer):
    """It thinks before it answers each question, with a sentence of the story."""

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        time.sleep(LATENCY)
        _, _, asked = body["messages"][1]["content"].partition("\n\n")
        why = reason(asked.partition("\n===")[0])
        assert why is not None
        answer = {"why_it_matters": why, "chili": 3, "confidence": 0.8, "quotes": [why[:60]]}
        return 200, {}, completion(answer)


def reason(document: str) -> str | None:
    """The first sentence of a story that may be shown."""
    story = Story(UUID(int=0), "", document)
    sentences = (sentence.strip() + "." for line in document.split("\n") for sentence in line.split(". "))
    return next((sentence for sentence in sentences if gate.fault(sentence, story) is None), None)


def speedup(url: str, world: World, places: range) -> float:
    """Stories a second of four workers, divided by that of one before and after, of ``NEEDED`` stories. Whoever is free takes the next."""
    model = SlowModel()
    ids = [world.ids[place] for place in places if reason(world.told[place].text)][:NEEDED]
    try:
        before = seconds(url, model.url, ids[:_HALF], 1)
        together = seconds(url, model.url, ids[_HALF:-_HALF], WORKERS)
        after = seconds(url, model.url, ids[-_HALF:], 1)
        return (WORKERS * STORIES / together) / (STORIES / (before + after))
    finally:
        model.close()


def seconds(url: str, model: str, stories: list[UUID], count: int) -> float:
    """How long so many workers took for all of them but the first ``WARM`` of each."""
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
    settings = {"provider": "openai", "openai": {"base_url": model, "model": "m", "verify": False}}
    ai = Settings.model_validate(settings).open()

    def following() -> UUID | None:
        with taken.get_lock():
            taken.value += 1
            return stories[taken.value - 1] if taken.value <= len(stories) else None

    with closing(connect(url)) as conn:
        for _ in range(WARM):
            first = following()
            assert first is not None
            analyse(conn, ai, first)
        barrier.wait(120)
        while story := following():
            analyse(conn, ai, story)
