from collections import Counter
from typing import Any

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
        highlights=[{"kind": kind, "metadata": {"relevance": {}}} for kind in sorted(expected._KINDS)],
        jobs=Counter(
            {(task, "completed"): len(good) for task in expected._PER_STORY} | {("ingest-source", "completed"): 2}
        ),
    )


def broken(results: expected.Results) -> list[str]:
    return [check.name for check in expected.of_sample_site(results) if not check.holds]


def test_a_right_result_passes_every_check() -> None:
    assert broken(right()) == []


def test_a_missing_story_is_noticed() -> None:
    results = right()
    del results.stories[0]
    assert "every article became a story" in broken(results)


def test_a_pair_in_two_clusters_is_noticed() -> None:
    results = right()
    next(s for s in results.stories if s["title"] in PAIR)["cluster_id"] = "another"
    assert "the near-duplicate pair is one cluster" in broken(results)


def test_a_pair_without_a_cluster_is_noticed() -> None:
    results = right()
    for one in results.stories:
        one["cluster_id"] = None
    assert "the near-duplicate pair is one cluster" in broken(results)


def test_a_stranger_in_the_pairs_cluster_is_noticed() -> None:
    results = right()
    next(s for s in results.stories if s["title"] not in PAIR)["cluster_id"] = "pair"
    assert "nothing else shares a cluster" in broken(results)


def test_a_brief_that_is_missing_is_noticed() -> None:
    results = right()
    results.stories[0]["one_liner"] = None
    assert broken(results) == ["every story has a brief"]


def test_a_kind_of_highlight_that_was_not_found_is_noticed() -> None:
    results = right()
    del results.highlights[0]
    assert broken(results) == ["every kind of highlight was found"]


def test_a_kind_of_highlight_beyond_the_expected_is_fine() -> None:
    results = right()
    results.highlights.append({"kind": "warning", "metadata": {"relevance": {}}})
    assert broken(results) == []


def test_a_failed_job_is_noticed() -> None:
    results = right()
    results.jobs["analyze-story", "failed"] = 1
    assert broken(results) == ["no job failed"]


def test_a_highlight_without_a_score_is_noticed() -> None:
    results = right()
    results.highlights[0]["metadata"] = {}
    assert broken(results) == ["every highlight has a score"]


def test_of_unknown_feeds_each_item_must_have_an_outcome() -> None:
    results = right()
    assert all(check.holds for check in expected.of_any_feeds(results, 2))
    results.outcomes["retrying"] = 1
    names = [check.name for check in expected.of_any_feeds(results, 2) if not check.holds]
    assert names == ["every item has an outcome"]


def test_of_unknown_feeds_each_must_have_been_read() -> None:
    names = [check.name for check in expected.of_any_feeds(right(), 3) if not check.holds]
    assert names == ["every feed was read"]
