"""A provider embeds many stories in one request, and each job ends with its own outcome."""

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from actors import waiting
from actors.ai import Settings
from actors.insights.embed import embed_story
from actors.insights.selection import Selection
from actors.schema import EmbedStory
from actors.store.statements import SQL
from tests.actors.ai.provider import Provider, title, vector
from tests.actors.ai.stories import PRICES, UNFINISHED, add_stories, jobs_yaml
from tests.actors.database import execute
from tests.fleet import Fleet, eventually, scalar
from zeke_jobs import Defer, Retry
from zeke_jobs.errors import ClaimLost
from zeke_jobs.testing import FakeChunk

STORED = "SELECT story_id, model_version FROM story_embeddings"


@pytest.fixture
def embed(conn: Connection, provider: Provider) -> Callable[..., FakeChunk]:
    """Run the handler for stories; return the contexts of the jobs."""

    def run(stories: list[str], **openai: Any) -> FakeChunk:
        ctx = FakeChunk(len(stories), db=conn, services={"ai": analyst(provider, **openai)})
        embed_story([EmbedStory(story_id=uuid.UUID(one)) for one in stories], ctx)
        return ctx

    return run


def analyst(provider: Provider, **openai: Any) -> Any:
    options = {"base_url": provider.url, "model": "m", "embedding_model": "e", "embedding_dimensions": 16, **openai}
    return Settings.model_validate({"provider": "openai", "openai": {"prices": PRICES, **options}}).open()


def test_one_request_embeds_all_and_each_job_is_told_its_share_of_the_cost(
    conn: Connection, provider: Provider, embed: Callable[..., FakeChunk], rows: Callable[..., Any]
) -> None:
    stories = add_stories(conn, 12)
    with mock.patch.object(SQL, "execute", wraps=SQL.execute) as execution:
        ctx = embed(stories)
    named = Counter(call.args[1] for call in execution.call_args_list)
    assert (named["ai_call_begin"], named["ai_call_settle"]) == (1, 1)
    assert provider.calls == {"/embeddings": 1}
    assert {row["story_id"] for row in rows(STORED)} == set(stories)
    assert all(job.output.items() >= {"outcome": "embedded", "model": "e@16"}.items() for job in ctx.jobs)
    calls = rows("SELECT job_id, story_id, outcome, input_tokens, cost_usd FROM ai_calls")
    assert sum(row["input_tokens"] for row in calls) == 120
    assert {row["job_id"]: row["cost_usd"] for row in calls} == {str(job.job_id): job.cost for job in ctx.jobs}
    stored = rows(
        "SELECT s.title, e.embedding::real[] AS vector FROM story_embeddings AS e JOIN stories AS s ON s.id = e.story_id"
    )
    assert {row["title"]: row["vector"][:16] for row in stored} == {title(at): vector(at) for at in range(1, 13)}
    embed(stories)
    assert provider.calls == {"/embeddings": 1}, "remembered"


def test_while_the_model_rests_no_call_of_a_chunk_has_begun(
    conn: Connection, provider: Provider, embed: Callable[..., FakeChunk]
) -> None:
    stories = add_stories(conn, 4)
    embed(stories[:2])
    waiting.note(conn, waiting.model("e"), timedelta(hours=1), "429")
    with pytest.raises(Defer, match="model/e is left alone"):
        embed(stories)
    assert scalar(conn, "SELECT count(*) FROM ai_calls") == 2
    embed(stories[:2])
    assert provider.calls == {"/embeddings": 1}, "remembered answers need no model"


def test_a_story_left_out_or_gone_fails_alone(conn: Connection, provider: Provider, embed: Any, rows: Any) -> None:
    provider.leaves_out = True
    # One of these stories is story 97, for which the provider returns no vector.
    stories = [*add_stories(conn, 100)[94:99], str(uuid.uuid4())]
    ctx = embed(stories)
    assert {row["story_id"] for row in rows(STORED)} == {*stories[:2], *stories[3:5]}
    assert [job.completed for job in ctx.jobs] == [True, True, False, True, True, False]
    assert "the embedding answer has no vector" in str(ctx.settled[2])
    assert "expected a story with text, got none" in str(ctx.settled[5])


def test_a_vector_that_the_database_cannot_hold_fails_alone(conn: Connection, embed: Any, model_server: Any) -> None:
    vectors = [{"index": at, "embedding": [number] * 16} for at, number in enumerate((1.0, 1e39, 1e-60))]
    model_server.script.append(lambda _: (200, {}, {"model": "e", "data": vectors}))
    ctx = embed(add_stories(conn, 3), base_url=model_server.url)
    assert [job.completed for job in ctx.jobs] == [True, False, True]
    assert "numbers that are none" in str(ctx.settled[1])


def test_a_text_that_spoils_a_request_is_found_by_halves(
    conn: Connection, provider: Provider, embed: Callable[..., FakeChunk], rows: Callable[..., Any]
) -> None:
    provider.spoils = 9
    stories = add_stories(conn, 16)
    ctx = embed(stories)
    assert list(ctx.settled) == [8]
    assert len(rows(STORED)) == 15
    assert provider.calls["/embeddings"] == 9
    assert max(provider.texts.values()) == 1, "no text is paid twice"
    assert scalar(conn, "SELECT count(*) FROM ai_calls WHERE settled_at IS NULL") == 0


def test_settings_of_somebodys_own_handler_in_place_of_analyze_story_stop_no_embedding(
    conn: Connection, provider: Provider
) -> None:
    (story,) = add_stories(conn, 1)
    ctx = FakeChunk(1, db=conn, services={"ai": analyst(provider)}, others={"analyze-story": Selection()})
    embed_story([EmbedStory(story_id=uuid.UUID(story))], ctx)
    assert ctx.jobs[0].completed


class Cancelled(FakeChunk):
    """The second job of this chunk is cancelled during the request."""

    def add_costs(self, *args: Any) -> None:
        super().add_costs(*args)
        raise ClaimLost("job 1 is no longer ours")


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_job_that_is_cancelled_during_the_request_leaves_the_others_their_embeddings(
    conn: Connection, provider: Provider, rows: Callable[..., Any], is_kept: bool
) -> None:
    stories = add_stories(conn, 3)
    ctx = Cancelled(3, db=conn, services={"ai": analyst(provider, cache=is_kept)})
    embed_story([EmbedStory(story_id=uuid.UUID(one)) for one in stories], ctx)
    assert (ctx.jobs[0].completed, ctx.jobs[2].completed) == (True, True)
    assert {stories[0], stories[2]} <= {row["story_id"] for row in rows(STORED)}


def test_a_model_that_asks_to_wait_rests_even_if_a_job_is_cancelled_meanwhile(
    conn: Connection, model_server: Any
) -> None:
    model_server.script.append(lambda _: (429, {"Retry-After": "600"}, {}))
    ctx = Cancelled(2, db=conn, services={"ai": analyst(model_server)})
    with pytest.raises(Defer):
        embed_story([EmbedStory(story_id=uuid.UUID(one)) for one in add_stories(conn, 2)], ctx)
    assert scalar(conn, "SELECT count(*) FROM rests") == 1


@pytest.mark.parametrize(
    ("status", "outcome", "cost"), [(503, "failed", 0), (200, "invalid", None)], ids=["refused", "without vectors"]
)
def test_a_reply_to_the_request_is_the_verdict_on_all(
    conn: Connection, embed: Any, model_server: Any, answers: Any, status: int, outcome: str, cost: float | None
) -> None:
    model_server.script.append(answers(status, content="I think that it matters."))
    with pytest.raises(Retry, match="no vectors" if cost is None else "503"):
        embed(add_stories(conn, 5), base_url=model_server.url)
    calls = execute(conn, "SELECT outcome, CASE WHEN cost_usd = 0 THEN 0 END FROM ai_calls")
    assert calls == [(outcome, cost)] * 5


def test_an_analysis_leaves_its_embedding_to_embed_story_unless_a_person_waits(
    conn: Connection, provider: Provider, analyse: Any, rows: Any
) -> None:
    (story,) = add_stories(conn, 1)

    def left(trigger: str) -> list[Any]:
        sent = analyse(story, trigger, ai=analyst(provider)).sent
        return [one.payload for one in sent if one.task == "embed-story"]

    assert left("auto") == [{"story_id": story}]
    assert rows("SELECT analysis_state FROM story_overlays") == [{"analysis_state": "completed"}]
    assert (provider.calls["/embeddings"], rows(STORED)) == (0, [])
    assert left("manual") == []
    assert provider.calls["/embeddings"] == len(rows(STORED)) == 1


def test_stories_of_one_chunk_join_their_event_and_an_alert_tells_it_once(
    conn: Connection, provider: Provider, embed: Any, analyse: Any, rows: Any
) -> None:
    stories = add_stories(conn, 3)
    execute(
        conn, "UPDATE stories SET published_at = zeke_jobs.now(), created_at = zeke_jobs.now() + interval '1 minute'"
    )
    execute(conn, "INSERT INTO alerts (name, query, words, sources, receivers) VALUES ('all', '', '', '{}', '{phone}')")
    for story in stories:
        ctx = analyse(story, ai=analyst(provider))
        assert "deliver-alert" not in {one.task for one in ctx.sent}, "its event is not known yet"
    ctx = embed(stories)
    assert [job.output["same_event"] for job in ctx.jobs] == [0, 1, 2]
    (event,) = rows("SELECT DISTINCT cluster_id FROM stories")
    assert event["cluster_id"] is not None
    assert [[one.task for one in job.sent] for job in ctx.jobs] == [["deliver-alert"], [], []]


def test_a_story_that_is_embedded_and_not_analysed_yet_joins_its_event(
    conn: Connection, provider: Provider, embed: Any, analyse: Any, rows: Any
) -> None:
    first, _, second = add_stories(conn, 3)  # The vectors of stories 1 and 3 are near each other.
    execute(conn, "UPDATE stories SET published_at = zeke_jobs.now()")
    embed([first])
    for story in (second, first):
        analyse(story, "manual", ai=analyst(provider))
        (event,) = rows("SELECT DISTINCT cluster_id FROM stories WHERE id = ANY (%s::uuid[])", [first, second])
        assert event["cluster_id"] is not None


@pytest.mark.acceptance
@pytest.mark.timeout(120)
def test_the_pipeline_embeds_in_chunks_whatever_the_provider_refuses(
    database: str, conn: Connection, provider: Provider, tmp_path: Path, rows: Callable[..., Any]
) -> None:
    provider.refuses, provider.leaves_out = (lambda call: call % 7 == 0), True
    stories = add_stories(conn, 100)
    fleet = Fleet(tmp_path, database)
    quick = {"retry": {"limit": 8, "delay": "100ms"}}
    fleet.configure(
        jobs_yaml(
            provider.url,
            {"embed-story": {"chunk": {"size": 10, "wait": "5s"}, **quick}, "analyze-story": quick},
            openai={"embedding_model": "e"},
        )
    )
    try:
        fleet.workers(processes=2, threads=4)
        fleet.ready(conn, 2)
        zeke_jobs.send_many("analyze-story", [{"story_id": story} for story in stories])
        eventually(lambda: scalar(conn, UNFINISHED) == 0, 90, fleet)
    finally:
        fleet.stop()
    assert len(rows("SELECT story_id FROM story_overlays WHERE analysis_state = 'completed'")) == 100
    assert scalar(conn, "SELECT count(*) FROM story_embeddings WHERE model_version = 'e@16'") == 99
    failed = rows("SELECT name, data ->> 'story_id' AS story FROM zeke_jobs.job WHERE state = 'failed'")
    assert [(row["name"], row["story"]) for row in failed] == [("embed-story", stories[97 - 1])]
    assert max(provider.texts.values()) == 1
    assert provider.calls["/embeddings"] <= 14
