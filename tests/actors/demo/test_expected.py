from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from actors.demo import expected
from actors.demo.sample_site import entries

PAIR = {
    "We cut retrieval latency from 840 ms to 210 ms with one partial index",
    "From 840 ms to 210 ms: retrieval latency and one partial index",
}


def story(title: str, **changes: Any) -> dict[str, Any]:
    return {
        "title": title,
        "cluster_id": "pair" if title in PAIR else None,
        "chili": 3,
        "analysis_state": "extractive",
        "one_liner": "One sentence.",
        **changes,
    }


def right() -> expected.Results:
    good = [entry.title for entry in entries() if not entry.missing and entry.topic != "Short"]
    return expected.Results(
        feeds=2,
        outcomes=Counter(stored=len(good), not_found=1, too_short=1),
        stories=[story(title) for title in good],
        highlights=[{"metadata": {"relevance": {}}}],
        jobs=Counter({("analyze-story", "completed"): len(good)}),
    )


def broken(results: expected.Results) -> list[str]:
    return [check.name for check in expected.of_sample_site(results) if not check.holds]


def test_a_right_result_passes_every_check() -> None:
    assert broken(right()) == []


def _lose_a_story(results: expected.Results) -> None:
    del results.stories[0]


def _part_the_pair(results: expected.Results) -> None:
    next(one for one in results.stories if one["title"] in PAIR)["cluster_id"] = "another"


def _lose_a_brief(results: expected.Results) -> None:
    results.stories[0]["one_liner"] = None


def _fail_a_job(results: expected.Results) -> None:
    results.jobs["analyze-story", "failed"] = 1


@pytest.mark.parametrize("spoil", [_lose_a_story, _part_the_pair, _lose_a_brief, _fail_a_job])
def test_a_wrong_result_is_noticed(spoil: Callable[[expected.Results], None]) -> None:
    results = right()
    spoil(results)
    assert broken(results)


def test_of_unknown_feeds_each_item_must_have_an_outcome() -> None:
    results = right()
    assert all(check.holds for check in expected.of_any_feeds(results, 2))
    results.outcomes["retrying"] = 1
    names = [check.name for check in expected.of_any_feeds(results, 2) if not check.holds]
    assert names == ["every item has an outcome"]
