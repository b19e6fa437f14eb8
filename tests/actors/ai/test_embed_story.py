"""A provider embeds many stories in one request, and each job ends with its own outcome."""

import uuid
from collections import Counter
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from psycopg2.errors import LockNotAvailable
from psycopg2.extensions import connection as Connection

import zeke_jobs
from actors import waiting
from actors.ai import Settings
from actors.insights.embed import embed_story
from actors.insights.events import EventSettings
from actors.insights.interests import Interest, Interests
from actors.insights.relevance import RelevanceSettings
from actors.insights.selection import Selection
from actors.schema import EmbedStory
from actors.store import SQL, clusters
from tests.actors.ai.conftest import ModelServer, answer
from tests.actors.ai.provider import PRICES, UNFINISHED, Provider, add_stories, jobs_yaml, vector
from tests.actors.database import execute
from tests.fleet import eventually, fleet, scalar
from zeke_jobs import Defer, Retry
from zeke_jobs.errors import ClaimLost
from zeke_jobs.testing import FakeChunk


class Embedding:
    """Calling an instance runs embed-story for a chunk of one job per story, and returns the chunk's context."""

    def __init__(self, conn: Connection, provider: Provider) -> None:
        self.conn, self.provider = conn, provider

    def analyst(self, **openai: Any) -> Any:
        models = {"model": "m", "embedding_model": "e", "embedding_dimensions": 16, "prices": PRICES}
        given = {"base_url": self.provider.url, **models, **openai}
        return Settings.model_validate({"provider": "openai", "openai": given}).open()

    def __call__(self, stories: list[str], chunk: Any = FakeChunk, **openai: Any) -> FakeChunk:
        ctx: FakeChunk = chunk(len(stories), db=self.conn, services={"ai": self.analyst(**openai)})
        embed_story([EmbedStory(story_id=uuid.UUID(one)) for one in stories], ctx)
        return ctx

    def stories(self, count: int) -> list[str]:
        return add_stories(self.conn, count)

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return execute(self.conn, sql, *params)

    def embedded(self) -> set[str]:
        return {row[0] for row in self.rows("SELECT story_id::text FROM story_embeddings")}


@pytest.fixture
def embed(conn: Connection, provider: Provider) -> Embedding:
    return Embedding(conn, provider)


def test_one_request_embeds_all_and_each_job_is_told_its_share_of_the_cost(embed: Embedding) -> None:
    stories = embed.stories(12)
    with mock.patch.object(SQL, "execute", wraps=SQL.execute) as execution:
        ctx = embed(stories)
    named = Counter(call.args[1] for call in execution.call_args_list)
    assert (named["ai_call_begin"], named["ai_call_settle"]) == (1, 1)
    assert embed.provider.calls == {"/embeddings": 1}
    assert embed.embedded() == set(stories)
    assert all(job.output.items() >= {"outcome": "embedded", "model": "e@16"}.items() for job in ctx.jobs)
    assert embed.rows("SELECT sum(input_tokens) FROM ai_calls") == [(120,)]
    costs = dict(embed.rows("SELECT job_id::text, cost_usd FROM ai_calls"))
    assert costs == {str(job.job_id): job.cost for job in ctx.jobs}
    stored = (
        "SELECT s.title, (e.embedding::real[])[1:16] FROM story_embeddings AS e JOIN stories AS s ON s.id = e.story_id"
    )
    assert dict(embed.rows(stored)) == {f"Story {at}": vector(at) for at in range(1, 13)}
    embed(stories)
    assert embed.provider.calls == {"/embeddings": 1}, "remembered"


def test_while_the_model_rests_no_call_of_a_chunk_has_begun(embed: Embedding) -> None:
    stories = embed.stories(4)
    embed(stories[:2])
    waiting.note(embed.conn, waiting.model("e"), timedelta(hours=1), "429")
    with pytest.raises(Defer, match="model/e is left alone"):
        embed(stories)
    assert scalar(embed.conn, "SELECT count(*) FROM ai_calls") == 2
    embed(stories[:2])
    assert embed.provider.calls == {"/embeddings": 1}, "remembered answers need no model"


def test_a_story_left_out_or_gone_or_an_odd_vector_fails_alone(embed: Embedding, model_server: ModelServer) -> None:
    embed.provider.leaves_out = True
    # One of these stories is story 97, for which the provider returns no vector.
    stories = [*embed.stories(100)[94:99], str(uuid.uuid4())]
    ctx = embed(stories)
    assert embed.embedded() == {*stories[:2], *stories[3:5]}
    assert [job.completed for job in ctx.jobs] == [True, True, False, True, True, False]
    assert "the embedding answer has no vector" in str(ctx.settled[2])
    assert "expected a story with text, got none" in str(ctx.settled[5])
    vectors = [{"index": at, "embedding": [number] * 16} for at, number in enumerate((1.0, 1e39, 1e-60))]
    model_server.script.append(answer(body={"model": "e", "data": vectors}))
    ctx = embed(stories[:2] + stories[3:4], base_url=model_server.url, cache=False)
    assert [job.completed for job in ctx.jobs] == [True, False, True]
    assert "numbers that are none" in str(ctx.settled[1])


def test_a_text_that_spoils_a_request_is_found_by_halves(embed: Embedding) -> None:
    embed.provider.spoils = 9
    assert list(embed(embed.stories(16)).settled) == [8]
    assert len(embed.embedded()) == 15
    assert embed.provider.calls["/embeddings"] == 9
    assert max(embed.provider.texts.values()) == 1, "no text is paid twice"
    assert scalar(embed.conn, "SELECT count(*) FROM ai_calls WHERE settled_at IS NULL") == 0


def test_a_story_that_fails_raises_no_alert_while_its_event_changes(embed: Embedding, other_conn: Connection) -> None:
    embed.provider.leaves_out = True
    story = embed.stories(97)[96]
    execute(other_conn, "BEGIN")
    clusters.hold(other_conn, [uuid.UUID(story)])
    execute(embed.conn, "SET lock_timeout = '50ms'")
    with pytest.raises(LockNotAvailable):
        embed([story])


def test_an_example_raises_the_score_and_words_are_left_to_the_analysis(embed: Embedding) -> None:
    example, story = embed.stories(2)
    embed([example])
    shifts = []
    for interest in (Interest(more=("story",)), Interest(like=(uuid.UUID(example),))):
        others = {"analyze-story": EventSettings(interests=Interests(teams={"all": interest}))}
        embed([story], partial(FakeChunk, others={**others, "score-relevance": RelevanceSettings()}))
        shifts.append(embed.rows("SELECT shift::float FROM team_scores WHERE story_id = %s", story))
    assert shifts == [[], [(1.0,)]]
    ctx = embed([story], partial(FakeChunk, others={"analyze-story": Selection()}))
    assert ctx.jobs[0].completed, "settings of somebody's own handler stop no embedding"


class Cancelled(FakeChunk):
    """The second job of this chunk is cancelled during the request."""

    def add_costs(self, *args: Any) -> None:
        super().add_costs(*args)
        self.jobs[1].transaction = mock.Mock(side_effect=ClaimLost("job 1 is no longer ours"))  # type: ignore[method-assign]
        raise ClaimLost("job 1 is no longer ours")


def test_a_cancelled_job_leaves_the_others_their_embeddings_and_the_model_its_rest(
    embed: Embedding, model_server: ModelServer
) -> None:
    stories = embed.stories(3)
    for is_kept in (True, False):
        ctx = embed(stories, Cancelled, cache=is_kept)
        assert (ctx.jobs[0].completed, ctx.jobs[2].completed) == (True, True)
        assert {stories[0], stories[2]} <= embed.embedded()
        embed.rows("DELETE FROM story_embeddings")
    model_server.script.append(answer(429, {"Retry-After": "600"}, {}))
    with pytest.raises(Defer):
        embed(stories, Cancelled, base_url=model_server.url, cache=False)
    assert scalar(embed.conn, "SELECT count(*) FROM rests") == 1


@pytest.mark.parametrize(
    ("status", "outcome", "cost"), [(503, "failed", 0), (200, "invalid", None)], ids=["refused", "without vectors"]
)
def test_a_reply_is_the_verdict_on_all(
    embed: Embedding, model_server: ModelServer, status: int, outcome: str, cost: float | None
) -> None:
    model_server.script.append(answer(status, content="I think that it matters."))
    with pytest.raises(Retry, match="no vectors" if cost is None else "503"):
        embed(embed.stories(5), base_url=model_server.url)
    calls = embed.rows("SELECT outcome, CASE WHEN cost_usd = 0 THEN 0 END FROM ai_calls")
    assert calls == [(outcome, cost)] * 5


def test_an_analysis_leaves_its_embedding_to_embed_story_unless_a_person_waits(embed: Embedding, analyse: Any) -> None:
    (story,) = embed.stories(1)

    def left(trigger: str) -> list[Any]:
        sent = analyse(story, trigger, ai=embed.analyst()).sent
        return [one.payload for one in sent if one.task == "embed-story"]

    assert left("auto") == [{"story_id": story}]
    assert embed.rows("SELECT analysis_state FROM story_overlays") == [("completed",)]
    assert (embed.provider.calls["/embeddings"], embed.embedded()) == (0, set())
    assert left("manual") == []
    assert embed.provider.calls["/embeddings"] == len(embed.embedded()) == 1


def test_stories_of_one_chunk_join_their_event_and_an_alert_tells_it_once(embed: Embedding, analyse: Any) -> None:
    stories = embed.stories(3)
    embed.rows("UPDATE stories SET published_at = zeke_jobs.now(), created_at = zeke_jobs.now() + interval '1 minute'")
    embed.rows("INSERT INTO alerts (name, query, words, sources, receivers) VALUES ('all', '', '', '{}', '{phone}')")
    for story in stories:
        ctx = analyse(story, ai=embed.analyst())
        assert "deliver-alert" not in {one.task for one in ctx.sent}, "its event is not known yet"
    ctx = embed(stories)
    assert [job.output["same_event"] for job in ctx.jobs] == [0, 1, 2]
    assert embed.rows("SELECT count(DISTINCT cluster_id), count(cluster_id) FROM stories") == [(1, 3)]
    assert [[one.task for one in job.sent] for job in ctx.jobs] == [["deliver-alert"], [], []]
    # A story that is embedded but not analysed yet can already join an event.
    embed.rows("DELETE FROM stories")
    first, _, second = embed.stories(3)  # The vectors of stories 1 and 3 are near each other.
    embed.rows("UPDATE stories SET published_at = zeke_jobs.now()")
    embed([first])
    for story in (second, first):
        analyse(story, "manual", ai=embed.analyst())
        of_both = "SELECT count(DISTINCT cluster_id), count(cluster_id) FROM stories WHERE id = ANY (%s::uuid[])"
        assert embed.rows(of_both, [first, second]) == [(1, 2)]


@pytest.mark.acceptance
@pytest.mark.timeout(120)
def test_the_pipeline_embeds_in_chunks_whatever_is_refused(database: str, embed: Embedding, tmp_path: Path) -> None:
    provider = embed.provider
    provider.refuses, provider.leaves_out = (lambda call: call % 7 == 0), True
    stories = embed.stories(100)
    quick = {"retry": {"limit": 8, "delay": "100ms"}}
    tasks = {"embed-story": {"chunk": {"size": 10, "wait": "5s"}, **quick}, "analyze-story": quick}
    with fleet(tmp_path, database) as workers:
        workers.configure(jobs_yaml(provider.url, tasks, openai={"embedding_model": "e"}))
        workers.workers(processes=2, threads=4)
        workers.ready(embed.conn, 2)
        zeke_jobs.send_many("analyze-story", [{"story_id": story} for story in stories])
        eventually(lambda: scalar(embed.conn, UNFINISHED) == 0, 90, workers)
    assert scalar(embed.conn, "SELECT count(*) FROM story_overlays WHERE analysis_state = 'completed'") == 100
    assert scalar(embed.conn, "SELECT count(*) FROM story_embeddings WHERE model_version = 'e@16'") == 99
    failed = embed.rows("SELECT name, data ->> 'story_id' FROM zeke_jobs.job WHERE state = 'failed'")
    assert failed == [("embed-story", stories[97 - 1])]
    assert max(provider.texts.values()) == 1
    assert provider.calls["/embeddings"] <= 14
