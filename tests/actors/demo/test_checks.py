from collections import Counter
from collections.abc import Callable

import pytest

from actors.demo import __main__ as demo
from actors.demo.sample_site import entries
from zeke_jobs.cli.output import Console

PAIR = {
    "We cut retrieval latency from 840 ms to 210 ms with one partial index",
    "From 840 ms to 210 ms: retrieval latency and one partial index",
}


def right() -> demo.Results:
    good = [entry.title for entry in entries() if not entry.missing and entry.topic != "Short"]
    return demo.Results(
        feeds=2,
        outcomes=Counter(stored=len(good), not_found=1, too_short=1),
        stories=[
            {"title": title, "cluster_id": "pair" if title in PAIR else None, "chili": 3, "one_liner": "One sentence."}
            for title in good
        ],
        highlights=[{"metadata": {"relevance": {}}}] * 80,
    )


SPOILS: list[Callable[[demo.Results], object]] = [
    lambda results: results.stories.pop(0),
    lambda results: [one.update(cluster_id="pair") for one in results.stories[:3]],
    lambda results: results.highlights.pop(),
    lambda results: results.highlights.append({"metadata": {}}),
    lambda results: results.stories[0].update(one_liner=None),
]


def test_a_right_result_passes_every_check_and_a_wrong_one_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for spoil in SPOILS:
        results = right()
        assert demo.broken(demo.checks(results, [], {}, is_done=True)) == []
        spoil(results)
        assert demo.broken(demo.checks(results, [], {}, is_done=True))
    results = right()
    results.outcomes["retrying"] = 1
    assert demo.broken(demo.checks(results, ["a", "b"], {}, is_done=True)) == ["every item has an outcome"]
    monkeypatch.setattr(demo, "zeke_news", lambda command: int(command[0] == "story"))
    found = demo.Results(2, Counter(), [{"chili": 3, "number": 7}], [])
    refused = demo.show(Console(), found)
    assert refused == {"story 7": 1}
    broken = demo.broken(demo.checks(found, ["https://a.example/feed"], refused, is_done=True))
    assert "every command above ended with status 0" in broken
    assert "all was done in time, and no job failed" not in broken
