import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from psycopg2.errors import LockNotAvailable

from actors.insights.dedupe import dedupe_insights
from actors.insights.extract import extract_highlights
from actors.insights.relevance import RelevanceSettings, score_relevance
from actors.insights.selection import Selection
from actors.schema import DedupeInsights, ExtractHighlights, ScoreRelevance
from actors.store import SQL, texts
from tests.actors.database import execute
from zeke_jobs.postgres.pool import connect, transaction

ARTICLE = Path(__file__).with_name("article.txt").read_text(encoding="utf-8")

ALL = "SELECT * FROM highlights ORDER BY id"
TEAM = uuid.UUID("11111111-1111-1111-1111-111111111111")


@pytest.fixture
def chain(handler_context: Any) -> Callable[..., dict[str, Any]]:
    """Extract and score highlights, then score them again; return both outputs."""

    def run(story: uuid.UUID, **payload: Any) -> dict[str, Any]:
        first = handler_context(Selection())
        outputs = {
            "extract": extract_highlights(ExtractHighlights.model_validate({"storyId": story, **payload}), first)
        }
        second = handler_context(RelevanceSettings())
        outputs["score"] = score_relevance(ScoreRelevance(story_id=story), second)
        assert first.sent == second.sent == []
        return outputs

    return run


def test_score_relevance_does_not_race_extract_highlights(add_story: Any, chain: Any, rows: Any) -> None:
    assert chain(add_story("It is so. They said it."))["extract"]["outcome"] == "nothing_found"
    with mock.patch.object(SQL, "execute", wraps=SQL.execute) as execution:
        outputs = chain(add_story(ARTICLE))
    named = [call.args[1] for call in execution.call_args_list]
    assert named.count("highlights_score") == 1, "that of score-relevance, which changes nothing"
    stored = rows(ALL)
    assert outputs["extract"]["found"] == outputs["score"]["highlights"] == len(stored) > 5
    assert (outputs["extract"]["outcome"], outputs["score"]["outcome"]) == ("extracted", "unchanged")
    assert all(0 < row["metadata"]["relevance"]["score"] <= 1 for row in stored)
    assert {row["kind"] for row in stored} >= {"metric", "quote", "api_change", "code_change", "code_example", "action"}
    assert all(row["origin"] == "system" and row["is_generated"] and row["created_by"] == "system" for row in stored)


def test_highlights_are_scored_by_the_settings_of_score_relevance_as_they_are_stored(
    add_story: Any, handler_context: Any, rows: Any, conn: Any
) -> None:
    ctx = handler_context(Selection())
    ctx.others["score-relevance"] = RelevanceSettings(keywords=("JSON",), enough_keywords=7)
    extract_highlights(ExtractHighlights(story_id=add_story(ARTICLE)), ctx)
    scores = [row["metadata"]["relevance"] for row in rows(ALL)]
    assert {word for score in scores for word in score["keywords"]} == {"JSON"}
    assert {score["parts"]["keyword"] for score in scores} == {0, round(1 / 7, 4)}
    execute(conn, "DELETE FROM highlights")
    ctx.others["score-relevance"] = Selection()  # The user's handler replaces score-relevance and has other settings.
    extract_highlights(ExtractHighlights(story_id=add_story(ARTICLE)), ctx)
    assert {row["metadata"]["relevance"]["score"] > 0 for row in rows(ALL)} == {True}


def test_each_highlight_keeps_its_context_until_it_is_updated(add_story: Any, chain: Any, rows: Any, conn: Any) -> None:
    chain(add_story(ARTICLE))
    action = "SELECT id, metadata -> 'context' AS context FROM highlights WHERE kind = 'action'"
    (before,) = rows(action)
    assert before["context"] == {"headings": ["How to use it"], "before": None}
    edited = "replace(markdown, 'You should', 'The server needs no tables. You should')"
    execute(conn, f"UPDATE content_details SET markdown = {edited}")
    chain(rows("SELECT story_id FROM highlights")[0]["story_id"])
    context = {"headings": ["How to use it"], "before": "The server needs no tables."}
    assert rows(action) == [{"id": before["id"], "context": context}]


def test_two_jobs_never_write_highlights_of_one_story_at_once(add_story: Any, conn: Any, database: str) -> None:
    story, other = add_story(ARTICLE), add_story("Another text.")
    with closing(connect(database)) as beside, transaction(conn), beside.cursor() as cursor:
        texts.hold(conn, story)
        cursor.execute("SET lock_timeout = '50ms'")
        with pytest.raises(LockNotAvailable):
            texts.hold(beside, story)
        texts.hold(beside, other)


def test_a_persons_highlight_is_never_touched(add_story: Any, chain: Any, rows: Any, conn: Any) -> None:
    story = add_story(ARTICLE)
    chain(story)
    (metric,) = rows("SELECT * FROM highlights WHERE kind = 'metric'")
    execute(conn, "DELETE FROM highlights WHERE id = %s", metric["id"])
    said = "INSERT INTO highlights (story_id, created_by, kind, origin, summary, quote) VALUES (%s, 'ann', 'insight', 'user', %s, %s)"
    execute(conn, said, story, metric["summary"].upper(), metric["quote"])
    own = "SELECT * FROM highlights WHERE origin = 'user'"
    before = rows(own)
    outputs = chain(story)
    assert rows(own) == before
    assert outputs["extract"]["duplicates"] == 1
    assert rows("SELECT id FROM highlights WHERE kind = 'metric'") == []


def test_an_edited_article_withdraws_what_it_no_longer_says(add_story: Any, chain: Any, rows: Any, conn: Any) -> None:
    story = add_story(ARTICLE)
    chain(story)
    before = {row["id"]: row for row in rows(ALL)}
    edited = ARTICLE.replace("You should upgrade to 3.14.1 before the end of May. ", "")
    execute(conn, "UPDATE content_details SET markdown = %s", edited)
    chain(story)
    after = {row["id"]: row for row in rows(ALL)}
    gone = {each for each, row in after.items() if row["metadata"].get("withdrawn")}
    assert {before[each]["kind"] for each in gone} == {"action"}
    execute(conn, "UPDATE content_details SET markdown = %s", ARTICLE)
    chain(story)
    withdrawn = [row["id"] for row in rows(ALL) if row["metadata"].get("withdrawn")]
    assert withdrawn == [each for each in after if each not in before]


def test_a_team_gets_own_highlights_only_where_there_is_no_common_one(add_story: Any, chain: Any, rows: Any) -> None:
    story = add_story(ARTICLE)
    chain(story, teamId=TEAM, userId="ann")
    own = rows(ALL)
    assert {(row["team_id"], row["created_by"]) for row in own} == {(str(TEAM), "ann")}
    other = add_story(ARTICLE)
    chain(other)
    outputs = chain(other, teamId=TEAM, userId="ann")
    assert outputs["extract"]["duplicates"] == len(own)
    assert len(rows(ALL)) == 2 * len(own)


def test_a_persons_insight_is_stored_once_for_each_person(add_story: Any, handler_context: Any, rows: Any) -> None:
    story = add_story(ARTICLE)
    insight = {"summary": "The parser is fast.", "origin": "user", "quote": "42% faster"}
    for person in ("ann", "ann", "bob"):
        payload = {"storyId": story, "createdBy": person, "insights": [insight, insight]}
        dedupe_insights(DedupeInsights.model_validate(payload), handler_context())
    stored = rows("SELECT created_by, origin, is_generated, kind FROM highlights ORDER BY created_by")
    assert [row["created_by"] for row in stored] == ["ann", "bob"]
    assert all(row["origin"] == "user" and not row["is_generated"] and row["kind"] == "quote" for row in stored)


def test_the_same_words_are_the_same_insight(add_story: Any, handler_context: Any, rows: Any) -> None:
    story = add_story(ARTICLE)
    for words, count in (("The parser is fast.", 1), ("the  PARSER is fast", 1), ("The parser is slow.", 2)):
        payload = {"storyId": story, "createdBy": "system", "insights": [{"summary": words}]}
        dedupe_insights(DedupeInsights.model_validate(payload), handler_context())
        assert len(rows(ALL)) == count
