from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.ai.hashing import embed
from actors.ai.protocol import Analysis, Brief, Embedding, Provenance
from actors.briefs.generate import BriefSettings, generate_brief
from actors.insights.analyze import analyze_story
from actors.insights.events import EventSettings
from actors.schema import AnalyzeStory, GenerateBrief, StorySummarize
from actors.store import clusters
from actors.stories.summarize import story_summarize
from tests.actors.database import execute
from zeke_jobs import Retry

ARTICLE = Path(__file__).with_name("article.txt").read_text(encoding="utf-8")

WITHOUT_PGVECTOR = "ALTER TABLE story_embeddings DROP COLUMN embedding, ADD COLUMN embedding real[] NOT NULL"
OVERLAY = "SELECT * FROM story_overlays WHERE story_id = %s"


def model(analysis: Analysis, vector: tuple[float, ...] = (1.0,) * 1536) -> Any:
    """Make an AI that gives this analysis."""
    return SimpleNamespace(
        embeds_together=False,
        same_event=None,
        analyze=lambda *_: analysis,
        embed=lambda *_: Embedding(vector, "model-1"),
        rescore=lambda *_: None,
    )


def analysed(why: str, *quotes: tuple[int, int]) -> Analysis:
    return Analysis(why, 4, "completed", Provenance("openai", "m", "analyze/1"), 0.8, quotes)


def test_overlay_with_its_brief_embedding_and_the_next_job_commit_together(
    add_story: Any, handler_context: Any, analyse: Any, rows: Any
) -> None:
    story = add_story(ARTICLE, title="Faster JSON")
    ctx = analyse(story)
    (overlay,) = rows(OVERLAY, str(story))
    assert overlay["analysis_state"] == "extractive"
    assert overlay["citations"]["chili"] == ctx.output["chili"]
    assert all(quote["text"] for quote in overlay["citations"]["quotes"])
    assert rows("SELECT model_version FROM story_embeddings") == [{"model_version": "hashed-words-1"}]
    sent = [(each.task, each.payload) for each in ctx.sent]
    assert sent == [("extract-highlights", {"story_id": str(story), "user_id": "system"})]
    assert overlay["brief_two_liner"]
    assert overlay["time_saved_seconds"] is not None
    (told,) = rows("SELECT summary FROM stories")
    brief = generate_brief(GenerateBrief(story_id=story), handler_context(BriefSettings()))
    summary = story_summarize(StorySummarize(story_id=story), handler_context())
    assert [brief["outcome"], summary["outcome"]] == ["unchanged"] * 2, "by itself each writes the same"
    assert rows(OVERLAY, str(story)) == [overlay]
    assert rows("SELECT summary FROM stories") == [told]


def test_what_an_answer_does_not_tell_within_its_limits_is_left_to_its_task(
    add_story: Any, analyse: Any, rows: Any
) -> None:
    story, told = add_story(ARTICLE), analysed("It matters.")
    assert [(each.task, each.payload) for each in analyse(story, ai=model(told)).sent[1:]] == [
        ("generate-brief", {"story_id": str(story), "reason": "new_story"}),
        ("story-summarize", {"story_id": str(story), "mode": "auto"}),
    ]
    for two in ("It is out. It is fast.", "Of two sentences one was verified."):
        ctx = analyse(story, ai=model(replace(told, brief=Brief(None, two, None, told.made_by))))
        (overlay,) = rows(OVERLAY, str(story))
        assert overlay["brief_two_liner"] == "It is out. It is fast."
    assert "generate-brief" in [each.task for each in ctx.sent]


def test_the_readers_pace_is_that_of_generate_brief(add_story: Any, handler_context: Any, rows: Any) -> None:
    for pace in (100, 400):
        ctx = handler_context(EventSettings())
        ctx.others["generate-brief"] = BriefSettings(words_per_minute=pace)
        analyze_story(AnalyzeStory(story_id=add_story(ARTICLE * 20)), ctx)
    saved = [row["time_saved_seconds"] for row in rows("SELECT time_saved_seconds FROM story_overlays ORDER BY 1")]
    assert saved[1] == pytest.approx(4 * saved[0], rel=0.05)
    assert saved[0] > 60


def test_an_ai_error_becomes_no_stub_text_marked_completed(add_story: Any, handler_context: Any, rows: Any) -> None:
    story = add_story(ARTICLE)

    def refuse(*_: Any) -> None:
        raise Retry(5, "429")

    away = model(analysed("It matters."))
    away.analyze = refuse
    ctx = handler_context(EventSettings(), ai=away)
    with pytest.raises(Retry):
        analyze_story(AnalyzeStory(story_id=story), ctx)
    assert rows("SELECT story_id FROM story_overlays") == []
    assert ctx.sent == []


def test_the_words_of_a_person_stay_and_the_score_moves(add_story: Any, analyse: Any, rows: Any, conn: Any) -> None:
    story = add_story(ARTICLE, summary="As the feed says.")
    execute(conn, "INSERT INTO story_overlays (story_id, brief_one_liner) VALUES (%s, 'Mine.')", story)
    analyse(story)
    (overlay,) = rows(OVERLAY, str(story))
    assert (overlay["brief_one_liner"], overlay["brief_elevator"]) == ("Mine.", None)
    assert overlay["brief_generated_at"] is None
    assert rows("SELECT summary FROM stories") == [{"summary": "As the feed says."}]
    assert {"analysis"} == {"analysis", "brief", "summary"} & overlay["citations"].keys()
    execute(conn, "UPDATE story_overlays SET why_it_matters = 'My own words.'")
    assert analyse(story, ai=model(analysed("A model's words."))).output["outcome"] == "kept_edited"
    (overlay,) = rows(OVERLAY, str(story))
    assert (overlay["why_it_matters"], overlay["citations"]["chili"]) == ("My own words.", 4)


@pytest.mark.parametrize(
    ("trigger", "outcome"), [("auto", "kept_existing"), ("retry", "kept_existing"), ("manual", "analyzed")]
)
def test_an_analysis_of_unknown_origin_is_replaced_only_on_demand(
    add_story: Any, analyse: Any, rows: Any, conn: Any, trigger: str, outcome: str
) -> None:
    story = add_story(ARTICLE)
    told = "INSERT INTO story_overlays (story_id, why_it_matters) VALUES (%s, 'As an earlier version said.')"
    execute(conn, told, story)
    assert analyse(story, trigger).output["outcome"] == outcome
    (overlay,) = rows(OVERLAY, str(story))
    is_replaced = trigger == "manual"
    assert (overlay["why_it_matters"] == "As an earlier version said.") is not is_replaced
    assert ("analysis" in overlay["citations"]) is is_replaced
    assert "chili" in overlay["citations"], "the score is new in any case"


@pytest.mark.parametrize("has_pgvector", [True, False])
def test_two_stories_of_one_event_share_a_cluster_led_by_the_earlier(
    add_story: Any, analyse: Any, rows: Any, conn: Any, has_pgvector: bool
) -> None:
    if not has_pgvector:
        execute(conn, WITHOUT_PGVECTOR)
    text = "Acme buys Initech for two billion dollars in cash. The deal closes in June, the companies said on Monday."
    later = add_story(text, title="Acme buys Initech for $2bn", days_old=1, authority=0.9)
    earlier = add_story(text + " More to come.", title="Acme to buy Initech in $2bn deal", days_old=2, authority=0.1)
    other = add_story("Rain will fall over the coast until the weekend.", title="Rain on the coast", days_old=1)
    for story in (later, earlier, other):
        analyse(story)
    found = {row["id"]: row["cluster_id"] for row in rows("SELECT id, cluster_id FROM stories")}
    assert found[str(later)] == found[str(earlier)] is not None
    assert found[str(other)] is None
    (cluster,) = rows("SELECT primary_story_id, label, metrics FROM story_clusters")
    assert (cluster["primary_story_id"], cluster["label"]) == (str(earlier), "Acme to buy Initech in $2bn deal")
    assert cluster["metrics"] == {"stories": 2, "sources": 2}
    sizes = rows(f"SELECT {'vector_dims' if has_pgvector else 'cardinality'}(embedding) AS size FROM story_embeddings")
    assert {row["size"] for row in sizes} == {1536}


def test_of_stories_of_one_moment_the_more_authoritative_leads(add_story: Any, conn: Any, rows: Any) -> None:
    stories = [
        add_story(ARTICLE, title=f"From {authority}", authority=authority) for authority in (0.3, 0.9, None, 0.6)
    ]
    execute(conn, "UPDATE stories SET published_at = '2026-11-01T12:00Z'")
    clusters.unite(conn, stories)
    assert rows("SELECT label FROM story_clusters") == [{"label": "From 0.9"}]


def test_stories_further_apart_than_three_days_are_two_events(add_story: Any, analyse: Any, rows: Any) -> None:
    for days in (1, 5):
        analyse(add_story("The weekly numbers are out, and they are fine.", title="Weekly numbers", days_old=days))
    assert rows("SELECT id FROM story_clusters") == []


@pytest.mark.parametrize("has_pgvector", [True, False])
def test_two_models_vectors_are_never_compared(
    add_story: Any, analyse: Any, rows: Any, conn: Any, has_pgvector: bool
) -> None:
    if not has_pgvector:
        execute(conn, WITHOUT_PGVECTOR)
    analyse(add_story(ARTICLE))
    analyse(add_story(ARTICLE), ai=model(analysed("It matters to all."), tuple(embed(f"A title\n{ARTICLE}"))))
    assert rows("SELECT id FROM story_clusters") == []


def test_a_vector_of_wrong_length_is_refused_and_not_kept(add_story: Any, handler_context: Any, rows: Any) -> None:
    story = add_story(ARTICLE)
    ctx = handler_context(EventSettings(), ai=model(analysed("It matters."), (1.0,) * 256))
    with pytest.raises(ValueError, match="expected 1536 numbers, got 256 from model-1"):
        analyze_story(AnalyzeStory(story_id=story), ctx)
    assert rows("SELECT story_id FROM story_overlays") == []
