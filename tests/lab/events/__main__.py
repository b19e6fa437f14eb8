"""``nox -s events`` measures how stories of the same event are found among 1,000 to 100,000 recent stories.

It measures the cost of adding a story to its event, and compares the found events with those of a full comparison.
"""

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from unittest import mock
from uuid import UUID

import psutil

from actors.ai import Settings, hashing
from actors.ai.protocol import Analysis, Embedding, Provenance, Story
from actors.insights import events
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory
from tests.fleet import cpu_of, query
from tests.lab import server
from tests.lab.events.world import SAME, World
from tests.lab.quality.corpora import CORPUS
from tests.lab.server import Row
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing import FakeContext

_ARRIVING = 300
_ROUNDING = 1e-6  # Stored numbers may differ from computed numbers by _ROUNDING.


class Prepared:
    """This stand-in for the AI has prepared answers, so that only the database is measured."""

    def __init__(self, world: World) -> None:
        self._vectors = dict(zip(world.ids, world.vectors, strict=True))
        self.rescore = Settings().open().rescore
        self.embeds_together, self.same_event = False, None

    def analyze(self, *_: Any) -> Analysis:
        return Analysis("It matters.", 3, "extractive", Provenance("local", "prepared"))

    def embed(self, story: Story, *_: Any) -> Embedding:
        return Embedding(tuple(self._vectors[story.id].tolist()), hashing.MODEL_VERSION)


@dataclass
class Found:
    """The times are in milliseconds per story; ``server`` is CPU time of the server, the others are elapsed time."""

    joining: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    server: float = 0.0
    pairs: int = 0  # ``pairs`` counts the pairs of a full comparison; ``together`` those in one cluster.
    together: int = 0
    hits: int = 0  # ``hits`` counts the stories that were found; ``wrong`` those of another event.
    wrong: int = 0

    @property
    def recall(self) -> float:
        return self.together / max(self.pairs, 1)

    @property
    def precision(self) -> float:
        return 1 - self.wrong / max(self.hits, 1)


def measure(url: str, world: World) -> Found:
    """Analyse stories as they arrive; check their clusters by comparing each story with all earlier stories."""
    found, hits = Found(), dict[int, list[UUID]]()
    ai: Any = Prepared(world)
    arriving = range(world.known, len(world.ids))
    look = events.like

    def like(*arguments: Any) -> tuple[list[UUID], list[UUID]]:
        result = look(*arguments)
        hits[place] += result[0]
        return result

    with closing(connect(url)) as conn, mock.patch.object(events, "like", like):
        backend = psutil.Process(conn.info.backend_pid)
        before = cpu_of(backend)
        for place in arriving:
            hits[place] = []
            begin = time.perf_counter()
            context = FakeContext(conn, settings=EventSettings(), services={"ai": ai})
            analyze_story(AnalyzeStory(story_id=world.ids[place]), context)
            spent = (time.perf_counter() - begin) * 1e3
            (found.joining if hits[place] else found.alone).append(spent)
        found.server = (cpu_of(backend) - before) * 1e3 / len(arriving)
        cluster = dict(query(conn, "SELECT id::text, cluster_id::text FROM stories WHERE cluster_id IS NOT NULL"))
    by_id = {id_: place for place, id_ in enumerate(world.ids)}
    for place, stories in hits.items():
        mine = cluster.get(str(world.ids[place]))
        truth = world.truth(place)
        found.pairs += len(truth)
        found.together += sum(mine is not None and mine == cluster.get(str(world.ids[other])) for other in truth)
        found.hits += len(stories)
        for other in (by_id[story] for story in stories):
            cosine = float(world.vectors[place] @ world.vectors[other])
            found.wrong += cosine < SAME - _ROUNDING and world.told[place].event != world.told[other].event
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = server.command("events", __doc__, arguments, stories=100_000)
    tables: dict[str, Iterable[Row]] = {}
    first = 0.0
    with server.start(chosen.server) as started:
        for count in (count for count in (1_000, 10_000, 100_000) if count <= chosen.stories):
            server.say(f"{time.strftime('%H:%M:%S')} {count:,} stories")
            world = World.made(count, _ARRIVING)
            url = started.create(f"events_{count}")
            with closing(connect(url)) as conn:
                migrate.migrate(conn, ["actors.store"])
                world.load(conn)
            found = measure(url, world)
            started.drop(url)
            cost = median(found.joining)
            first = first or cost
            tables[f"{count:,} stories"] = [
                Row("a story that joins an event", cost, "ms", note=f"of {len(found.joining)}, median"),
                Row("a story that stays alone", median(found.alone), "ms", note=f"of {len(found.alone)}, median"),
                Row("CPU of the server a story", found.server, "ms"),
                Row("recall", found.recall, "", note=f"aimed at .98; {found.pairs} pairs by comparison of all"),
                Row("precision", found.precision, "", note=f"aimed at 1; {found.hits} pairs found"),
                Row("joining, times the least stories'", cost / first, "", most=5),
            ]
    words = "sentences of real news" if CORPUS.is_dir() else "invented words: the corpora are not beside the checkout"
    print(server.figures(tables, f"Same event, {words}; {started.about}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
