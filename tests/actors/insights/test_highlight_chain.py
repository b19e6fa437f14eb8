import uuid
from collections.abc import Callable
from contextlib import closing
from typing import Any
from unittest import mock

import pytest
from psycopg2.errors import LockNotAvailable

from actors.ai.chili import hits
from actors.insights.extract import extract_highlights
from actors.insights.relevance import RelevanceSettings, relevance
from actors.insights.selection import Selection
from actors.schema import ExtractHighlights
from actors.store import SQL, texts
from tests.actors.database import execute
from tests.actors.insights.conftest import ARTICLE
from zeke_jobs.postgres.pool import connect, transaction
from zeke_jobs.postgres.queries import Row

ALL = "SELECT *, (metadata ? 'withdrawn') AS is_withdrawn FROM highlights ORDER BY id"
REWRITE = "UPDATE content_details SET markdown = %s"
TEAM = uuid.UUID("11111111-1111-1111-1111-111111111111")


@pytest.fixture
def chain(run_task: Any) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Extract and score highlights, then score them again; return both outputs."""

    def run(story: uuid.UUID, **payload: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        first = run_task("extract-highlights", {"storyId": story, **payload})
        second = run_task("score-relevance", {"storyId": story})
        assert first.sent == second.sent == []
        return first.result, second.result

    return run


def test_score_relevance_does_not_race_extract_highlights(add_story: Any, chain: Any, rows: Any) -> None:
    assert chain(add_story("It is so. They said it."))[0]["outcome"] == "nothing_found"
    with mock.patch.object(SQL, "execute", wraps=SQL.execute) as execution:
        extracted, scored = chain(add_story(ARTICLE))
    named = [call.args[1] for call in execution.call_args_list]
    assert named.count("highlights_score") == 1, "that of score-relevance, which changes nothing"
    stored = rows(ALL)
    assert extracted["found"] == scored["highlights"] == len(stored) > 5
    assert (extracted["outcome"], scored["outcome"]) == ("extracted", "unchanged")
    assert all(0 < row["metadata"]["relevance"]["score"] <= 1 for row in stored)
    assert {row["kind"] for row in stored} >= {"metric", "quote", "api_change", "code_change", "code_example", "action"}
    assert all(row["origin"] == "system" and row["is_generated"] and row["created_by"] == "system" for row in stored)


def test_highlights_are_scored_as_they_are_stored(add_story: Any, handler_context: Any, rows: Any, conn: Any) -> None:
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


def test_an_edited_article_withdraws_what_it_no_longer_says(add_story: Any, chain: Any, rows: Any, conn: Any) -> None:
    def action() -> Any:
        return [(row["id"], row["metadata"]["context"]) for row in before if row["kind"] == "action"]

    story = add_story(ARTICLE)
    chain(story)
    before = rows(ALL)
    ((upgrade, context),) = action()
    assert context == {"headings": ["How to use it"], "before": None}
    execute(conn, REWRITE, ARTICLE.replace("You should", "The server needs no tables. You should"))
    chain(story)
    before = rows(ALL)
    assert action() == [(upgrade, {"headings": ["How to use it"], "before": "The server needs no tables."})]
    execute(conn, REWRITE, ARTICLE.replace("You should upgrade to 3.14.1 before the end of May. ", ""))
    chain(story)
    after = rows(ALL)
    assert [row["id"] for row in after if row["is_withdrawn"]] == [upgrade]
    execute(conn, REWRITE, ARTICLE)
    chain(story)
    new = {row["id"] for row in after} - {row["id"] for row in before}
    assert {row["id"] for row in rows(ALL) if row["is_withdrawn"]} == new


def test_no_two_jobs_write_a_storys_highlights_at_once(add_story: Any, run_task: Any, conn: Any, database: str) -> None:
    story, other = add_story(ARTICLE), add_story("Another text.")
    with closing(connect(database)) as beside, transaction(beside):
        texts.hold(beside, story)
        execute(conn, "SET lock_timeout = '50ms'")
        with pytest.raises(LockNotAvailable):
            run_task("extract-highlights", {"storyId": story})
        run_task("extract-highlights", {"storyId": other})


def test_a_persons_highlight_is_never_touched(add_story: Any, chain: Any, rows: Any, conn: Any) -> None:
    story = add_story(ARTICLE)
    chain(story)
    own = """UPDATE highlights SET origin = 'user', created_by = 'ann', is_generated = false, metadata = '{}',
      id = gen_random_uuid(), summary = upper(summary) WHERE kind = 'metric' RETURNING id"""
    ((ours,),) = execute(conn, own)
    before = rows(ALL)
    assert chain(story)[0]["duplicates"] == 1
    assert rows(ALL) == before
    assert [row["id"] for row in before if row["kind"] == "metric"] == [str(ours)]


def test_a_team_gets_own_highlights_only_where_there_is_no_common_one(add_story: Any, chain: Any, rows: Any) -> None:
    chain(add_story(ARTICLE), teamId=TEAM, userId="ann")
    own = rows(ALL)
    assert {(row["team_id"], row["created_by"]) for row in own} == {(str(TEAM), "ann")}
    other = add_story(ARTICLE)
    chain(other)
    assert chain(other, teamId=TEAM, userId="ann")[0]["duplicates"] == len(own)
    assert len(rows(ALL)) == 2 * len(own)


def test_the_same_words_are_one_insight_of_a_person(add_story: Any, run_task: Any, rows: Any) -> None:
    story = add_story(ARTICLE)
    insight = {"summary": "The parser is fast.", "origin": "user", "quote": "42% faster"}
    for person in ("ann", "ann", "bob"):
        run_task("dedupe-insights", {"storyId": story, "createdBy": person, "insights": [insight, insight]})
    stored = rows("SELECT created_by, origin, is_generated, kind FROM highlights ORDER BY created_by")
    told = {"origin": "user", "is_generated": False, "kind": "quote"}
    assert stored == [{"created_by": person, **told} for person in ("ann", "bob")]
    other = add_story(ARTICLE)
    for words, count in (("The parser is fast.", 3), ("the  PARSER is fast", 3), ("The parser is slow.", 4)):
        run_task("dedupe-insights", {"storyId": other, "createdBy": "system", "insights": [{"summary": words}]})
        assert len(rows(ALL)) == count


def test_the_formula_is_that_of_the_documentation() -> None:
    metric = Row(kind="metric", title=None, summary="A benchmark of Postgres and its latency.", quote=None)
    found = relevance(metric, 0.9, 15, RelevanceSettings())
    assert found["keywords"] == ["benchmark", "latency", "Postgres"]
    assert found["parts"] == {"keyword": 0.6, "kind": 0.9, "authority": 0.9, "freshness": 0.75}
    assert found["score"] == round(0.4 * 0.6 + 0.3 * 0.9 + 0.2 * 0.9 + 0.1 * 0.75, 4)
    assert relevance(metric, None, 0, RelevanceSettings())["parts"]["authority"] == 0.7
    assert relevance(metric, None, 90, RelevanceSettings())["parts"]["freshness"] == 0.5
    # A keyword matches whole words only; its space also matches a hyphen or a line break.
    found = {
        "RAG beats fine-tuning": ["rag"],
        "we use rag, and like it": ["rag"],
        "Cheap storage": [],
        "rag_pipeline": [],
    }
    for text, words in (found | {"an Open-Source tool": ["open source"], "open\nsource": ["open source"]}).items():
        assert hits(text, ("rag", "open source")) == words, text
