"""Measures the cost of adding a story to its event, and compares the events found with those of a full comparison."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
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
from tests.lab.events.world import SAME, World
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing import FakeContext

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
class Cost:
    """The times are milliseconds per story, of elapsed time and of the server's CPU."""

    joining: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    server: float = 0.0


@dataclass
class Quality:
    """The counts are the pairs of a full comparison and those in one cluster, and the found stories and the wrong ones."""

    pairs: int = 0
    together: int = 0
    found: int = 0
    wrong: int = 0


def one_by_one(url: str, world: World, places: range) -> tuple[Cost, list[list[UUID]]]:
    """Analyse stories one after another; return the cost of each story, and the similar stories found."""
    cost, hits = Cost(), []
    ai: Any = Prepared(world)
    with closing(connect(url)) as conn, watched() as found:
        server = psutil.Process(conn.info.backend_pid)
        before = cpu_of(server)
        for place in places:
            found.clear()
            begin = time.perf_counter()
            context = FakeContext(conn, settings=EventSettings(), services={"ai": ai})
            analyze_story(AnalyzeStory(story_id=world.ids[place]), context)
            spent = (time.perf_counter() - begin) * 1e3
            hits.append(list(found))
            (cost.joining if found else cost.alone).append(spent)
        cost.server = (cpu_of(server) - before) * 1e3 / len(places)
    return cost, hits


def quality(url: str, world: World, places: range, hits: list[list[UUID]]) -> Quality:
    """Compare the clusters with a comparison of all stories."""
    with closing(connect(url)) as conn:
        cluster = dict(query(conn, "SELECT id::text, cluster_id::text FROM stories WHERE cluster_id IS NOT NULL"))
    by_id = {id_: place for place, id_ in enumerate(world.ids)}
    result = Quality()
    for place, found in zip(places, hits, strict=True):
        mine = cluster.get(str(world.ids[place]))
        for other in world.truth(place):
            result.pairs += 1
            result.together += mine is not None and mine == cluster.get(str(world.ids[other]))
        for story in found:
            result.found += 1
            cosine = float(world.vectors[place] @ world.vectors[by_id[story]])
            is_event = world.told[place].event == world.told[by_id[story]].event
            result.wrong += cosine < SAME - _ROUNDING and not is_event
    return result


@contextmanager
def watched() -> Iterator[list[UUID]]:
    """Collect the stories that each search for the same event finds."""
    found: list[UUID] = []
    look = events.like

    def like(*arguments: Any) -> tuple[list[UUID], list[UUID]]:
        result = look(*arguments)
        found.extend(result[0])
        return result

    with mock.patch.object(events, "like", like):
        yield found
