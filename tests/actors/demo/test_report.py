import io
from typing import Any

import pytest

from actors.demo import report
from actors.demo.expected import Check
from actors.demo.results import Results
from zeke_jobs.cli.output import Console


def shown(results: Results) -> str:
    console = Console(file=io.StringIO(), width=200)
    report.show(console, results)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def results(**changes: Any) -> Results:
    story = {
        "id": 1,
        "leader_id": None,
        "title": "A title with [brackets]",
        "source": "A source",
        "url": "http://127.0.0.1/a",
        "chili": 4,
        "brief_one_liner": "One line.",
        "brief_two_liner": "Two. Sentences.",
        "brief_elevator": "Three. Whole. Sentences.",
        "why_it_matters": "It does.",
        "time_saved_seconds": 75,
    }
    highlight = {
        "kind": "metric",
        "summary": "Down by 75 %.",
        "quote": None,
        "title": None,
        "score": 0.71,
        "story": "A",
        "metadata": {"context": {"headings": ["The index", "Before [and] after"], "before": "It was rebuilt."}},
    }
    return Results(
        **{
            "sources": [],
            "items": [{"title": "Gone", "url": "u", "outcome": "not_found", "detail": "answered 404"}],
            "stories": [story],
            "highlights": [highlight],
            "unfinished": [],
            "jobs": {"fetch-content": {"completed": 1}},
            **changes,
        }
    )


def test_a_story_has_title_source_chili_and_one_line() -> None:
    text = shown(results())
    assert "A title with [brackets]" in text
    assert "A source" in text
    assert "4 ●●●●○" in text
    assert "One line." in text


def test_a_near_duplicate_stands_below_the_leader_of_its_cluster() -> None:
    one = results().stories[0]
    copy = {**one, "id": 2, "leader_id": 1, "title": "Copy", "chili": 5}
    alone = {**one, "id": 3, "leader_id": None, "title": "Alone"}
    leader = {**one, "id": 1, "leader_id": 1, "title": "Leader"}
    text = shown(results(stories=[copy, alone, leader]))
    assert text.index("Alone") < text.index("Leader") < text.index("↳ the same, edited: Copy")


def test_one_brief_is_shown_in_full() -> None:
    text = shown(results())
    for part in ("Two. Sentences.", "Three. Whole. Sentences.", "It does.", "1 min 15 s"):
        assert part in text


def test_what_failed_is_shown_with_its_reason() -> None:
    job = {
        "task": "analyze-story",
        "status": "failed",
        "type": "Reject",
        "message": "no text",
        "attempt": 1,
        "data": {},
    }
    text = shown(results(unfinished=[job]))
    assert "answered 404" in text
    assert "Reject: no text" in text


def test_without_stories_it_still_says_what_happened() -> None:
    text = shown(results(stories=[], highlights=[]))
    assert "Stories (0)" in text
    assert "not_found" in text


def test_a_highlight_stands_below_its_context() -> None:
    text = shown(results())
    assert "[The index > Before [and] after] It was rebuilt." in text
    assert text.index("It was rebuilt.") < text.index("Down by 75 %.")


def test_highlights_show_each_kind_before_a_second_of_one() -> None:
    metric: dict[str, Any] = {
        "kind": "metric",
        "summary": "m",
        "quote": None,
        "title": None,
        "score": 0.9,
        "story": "A",
        "metadata": {},
    }
    many = [metric] * 12 + [{**metric, "kind": "quote", "summary": "the only quote", "score": 0.1}]
    text = shown(results(highlights=many))
    assert "the only quote" in text
    assert "(10 of 13)" in text


@pytest.mark.parametrize("got", [3, 4])
def test_the_verdict_names_each_check_that_fails(got: int) -> None:
    console = Console(file=io.StringIO(), width=200)
    holds = report.verdict(console, [Check("stories", 3, got)], 12.0)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert holds is (got == 3)
    assert ("stories: expected 3, got 4" in text) is not holds
