"""The results that the sample site, or any feed, must have in the database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from actors.demo.sample_site import entries

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.demo.results import Results

_KINDS = ("api_change", "code_change", "code_example", "metric", "quote")
_PAIR = (
    "We cut retrieval latency from 840 ms to 210 ms with one partial index",
    "From 840 ms to 210 ms: retrieval latency and one partial index",
)
_ONE_LINER = 140  # characters
_PER_STORY = ("analyze-story", "generate-brief", "extract-highlights", "score-relevance")


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


def of_sample_site(results: Results) -> list[Check]:
    """The exact checks for the bundled site."""
    written = [entry.title for entry in entries() if not entry.missing and entry.topic != "Short"]
    outcomes = Counter(item["outcome"] for item in results.items)
    clusters = {story["title"]: story["cluster_id"] for story in results.stories}
    pair = [clusters.get(title) for title in _PAIR]
    others = [cluster for title, cluster in clusters.items() if title not in _PAIR and cluster is not None]
    return [
        Check("both feeds were read", 2, _read(results)),
        Check(
            "every item has the outcome that it should have",
            {"not_found": 1, "stored": len(written), "too_short": 1},
            dict(outcomes),
        ),
        Check("every article became a story", sorted(written), sorted(story["title"] for story in results.stories)),
        Check("the near-duplicate pair is one cluster", True, pair[0] is not None and pair[0] == pair[1]),
        Check("nothing else shares a cluster", len(others), len(set(others) - set(pair))),
        *_of_stories(results.stories),
        Check(
            "every kind of highlight was found",
            [*_KINDS],
            sorted(set(_KINDS) & {h["kind"] for h in results.highlights}),
        ),
        Check(
            "every highlight has a score",
            len(results.highlights),
            sum(h["score"] is not None for h in results.highlights),
        ),
        *(
            Check(f"{task} completed for every story", len(written), results.jobs.get(task, {}).get("completed", 0))
            for task in _PER_STORY
        ),
        Check("ingest-source completed for both feeds", 2, results.jobs.get("ingest-source", {}).get("completed", 0)),
        _no_failures(results),
    ]


def of_any_feeds(results: Results, urls: Iterable[str]) -> list[Check]:
    """The checks for unknown feeds."""
    asked = len(set(urls))
    decided = sum(item["outcome"] not in (None, "queued", "retrying") for item in results.items)
    return [
        Check("every feed was read", asked, _read(results)),
        Check("every item has an outcome", len(results.items), decided),
        Check("at least 1 story came out", 1, min(1, len(results.stories))),
        *_of_stories(results.stories),
        _no_failures(results),
    ]


def _read(results: Results) -> int:
    return sum(source["status"] == "ok" for source in results.sources)


def _of_stories(stories: list[dict[str, Any]]) -> list[Check]:
    count = len(stories)
    lengths = [len(story["brief_one_liner"] or "") for story in stories]
    return [
        Check("every story has a chili score", count, sum(story["chili"] is not None for story in stories)),
        Check(
            "every story is analysed", count, sum(story["analysis_state"] not in (None, "pending") for story in stories)
        ),
        Check(
            f"every story has a one-liner of at most {_ONE_LINER} characters",
            count,
            sum(0 < length <= _ONE_LINER for length in lengths),
        ),
    ]


def _no_failures(results: Results) -> Check:
    failed = {task: row["failed"] for task, row in results.jobs.items() if row.get("failed")}
    return Check("no job failed", {}, failed)
