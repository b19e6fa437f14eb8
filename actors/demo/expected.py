"""Checks the results that the sample site, or any feed, must have in the database."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection

from actors.demo.sample_site import entries
from actors.outcomes import IN_FLIGHT
from actors.store import news, sources

_MOST = 10_000
_HIGHLIGHTS = 80


@dataclass(frozen=True)
class Results:
    """Holds the contents of the database after a run."""

    feeds: int
    outcomes: Counter[str]
    stories: list[dict[str, Any]]
    highlights: list[dict[str, Any]]


Checks = dict[str, tuple[Any, Any]]
"""The expected result and the actual one, by the name of the check."""


def broken(checks: Checks) -> list[str]:
    """Return the names of the checks that do not hold."""
    return [name for name, (wanted, got) in checks.items() if wanted != got]


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
    )


def of_sample_site(found: Results) -> Checks:
    """Return the exact checks for the bundled site."""
    written = sorted(entry.title for entry in entries() if not entry.missing and entry.topic != "Short")
    outcomes = {"not_found": 1, "stored": len(written), "too_short": 1}
    clusters = Counter(story["cluster_id"] for story in found.stories if story["cluster_id"] is not None)
    told = sum(bool(story["one_liner"]) for story in found.stories)
    return {
        "every item has the outcome that it should have": (outcomes, dict(found.outcomes)),
        "every article became a story": (written, sorted(story["title"] for story in found.stories)),
        "every story has a one-liner": (len(found.stories), told),
        f"at least {_HIGHLIGHTS} highlights were found": (_HIGHLIGHTS, min(_HIGHLIGHTS, len(found.highlights))),
        "the near-duplicate pair, and nothing else, is a cluster": ([2], [*clusters.values()]),
        **of_any_feeds(found, 2),
    }


def of_any_feeds(found: Results, count: int) -> Checks:
    """Return the checks for ``count`` feeds whose contents are unknown."""
    undecided = {outcome: items for outcome, items in found.outcomes.items() if outcome in IN_FLIGHT}
    stories = len(found.stories)
    scored = sum("relevance" in each["metadata"] for each in found.highlights)
    return {
        "every feed was read": (count, found.feeds),
        "every item has an outcome": ({}, undecided),
        "at least 1 story came out": (1, min(1, stories)),
        "every story has a chili score": (stories, sum(story["chili"] is not None for story in found.stories)),
        "every highlight has a score": (len(found.highlights), scored),
    }
