import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actors.briefs.generate import BriefSettings, generate_brief
from actors.schema import GenerateBrief
from actors.store import clusters
from tests.actors.briefs.conftest import NOW
from tests.actors.database import execute
from zeke_jobs.testing import set_clock

TEAM = uuid.UUID(int=7)


@pytest.fixture
def digest(handler_context: Any, rows: Any) -> Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Write a digest; return the job's output and the stored entries."""

    def write(entries: int = 10, **payload: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        ctx = handler_context(BriefSettings(digest_entries=entries))
        output = generate_brief(GenerateBrief.model_validate({"period": "day", **payload}), ctx)
        assert ctx.completed
        assert ctx.sent == []
        stored = rows("SELECT entries FROM digests WHERE team_id IS NOT DISTINCT FROM %s", payload.get("teamId"))
        return output, stored[0]["entries"]

    return write


def test_a_digest_names_the_top_events_of_yesterday_with_their_one_liners(told: Any, digest: Any) -> None:
    told("Cool", 1, one="Cool in one line.")
    told("Hot", 5, one="Hot in one line.")
    told("Of today", 5, days_old=0.1)
    told("Of last week", 5, days_old=6)
    output, entries = digest()
    assert output == {"outcome": "written", "period": "day", "ends_on": "2026-11-24", "entries": 2}
    assert [(entry["title"], entry["one_liner"]) for entry in entries] == [
        ("Hot", "Hot in one line."),
        ("Cool", "Cool in one line."),
    ]


def test_without_a_one_liner_a_digest_shows_the_next_sentences_that_add(told: Any, digest: Any, conn: Any) -> None:
    two, none = told("With two", 4), told("With none", 3)
    execute(conn, "UPDATE story_overlays SET brief_one_liner = NULL, brief_generated_at = zeke_jobs.now()")
    execute(conn, "UPDATE story_overlays SET brief_two_liner = 'It adds. It tells.' WHERE story_id = %s", two)
    assert [(entry["title"], entry["one_liner"]) for entry in digest()[1]] == [
        ("With two", "It adds. It tells."),
        ("With none", None),
    ]
    execute(conn, "UPDATE story_overlays SET brief_generated_at = NULL WHERE story_id = %s", none)
    assert len(digest()[1]) == 1


def test_one_event_is_named_once_by_its_leading_story_and_before_equals(told: Any, digest: Any, conn: Any) -> None:
    told("Alone", 3, days_old=0.5)
    later, first = told("Later", 3, days_old=0.6), told("First", 3, days_old=0.9)
    clusters.unite(conn, [later, first])
    _, entries = digest()
    assert [(entry["title"], entry["sources"]) for entry in entries] == [("First", 2), ("Alone", 1)]


def test_copies_of_one_text_count_as_sources_and_a_retracted_story_not_at_all(
    told: Any, digest: Any, conn: Any, add_copy: Any
) -> None:
    told("By one", 3)
    two = told("By two", 3)
    for _ in range(2):
        add_copy(two)
    back = (
        "INSERT INTO item_outcomes (raw_item_id, outcome, story_id) SELECT c.raw_item_id, 'retracted', s.id"
        " FROM stories AS s JOIN contents AS c ON c.id = s.content_id WHERE s.id = %s"
    )
    execute(conn, back, told("Taken back", 5))
    assert [(entry["title"], entry["sources"]) for entry in digest()[1]] == [("By two", 2), ("By one", 1)]


def test_a_week_ends_on_the_day_that_is_asked_for_and_is_as_long_as_configured(told: Any, digest: Any) -> None:
    for title, days in (("Old", 6), ("Older", 9)):
        told(title, days_old=days)
    assert [entry["title"] for entry in digest(period="week", endsOn="2026-11-24")[1]] == ["Old"]
    for number in range(3):
        told(f"Story {number}")
    assert digest(entries=3, period="week", endsOn="2026-11-24")[0]["entries"] == 3


def test_a_teams_digest_has_what_it_follows_and_did_not_archive(told: Any, digest: Any, conn: Any) -> None:
    source = uuid.uuid4()
    told("Followed", source=source)
    archived = told("Archived", source=source)
    told("Elsewhere")
    execute(
        conn, "INSERT INTO team_story_states (team_id, story_id, state) VALUES (%s, %s, 'archived')", TEAM, archived
    )
    assert [entry["title"] for entry in digest(teamId=TEAM)[1]] == ["Followed"]
    assert len(digest()[1]) == 3


def test_writing_it_twice_changes_nothing_and_news_changes_it(told: Any, digest: Any, rows: Any) -> None:
    told("One")
    digest()
    before = rows("SELECT * FROM digests")
    assert digest()[0]["outcome"] == "unchanged"
    assert rows("SELECT * FROM digests") == before
    told("Two")
    assert digest()[0]["outcome"] == "written"
    assert len(rows("SELECT id FROM digests")) == 1


@pytest.mark.parametrize("payload", [{}, {"storyId": str(TEAM), "period": "day"}, {"period": "month"}])
def test_a_payload_names_either_a_story_or_a_period(payload: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="period"):
        GenerateBrief.model_validate(payload)


def test_the_default_day_is_the_last_whole_one(told: Any, digest: Any, conn: Any) -> None:
    told("Late", days_old=0.38)
    assert digest()[0]["entries"] == 1
    set_clock(conn, NOW + timedelta(days=1))
    output, _ = digest()
    assert (output["ends_on"], output["entries"]) == ("2026-11-25", 0)
