from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from actors.demo import expected, run
from actors.demo.sample_site import entries
from zeke_jobs.cli.output import Console

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
        highlights=[{"metadata": {"relevance": {}}}] * 80,
        jobs=Counter({("analyze-story", "completed"): len(good)}),
    )


def broken(results: expected.Results) -> list[str]:
    return expected.broken(expected.of_sample_site(results))


def test_a_right_result_passes_every_check() -> None:
    assert broken(right()) == []


def of_the_pair(results: expected.Results) -> dict[str, Any]:
    return next(one for one in results.stories if one["title"] in PAIR)


SPOILS: dict[str, Callable[[expected.Results], object]] = {
    "a story is lost": lambda results: results.stories.pop(0),
    "the pair is parted": lambda results: of_the_pair(results).update(cluster_id="another"),
    "a highlight is lost": lambda results: results.highlights.pop(),
    "a one-liner is lost": lambda results: results.stories[0].update(one_liner=None),
    "a job failed": lambda results: results.jobs.update({("analyze-story", "failed"): 1}),
}


@pytest.mark.parametrize("spoiled", SPOILS)
def test_a_wrong_result_is_noticed(spoiled: str) -> None:
    results = right()
    SPOILS[spoiled](results)
    assert broken(results)


def test_of_unknown_feeds_each_item_must_have_an_outcome() -> None:
    results = right()
    assert expected.broken(expected.of_any_feeds(results, 2)) == []
    results.outcomes["retrying"] = 1
    assert expected.broken(expected.of_any_feeds(results, 2)) == ["every item has an outcome"]


def test_a_command_that_fails_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "zeke_news", lambda command: int(command[0] == "story"))
    found = expected.Results(2, Counter(), [{"chili": 3, "number": 7}], [], Counter())
    refused = run.show(Console(), found)
    assert refused == {"story 7": 1}
    checks = run.checks(found, ["https://a.example/feed"], refused, is_done=True)
    assert "every command above ended with status 0" in expected.broken(checks)
    assert "all was done in time" not in expected.broken(checks)
