from collections import Counter
from collections.abc import Callable

import pytest

from actors.demo import run
from actors.demo.sample_site import entries
from zeke_jobs.cli.output import Console

PAIR = {
    "We cut retrieval latency from 840 ms to 210 ms with one partial index",
    "From 840 ms to 210 ms: retrieval latency and one partial index",
}


def right() -> run.Results:
    good = [entry.title for entry in entries() if not entry.missing and entry.topic != "Short"]
    return run.Results(
        feeds=2,
        outcomes=Counter(stored=len(good), not_found=1, too_short=1),
        stories=[
            {"title": title, "cluster_id": "pair" if title in PAIR else None, "chili": 3, "one_liner": "One sentence."}
            for title in good
        ],
        highlights=[{"metadata": {"relevance": {}}}] * 80,
    )


SPOILS: dict[str, Callable[[run.Results], object]] = {
    "a story is lost": lambda results: results.stories.pop(0),
    "another story joins the pair": lambda results: [one.update(cluster_id="pair") for one in results.stories[:3]],
    "a highlight is lost": lambda results: results.highlights.pop(),
    "a one-liner is lost": lambda results: results.stories[0].update(one_liner=None),
}


@pytest.mark.parametrize("spoiled", SPOILS)
def test_a_right_result_passes_every_check_and_a_wrong_one_is_noticed(spoiled: str) -> None:
    results = right()
    assert run.broken(run.of_sample_site(results)) == []
    SPOILS[spoiled](results)
    assert run.broken(run.of_sample_site(results))


def test_of_unknown_feeds_each_item_must_have_an_outcome() -> None:
    results = right()
    assert run.broken(run.of_any_feeds(results, 2)) == []
    results.outcomes["retrying"] = 1
    assert run.broken(run.of_any_feeds(results, 2)) == ["every item has an outcome"]


def test_a_command_that_fails_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "zeke_news", lambda command: int(command[0] == "story"))
    found = run.Results(2, Counter(), [{"chili": 3, "number": 7}], [])
    refused = run.show(Console(), found)
    assert refused == {"story 7": 1}
    checks = run.checks(found, ["https://a.example/feed"], refused, is_done=True)
    assert "every command above ended with status 0" in run.broken(checks)
    assert "all was done in time, and no job failed" not in run.broken(checks)
