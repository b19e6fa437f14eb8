"""The results that the sample site, or any feed, must have in the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.demo.sample_site import entries
from actors.outcomes import IN_FLIGHT
from actors.store import news, sources

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from actors.store.news import Jobs

_KINDS = {"api_change", "code_change", "code_example", "metric", "quote"}
_PAIR = (
    "We cut retrieval latency from 840 ms to 210 ms with one partial index",
    "From 840 ms to 210 ms: retrieval latency and one partial index",
)
_PER_STORY = ("analyze-story", "generate-brief", "extract-highlights", "score-relevance")
_MOST = 10_000


@dataclass(frozen=True)
class Results:
    """What a run left in the database: how many feeds were read, items by outcome, stories, highlights, jobs."""

    feeds: int
    outcomes: Counter[str]
    stories: list[dict[str, Any]]
    highlights: list[dict[str, Any]]
    jobs: Jobs


@dataclass(frozen=True)
class Check:
    """One expected result beside the actual one."""

    name: str
    expected: Any
    got: Any

    @property
    def holds(self) -> bool:
        """Whether it is as expected."""
        return bool(self.expected == self.got)


def results(conn: Connection) -> Results:
    """Read the results of a run."""
    rows = sources.listing(conn)
    stories = news.stories(conn, limit=_MOST)
    full = [news.story(conn, story["id"]) or {} for story in stories]
    return Results(
        feeds=sum(row["status"] == "ok" for row in rows),
        outcomes=sum((Counter(row["articles"]) for row in rows), Counter[str]()),
        stories=stories,
        highlights=[each for story in full for each in story["highlights"]],
        jobs=news.jobs_by_task(conn),
    )


def of_sample_site(found: Results) -> list[Check]:
    """The exact checks for the bundled site."""
    written = [entry.title for entry in entries() if not entry.missing and entry.topic != "Short"]
    outcomes = {"not_found": 1, "stored": len(written), "too_short": 1}
    clusters = {story["title"]: story["cluster_id"] for story in found.stories}
    one, other = (clusters.pop(title, None) for title in _PAIR)
    kinds = {each["kind"] for each in found.highlights}
    scored = sum("relevance" in each["metadata"] for each in found.highlights)
    titles = sorted(story["title"] for story in found.stories)
    return [
        Check("both feeds were read", 2, found.feeds),
        Check("every item has the outcome that it should have", outcomes, dict(found.outcomes)),
        Check("every article became a story", sorted(written), titles),
        Check("the near-duplicate pair is one cluster", True, one is not None and one == other),
        Check("nothing else shares a cluster", False, one in clusters.values()),
        *_of_stories(found.stories),
        Check("every kind of highlight was found", _KINDS, _KINDS & kinds),
        Check("every highlight has a score", len(found.highlights), scored),
        *(
            Check(f"{task} completed for every story", len(written), found.jobs[task, "completed"])
            for task in _PER_STORY
        ),
        Check("ingest-source completed for both feeds", 2, found.jobs["ingest-source", "completed"]),
        _no_failures(found),
    ]


def of_any_feeds(found: Results, count: int) -> list[Check]:
    """The checks for a number of unknown feeds."""
    undecided = {outcome: items for outcome, items in found.outcomes.items() if outcome in IN_FLIGHT}
    return [
        Check("every feed was read", count, found.feeds),
        Check("every item has an outcome", {}, undecided),
        Check("at least 1 story came out", 1, min(1, len(found.stories))),
        *_of_stories(found.stories),
        _no_failures(found),
    ]


def _of_stories(stories: list[dict[str, Any]]) -> list[Check]:
    got = {
        "every story has a chili score": sum(story["chili"] is not None for story in stories),
        "every story is analysed": sum(story["analysis_state"] != "pending" for story in stories),
        "every story has a brief": sum(bool(story["one_liner"]) for story in stories),
    }
    return [Check(name, len(stories), count) for name, count in got.items()]


def _no_failures(found: Results) -> Check:
    failed = {task: count for (task, state), count in found.jobs.items() if state == "failed"}
    return Check("no job failed", {}, failed)
