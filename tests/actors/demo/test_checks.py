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


SPOILS: list[Callable[[run.Results], object]] = [
    lambda results: results.stories.pop(0),
    lambda results: [one.update(cluster_id="pair") for one in results.stories[:3]],
    lambda results: results.highlights.pop(),
    lambda results: results.stories[0].update(one_liner=None),
]


def test_a_right_result_passes_every_check_and_a_wrong_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for spoil in SPOILS:
        results = right()
        assert run.broken(run.of_sample_site(results)) == []
        spoil(results)
        assert run.broken(run.of_sample_site(results))
    results = right()
    assert run.broken(run.of_any_feeds(results, 2)) == []
    results.outcomes["retrying"] = 1
    assert run.broken(run.of_any_feeds(results, 2)) == ["every item has an outcome"]
    monkeypatch.setattr(run, "zeke_news", lambda command: int(command[0] == "story"))
    found = run.Results(2, Counter(), [{"chili": 3, "number": 7}], [])
    refused = run.show(Console(), found)
    assert refused == {"story 7": 1}
    broken = run.broken(run.checks(found, ["https://a.example/feed"], refused, is_done=True))
    assert "every command above ended with status 0" in broken
    assert "all was done in time, and no job failed" not in broken
