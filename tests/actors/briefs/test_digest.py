"""Briefs of stories, and digests of the top events, consist of stored sentences, word for word."""

import json
import uuid
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from actors.ai.protocol import Brief, Provenance
from actors.ai.sentences import sentences
from actors.briefs import rendering
from actors.schema import GenerateBrief
from actors.store import clusters
from tests.actors.briefs.conftest import NOW
from tests.actors.database import end_items, execute
from tests.each import cases
from zeke_jobs.testing import set_clock

TEAM = uuid.UUID(int=7)


@pytest.fixture
def digest(run_task: Any, rows: Any) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Write a digest; return the job's output and the stored digest."""

    def write(entries: int = 10, **payload: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        ctx = run_task("generate-brief", {"period": "day", **payload}, {"digest_entries": entries})
        assert (ctx.completed, ctx.sent) == (True, [])
        of = "SELECT * FROM digests WHERE team_id IS NOT DISTINCT FROM %s AND period = %s"
        return ctx.result, rows(of, payload.get("teamId"), ctx.result["period"])[0]

    return write


def test_a_digest_names_the_top_events_of_yesterday_with_their_one_liners(told: Any, digest: Any) -> None:
    told("Cool", 1, one="Cool in one line.")
    told("Hot", 5, one="Hot in one line.")
    told("Of today", 5, days_old=0.1)
    told("Of last week", 5, days_old=6)
    output, made = digest()
    assert output == {"outcome": "written", "period": "day", "ends_on": "2026-11-24", "entries": 2}
    assert [entry["one_liner"] for entry in made["entries"]] == ["Hot in one line.", "Cool in one line."]
    # The digest of a week ends on the given day, and has as many entries as configured.
    for title, days in (("Old", 6), ("Older", 9)):
        told(title, days_old=days)
    week = digest(period="week", endsOn="2026-11-24")[1]["entries"]
    assert {entry["title"] for entry in week} == {"Hot", "Cool", "Of last week", "Old"}
    assert digest(entries=3, period="week", endsOn="2026-11-24")[0]["entries"] == 3


def test_without_a_one_liner_a_digest_shows_the_next_sentences_that_add(told: Any, digest: Any, conn: Any) -> None:
    two, none = told("With two", 4), told("With none", 3)
    execute(conn, "UPDATE story_overlays SET brief_one_liner = NULL, brief_generated_at = zeke_jobs.now()")
    execute(conn, "UPDATE story_overlays SET brief_two_liner = 'It adds. It tells.' WHERE story_id = %s", two)
    told_by = {entry["title"]: entry["one_liner"] for entry in digest()[1]["entries"]}
    assert told_by == {"With two": "It adds. It tells.", "With none": None}
    execute(conn, "UPDATE story_overlays SET brief_generated_at = NULL WHERE story_id = %s", none)
    assert len(digest()[1]["entries"]) == 1


def test_one_event_is_named_once_by_its_leading_story(told: Any, digest: Any, conn: Any, add_copy: Any) -> None:
    told("Alone", 3, days_old=0.5)
    copied = told("Copied", 3, days_old=0.7)
    for _ in range(2):
        add_copy(copied)
    end_items(conn, "retracted", told("Taken back", 5))
    later, first = told("Later", 3, days_old=0.6), told("First", 3, days_old=0.9)
    clusters.unite(conn, [later, first])
    sources = {entry["title"]: entry["sources"] for entry in digest()[1]["entries"]}
    assert list(sources.items()) == [("Copied", 2), ("First", 2), ("Alone", 1)]
    put = "INSERT INTO highlights (story_id, created_by, origin, summary, metadata) VALUES (%s, 'x', 'system', 'x', %s)"
    execute(conn, put, first, '{"relevance": {"score": 0.1}}')
    assert [entry["title"] for entry in digest()[1]["entries"]] == ["First", "Copied", "Alone"]


def test_a_teams_digest_has_what_it_follows_and_did_not_archive(told: Any, digest: Any, conn: Any) -> None:
    source = uuid.uuid4()
    told("Followed", source=source)
    archived = told("Archived", source=source)
    told("Elsewhere")
    put = "INSERT INTO team_story_states (team_id, story_id, state) VALUES (%s, %s, 'archived')"
    execute(conn, put, TEAM, archived)
    assert [entry["title"] for entry in digest(teamId=TEAM)[1]["entries"]] == ["Followed"]
    assert len(digest()[1]["entries"]) == 3


def test_writing_it_twice_changes_nothing_and_news_changes_it(told: Any, digest: Any, rows: Any, conn: Any) -> None:
    told("One", days_old=0.38)
    assert digest()[0]["entries"] == 1, "the day is whole"
    before = rows("SELECT * FROM digests")
    assert digest()[0]["outcome"] == "unchanged"
    assert rows("SELECT * FROM digests") == before
    told("Two")
    assert digest()[0]["outcome"] == "written"
    assert len(rows("SELECT id FROM digests")) == 1
    # By default, the digest is that of the last whole day.
    set_clock(conn, NOW + timedelta(days=1))
    output, _ = digest()
    assert (output["ends_on"], output["entries"]) == ("2026-11-25", 0)


def test_a_payload_names_either_a_story_or_a_period() -> None:
    payloads: list[dict[str, str]] = [{}, {"storyId": str(TEAM), "period": "day"}, {"period": "month"}]
    for payload in payloads:
        with pytest.raises(ValueError, match="period"):
            GenerateBrief.model_validate(payload)


OVERLAY = "SELECT * FROM story_overlays"
ARTICLE = (
    "The registry now signs every package that a maintainer uploads to PyPI. The signature is made in the maintainer's own "
    "pipeline, so that a stolen token alone is not enough. Old versions stay as they are, and nobody needs to act "
    "before June. Mirrors check the signature before they copy a file. The change follows three incidents in spring. "
) + "Filler words follow here to make it long. " * 100
TWO = "It is one. It is two."
WRITTEN = Brief("One line.", TWO, f"{TWO} It is three.", Provenance("openai", "m", "b/1"))


@pytest.fixture
def run(run_task: Any) -> Callable[..., dict[str, Any]]:
    def brief(story: uuid.UUID, reason: str = "new_story", ai: Any = None) -> dict[str, Any]:
        return dict(run_task("generate-brief", {"storyId": story, "reason": reason}, ai=ai).result)

    return brief


def test_a_story_gets_a_brief_of_its_own_sentences_within_the_limits(add_story: Any, run: Any, rows: Any) -> None:
    podcast = add_story(ARTICLE, kind="podcast", duration=3600)
    output = run(add_story(ARTICLE, title="The registry"))
    assert (output["outcome"], output["missing"]) == ("written", [])
    (overlay,) = rows(OVERLAY)
    parts = [overlay[f"brief_{name}"] for name in ("one_liner", "two_liner", "elevator")]
    assert (len(parts[0]) <= 140, len(parts[1]) <= 280) == (True, True)
    assert [len(sentences(part)) for part in parts[1:]] in ([2, 3], [2, 4])
    assert all(sentence.text in ARTICLE for part in parts for sentence in sentences(part))
    read = sum(len(part.split()) for part in parts)
    assert overlay["time_saved_seconds"] == round((len(ARTICLE.split()) - read) * 60 / 200)
    assert overlay["citations"]["brief"]["provider"] == "local"
    run(podcast)
    assert 3500 < max(row["time_saved_seconds"] for row in rows(OVERLAY)) < 3600, "a podcast saves its length"
    # A text of one sentence is too short for a two-liner and an elevator pitch, and none is invented.
    sentence = "The registry now signs every package that a maintainer uploads to PyPI."
    output = run(short := add_story(sentence, title="The registry"))
    (overlay,) = rows(f"{OVERLAY} WHERE story_id = %s", str(short))
    assert output["missing"] == ["two_liner", "elevator"]
    assert overlay["brief_one_liner"] == sentence
    assert (overlay["brief_two_liner"], overlay["brief_elevator"]) == (None, None)


@pytest.mark.parametrize("reason", ["new_story", "manual", "regenerate"])
def test_a_brief_stays_as_a_person_edits_it(add_story: Any, run: Any, rows: Any, other_conn: Any, reason: str) -> None:
    story = add_story(ARTICLE)
    run(story)

    def slow(*_: Any) -> Brief:
        execute(other_conn, "UPDATE story_overlays SET brief_elevator = 'Mine.'")
        return WRITTEN

    if reason == "regenerate":
        assert run(story, reason, SimpleNamespace(brief=slow))["outcome"] == "kept_edited"
    execute(other_conn, "UPDATE story_overlays SET brief_one_liner = 'Mine.'")
    before = rows(OVERLAY)
    assert run(story, reason, object())["outcome"] == "kept_edited", "no model is asked"
    assert rows(OVERLAY) == before


STORIES = {
    "Postgres 19: “Vacuum” speeds up": "The vacuum of Postgres reads large tables in parallel, and dead rows go sooner.",
    "A cat stops a train": "A cat sat on the rails of a small railway for two hours before a child led it away.",
    "Why vacuum in Postgres was slow": "Dead rows of large tables in Postgres kept the vacuum busy; it read them one by one.",
    "Release notes arrive": "The vacuum of Postgres reads large tables in parallel, and dead rows go sooner than ever.",
    "Postgres users meet in Ghent": "Four hundred people gathered in a hall in Belgium, drank coffee and heard talks on hiring.",
}


def test_stories_that_are_alike_and_share_a_word_are_one_topic_named_by_it(told: Any, digest: Any) -> None:
    for chili, (title, text) in zip((5, 4, 3, 2, 1), STORIES.items(), strict=True):
        told(title, chili, text)
    _, made = digest()
    first, cat, second, notes, ghent = STORIES
    assert {entry["title"] for entry in made["entries"] if entry["topic"] == "Postgres, Vacuum"} == {first, second}
    assert [entry["title"] for entry in made["entries"]] == list(STORIES)
    assert {entry["topic"] for entry in made["entries"]} == {"Postgres, Vacuum", None}
    shown = rendering.text(made)
    places = [shown.index(each) for each in ("== Postgres, Vacuum", first, second, "== More", cat, notes, ghent)]
    assert places == sorted(places)
    assert f"2. {second}" in shown
    for text in (rendering.markdown(made), rendering.html(made)):
        places = [text.index(each) for each in ("Postgres, Vacuum", "Why vacuum", "More", "A cat stops")]
        assert places == sorted(places)


READS, TOOK = "Vacuum reads in parallel.", "It took 40 minutes before and takes nine now."


@cases(
    "one why said",
    (READS, "Because dead rows fill the disks of many users.", [READS, "Because dead rows fill the disks of many users."]),
    *((READS, why, [READS, TOOK]) for why in (None, "Vacuum reads in parallel now.")),
    ("First it reads. Then dead rows leave the disk at once. Third.", None, ["First it reads.", "Then dead rows leave the disk at once."]),
    (None, None, [TOOK]),
)  # fmt: skip
def test_two_sentences_come_from_brief_reason_and_highlights(
    told: Any, digest: Any, conn: Any, one: str | None, why: str | None, said: list[str]
) -> None:
    title, text = next(iter(STORIES.items()))
    story = told(title, 3, text, one, why)
    facts: list[tuple[str, str | None, str, dict[str, Any]]] = [
        (TOOK, None, "system", {"relevance": {"score": 0.5}}),
        ("That highlight of another edition was taken back.", None, "system", {"withdrawn": True, "relevance": {"score": 0.9}}),
        ("A reader wrote this note about large tables.", None, "user", {"relevance": {"score": 0.9}}),
        ("Only one team may see this sentence of theirs.", str(uuid.UUID(int=7)), "system", {"relevance": {"score": 0.9}}),
        ("parallel = 4", None, "system", {"relevance": {"score": 0.8}}),
    ]  # fmt: skip
    put = "INSERT INTO highlights (story_id, team_id, created_by, origin, summary, metadata) VALUES (%s, %s, 'x', %s, %s, %s)"
    for summary, team, origin, metadata in facts:
        execute(conn, put, story, team, origin, summary, json.dumps(metadata))
    _, made = digest()
    (entry,) = made["entries"]
    assert "==" not in rendering.text(made), "a digest without topics has no headings"
    assert entry["said"] == said
    assert "highlights" not in entry
    assert all(sentence in " ".join(rendering.text(made).split()) for sentence in said)
