from typing import Any

import pytest

from actors.ai.hashing import embed
from actors.ai.protocol import Brief, Embedding
from actors.briefs.generate import BriefSettings
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory
from actors.store import clusters
from tests.actors.database import execute
from tests.actors.insights.conftest import ARTICLE, DEAL, TOLD, WITHOUT_PGVECTOR, model
from tests.each import cases
from zeke_jobs import Retry

OVERLAY = "SELECT * FROM story_overlays WHERE story_id = %s"


def test_an_analysis_and_the_next_job_commit_together(add_story: Any, run_task: Any, analyse: Any, rows: Any) -> None:
    story = add_story(ARTICLE, title="Faster JSON")
    ctx = analyse(story)
    (overlay,) = rows(OVERLAY, str(story))
    assert overlay["analysis_state"] == "extractive"
    assert overlay["citations"]["chili"] == ctx.output["chili"]
    assert all(quote["text"] for quote in overlay["citations"]["quotes"])
    assert rows("SELECT model_version FROM story_embeddings") == [{"model_version": "hashed-words-1"}]
    (sent,) = ctx.sent
    assert (sent.task, sent.payload) == ("extract-highlights", {"story_id": str(story), "user_id": "system"})
    assert overlay["brief_two_liner"]
    assert overlay["time_saved_seconds"] is not None
    told = rows("SELECT summary FROM stories")
    for task in ("generate-brief", "story-summarize"):
        assert run_task(task, {"story_id": story}).result["outcome"] == "unchanged", "by itself it writes the same"
    assert (rows(OVERLAY, str(story)), rows("SELECT summary FROM stories")) == ([overlay], told)


def test_what_an_answer_does_not_tell_well_is_left_to_its_task(add_story: Any, analyse: Any, rows: Any) -> None:
    story = add_story(ARTICLE)
    assert [(each.task, each.payload) for each in analyse(story, ai=model()).sent[1:]] == [
        ("generate-brief", {"story_id": str(story), "reason": "new_story"}),
        ("story-summarize", {"story_id": str(story), "mode": "auto"}),
    ]
    for two in ("It is out. It is fast.", "Of two sentences one was verified."):
        ctx = analyse(story, ai=model(brief=Brief(None, two, None, TOLD.made_by)))
        assert rows(OVERLAY, str(story))[0]["brief_two_liner"] == "It is out. It is fast."
    assert "generate-brief" in [each.task for each in ctx.sent]


def test_the_readers_pace_is_that_of_generate_brief(add_story: Any, handler_context: Any, rows: Any) -> None:
    for pace in (100, 400):
        ctx = handler_context(EventSettings())
        ctx.others["generate-brief"] = BriefSettings(words_per_minute=pace)
        analyze_story(AnalyzeStory(story_id=add_story(ARTICLE * 20)), ctx)
    saved = [row["time_saved_seconds"] for row in rows("SELECT time_saved_seconds FROM story_overlays ORDER BY 1")]
    assert saved[1] == pytest.approx(4 * saved[0], rel=0.05)
    assert saved[0] > 60


@cases(
    "ai error says",
    (model(fails=Retry(5, "429")), Retry, "429"),
    (model(Embedding((1.0,) * 256, "model-1")), ValueError, "expected 1536 numbers, got 256 from model-1"),
    ids=["the provider asks to wait", "the vector has a wrong length"],
)
def test_an_analysis_that_fails_writes_nothing(
    add_story: Any, handler_context: Any, rows: Any, ai: Any, error: type[Exception], says: str
) -> None:
    ctx = handler_context(EventSettings(), ai=ai)
    with pytest.raises(error, match=says):
        analyze_story(AnalyzeStory(story_id=add_story(ARTICLE)), ctx)
    assert (rows("SELECT FROM story_overlays"), ctx.sent) == ([], [])


def test_the_words_of_a_person_stay_and_the_score_moves(add_story: Any, analyse: Any, rows: Any, conn: Any) -> None:
    story = add_story(ARTICLE, summary="As the feed says.")
    execute(conn, "INSERT INTO story_overlays (story_id, brief_one_liner) VALUES (%s, 'Mine.')", story)
    analyse(story)
    (overlay,) = rows(OVERLAY, str(story))
    told = [overlay[f"brief_{part}"] for part in ("one_liner", "elevator", "generated_at")]
    assert told == ["Mine.", None, None]
    assert rows("SELECT summary FROM stories") == [{"summary": "As the feed says."}]
    assert {"analysis"} == {"analysis", "brief", "summary"} & overlay["citations"].keys()
    execute(conn, "UPDATE story_overlays SET why_it_matters = 'My own words.'")
    assert analyse(story, ai=model()).output["outcome"] == "kept_edited"
    (overlay,) = rows(OVERLAY, str(story))
    assert (overlay["why_it_matters"], overlay["citations"]["chili"]) == ("My own words.", 4)


def test_an_analysis_of_unknown_origin_stays_unless_asked(add_story: Any, analyse: Any, rows: Any, conn: Any) -> None:
    story, earlier = add_story(ARTICLE), "As an earlier version said."
    execute(conn, "INSERT INTO story_overlays (story_id, why_it_matters) VALUES (%s, %s)", story, earlier)
    for trigger, outcome in (("auto", "kept_existing"), ("retry", "kept_existing"), ("manual", "analyzed")):
        assert analyse(story, trigger).output["outcome"] == outcome
        (overlay,) = rows(OVERLAY, str(story))
        told = (overlay["why_it_matters"] != earlier, "analysis" in overlay["citations"])
        assert told == (trigger == "manual",) * 2
        assert "chili" in overlay["citations"], "the score is new in any case"


@pytest.mark.parametrize("has_pgvector", [True, False])
def test_the_earliest_leads_an_event(add_story: Any, analyse: Any, rows: Any, conn: Any, has_pgvector: bool) -> None:
    if not has_pgvector:
        execute(conn, WITHOUT_PGVECTOR)
    title = "Acme buys Initech for $2bn"
    later = add_story(DEAL, title=title, days_old=1, authority=0.9)
    earlier = add_story(f"{DEAL} More to come.", title="Acme to buy Initech in $2bn deal", days_old=2, authority=0.1)
    for story in (later, earlier):
        analyse(story)
    analyse(add_story("Rain will fall over the coast until the weekend.", title="Rain on the coast", days_old=1))
    analyse(add_story(DEAL, title=title, days_old=5.1))  # three days before the earlier one
    by_another = Embedding(tuple(embed(f"{title}\n{DEAL}")), "model-1")
    analyse(add_story(DEAL, title=title, days_old=1), ai=model(by_another))  # two models' vectors are never compared
    together = rows("SELECT id FROM stories WHERE cluster_id IS NOT NULL")
    assert {row["id"] for row in together} == {str(later), str(earlier)}
    assert rows("SELECT primary_story_id AS id, label, metrics FROM story_clusters") == [
        {"id": str(earlier), "label": "Acme to buy Initech in $2bn deal", "metrics": {"stories": 2, "sources": 2}}
    ]
    sizes = rows(f"SELECT {'vector_dims' if has_pgvector else 'cardinality'}(embedding) AS size FROM story_embeddings")
    assert {row["size"] for row in sizes} == {1536}
    stories = [add_story(ARTICLE, title=f"From {rate}", authority=rate) for rate in (0.3, 0.9, None, 0.6)]
    execute(conn, "UPDATE stories SET published_at = '2026-11-01T12:00Z'")
    clusters.unite(conn, stories)
    # If stories were published at the same time, the event takes the title of the most authoritative one.
    assert {"label": "From 0.9"} in rows("SELECT label FROM story_clusters")
