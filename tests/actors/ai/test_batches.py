"""Each question of a batch, which costs half the price, is asked and paid once, whatever happens to the batch."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import ValidationError

import zeke_jobs
from actors.ai import Settings
from tests.actors.ai.half_price import TASKS, run
from tests.actors.ai.provider import Gone, Provider
from tests.actors.ai.stories import add_stories, jobs_yaml
from tests.actors.database import execute
from tests.fleet import scalar
from zeke_jobs.config import load_text
from zeke_jobs.testing import JobRunner, prepare

HALF, FULL = 0.001, 0.002  # An answer costs HALF in a batch, and FULL without one.
WAITING = "SELECT count(*) FROM zeke_jobs.job WHERE name = 'analyze-story' AND waiting_for LIKE 'event ai-answer/%'"
QUICK: dict[str, dict[str, Any]] = {
    **TASKS,
    "poll-batches": {"rate": "1000/s"},
    "generate-brief": {"paused": True},
    "story-summarize": {"paused": True},
}


@pytest.fixture
def provider(provider: Provider) -> Provider:
    provider.looks = 0
    return provider


@pytest.fixture
def runner(database: str, provider: Provider) -> Iterator[Callable[..., JobRunner]]:
    """Make runners that ask one question per story: no answer is verified, and briefs are paused."""
    made = list[JobRunner]()

    def make(kind: str = "chat", *, paused: bool = False, **ai: Any) -> JobRunner:
        openai = {"kind": kind, "verify": False, **ai.pop("openai", {})}
        tasks = QUICK | {"batch-questions": {"chunk": {"size": 100, "wait": "1ms", "by": "key"}, "paused": paused}}
        text = jobs_yaml(provider.url, tasks, **{"batch": True, **ai}, openai=openai)
        config = load_text(text, "jobs.yaml")
        prepare(database, config)
        made.append(JobRunner(config, database))
        return made[-1]

    yield make
    for one in made:
        one.close()


def analyses(conn: Connection, count: int) -> list[Any]:
    stories = add_stories(conn, count)
    return [one.id for one in zeke_jobs.send_many("analyze-story", [{"story_id": one} for one in stories])]


def costs(conn: Connection) -> list[tuple[str, float]]:
    return execute(conn, "SELECT outcome, cost_usd::float8 FROM ai_calls WHERE operation = 'analyze' ORDER BY 1, 2")


def completed(conn: Connection) -> int:
    return int(scalar(conn, "SELECT count(*) FROM story_overlays WHERE analysis_state = 'completed'"))


def asked(conn: Connection, runner: Any, count: int, kind: str = "chat") -> list[Any]:
    """Start jobs, and leave them waiting for a batch that does not exist yet."""
    paused = runner(kind, paused=True)
    jobs = analyses(conn, count)
    paused()
    assert scalar(conn, WAITING) == count
    return jobs


def polled(run_jobs: JobRunner) -> None:
    """Create the batch if necessary, and poll until its end is seen."""
    run_jobs()
    zeke_jobs.send("poll-batches")
    run_jobs()


@pytest.mark.acceptance
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["chat", "anthropic"])
def test_each_story_is_analysed_once_and_paid_once_when_workers_are_killed_at_each_step(
    database: str, conn: Connection, tmp_path: Path, kind: str
) -> None:
    said, wrong = run(database, conn, tmp_path, count=20, kind=kind)
    assert wrong == [], said


def test_an_answer_costs_half_for_the_ledger_and_for_its_job(conn: Connection, provider: Provider, runner: Any) -> None:
    jobs = asked(conn, runner, 3)
    polled(runner())
    assert completed(conn) == 3
    assert costs(conn) == [("ok", HALF)] * 3
    assert [float(zeke_jobs.status(job).cost or 0) for job in jobs] == [HALF] * 3
    (batch,) = provider.batches
    assert batch["metadata"] == {"zeke_job": str(scalar(conn, "SELECT DISTINCT batch FROM ai_calls"))}
    again = zeke_jobs.send("ask-batch", {"call_ids": scalar(conn, "SELECT array_agg(id::text) FROM ai_calls")})
    runner()()
    assert zeke_jobs.status(again.id).output == {"outcome": "nothing_to_ask", "asked": 0, "answered": 0}
    assert len(provider.batches) == 1


@pytest.mark.parametrize("kind", ["chat", "anthropic"])
@pytest.mark.parametrize("others", [False, True])
def test_a_batch_whose_creation_nobody_recorded_is_found_again(
    conn: Connection, provider: Provider, runner: Any, kind: str, others: bool
) -> None:
    asked(conn, runner, 1, kind)
    lost = list[str]()

    def lose(step: str) -> None:
        if step == "POST batches" and not lost:
            lost.append(step)
            if others:
                foreign(provider, kind)
            raise Gone

    provider.strike, provider.looks = lose, 1
    for hours in (1, 2, 3):
        zeke_jobs.send("poll-batches", delay=3600 * hours)
    runner(kind)(waits=False)
    assert lost
    assert len(provider.batches) == 1 + others
    assert completed(conn) == 1
    assert provider.paid["analyze", 1] == 1


def foreign(provider: Provider, kind: str) -> None:
    """Create a batch of another program with the same account."""
    question = {"system": "chili", "messages": [{"role": "user", "content": "Title: Story 77"}], "model": "x"}
    given: dict[str, Any]
    if kind == "anthropic":
        given = {"requests": [{"custom_id": "a", "params": question}]}
        provider.answer("/messages/batches", {}, json.dumps(given).encode())
        return
    line = json.dumps({"custom_id": "a", "url": "/v1/chat/completions", "body": question})
    _, file = provider.answer("/files", {}, f"\r\n\r\n\r\n\r\n{line}\r\n--".encode())
    given = {
        "input_file_id": file["id"],
        "endpoint": "/v1/chat/completions",
        "metadata": {"zeke_job": "of another one"},
    }
    provider.answer("/batches", {}, json.dumps(given).encode())


def test_a_batch_that_never_ends_is_cancelled_and_its_questions_are_asked_alone(
    conn: Connection, provider: Provider, runner: Any
) -> None:
    provider.looks = None
    asked(conn, runner, 3)
    for hours in (25, 26.5):  # The second poll finds a cancelled batch.
        zeke_jobs.send("poll-batches", delay=hours * 3600)
    runner()(waits=False)
    assert provider.calls["/batches/batch_0/cancel"] == 1
    assert completed(conn) == 3
    assert costs(conn) == [("failed", 0.0)] * 3 + [("ok", FULL)] * 3
    assert max(provider.paid.values()) == 1


@pytest.mark.parametrize("what", ["the batch expires", "there are no batches", "nothing is said at all"])
def test_what_no_batch_answers_is_asked_alone(conn: Connection, provider: Provider, runner: Any, what: str) -> None:
    if what == "the batch expires":
        provider.fate = lambda _: "expired"
    provider.has_batches = what != "there are no batches"
    asked(conn, runner, 2)
    run_jobs = runner()
    if what == "nothing is said at all":
        run_jobs(waits=False)  # No job polls the batch.
    else:
        polled(run_jobs)
    assert completed(conn) == 2
    assert costs(conn) == [("failed", 0.0)] * 2 + [("ok", FULL)] * 2
    expired = scalar(conn, "SELECT count(*) FROM ai_calls WHERE detail = 'it expired'")
    assert expired == (2 if what == "the batch expires" else 0)


def test_answers_of_open_batches_are_used_after_batch_is_false(
    conn: Connection, provider: Provider, runner: Any
) -> None:
    asked(conn, runner, 2)
    runner()()
    poll = zeke_jobs.send("poll-batches")
    runner(provider="local", batch=False)()
    assert zeke_jobs.status(poll.id).output == {"outcome": "polled", "open": 1, "ended": 0}, "it has no batches"
    polled(runner(batch=False))
    assert completed(conn) == 2
    assert costs(conn) == [("ok", HALF)] * 2
    assert len(provider.batches) == 1


@pytest.mark.parametrize("is_asked", [False, True])
def test_the_question_of_a_cancelled_job_leaves_the_batch_or_is_paid(
    conn: Connection, provider: Provider, runner: Any, is_asked: bool
) -> None:
    jobs = asked(conn, runner, 2)
    if is_asked:
        runner()()
    zeke_jobs.cancel(jobs[0])
    polled(runner())
    assert completed(conn) == 1
    assert {number: provider.paid["analyze", number] for number in (1, 2)} == {1: is_asked, 2: 1}
    assert costs(conn) == [("ok", HALF) if is_asked else ("failed", 0.0), ("ok", HALF)]


def test_one_list_is_the_poll_of_all_open_batches(conn: Connection, provider: Provider, runner: Any) -> None:
    run_jobs = runner()
    for story in add_stories(conn, 3):
        zeke_jobs.send("analyze-story", {"story_id": story})
        run_jobs()
    assert len(provider.batches) == provider.calls["/batches"] == 3
    polled(run_jobs)
    assert completed(conn) == 3
    assert provider.calls["/batches"] == 4


def test_waiting_jobs_go_on_with_another_provider(conn: Connection, provider: Provider, runner: Any) -> None:
    asked(conn, runner, 1)
    runner(provider="local", batch=False)()
    assert provider.batches == []
    assert execute(conn, "SELECT analysis_state FROM story_overlays") == [("extractive",)]


@pytest.mark.parametrize("kind", ["chat", "anthropic"])
def test_a_list_of_another_form_ends_no_batch(
    conn: Connection, provider: Provider, runner: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(conn, runner, 1, kind)
    run_jobs = runner(kind)
    run_jobs()
    odd = [5, {"id": [1]}, {"id": "batch_0", "status": [], "processing_status": {}}]
    pages: list[Any] = [{}, {"data": 5}, {"data": odd}, []]
    for page in pages:
        with monkeypatch.context() as lying:
            lying.setattr(provider, "_list", lambda _, page=page: page)
            poll = zeke_jobs.send("poll-batches")
            run_jobs(raises=False)
        job = zeke_jobs.status(poll.id)
        assert job.status == "retry" if page == [] else job.output == {"outcome": "polled", "open": 1, "ended": 0}
    polled(run_jobs)
    assert completed(conn) == 1


@pytest.mark.parametrize("kind", ["chat", "anthropic"])
def test_results_of_another_form_are_no_answers(
    conn: Connection, provider: Provider, runner: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(conn, runner, 1, kind)
    call = str(scalar(conn, "SELECT id FROM ai_calls"))
    lines: list[dict[str, Any]] = [
        {},
        {"custom_id": [], "response": 7, "result": 7},
        {"custom_id": call, "response": {"status_code": 200, "body": []}},
        {"custom_id": call, "response": [], "result": {"type": "succeeded", "message": "\0"}, "error": {"message": []}},
    ]
    monkeypatch.setattr(provider, "_lines", lambda *_: lines)
    polled(runner(kind))
    assert completed(conn) == 1
    assert costs(conn) == [("failed", 0.0), ("ok", FULL)]


def test_an_answer_that_no_database_takes_is_paid_and_asked_again(
    conn: Connection, provider: Provider, runner: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked(conn, runner, 1)
    good = provider._completed
    monkeypatch.setattr(provider, "_completed", lambda asked: {**good(asked), "id": "\0"})
    run_jobs = runner()
    run_jobs()
    zeke_jobs.send("poll-batches")
    run_jobs(waits=False)
    assert completed(conn) == 1
    assert [outcome for outcome, _ in costs(conn)] == ["invalid", "ok"]
    assert costs(conn)[0][1] == HALF


def test_nobody_who_waits_for_an_answer_waits_for_a_batch(conn: Connection, provider: Provider, runner: Any) -> None:
    run_jobs = runner()
    (story,) = add_stories(conn, 1)
    zeke_jobs.send("analyze-story", {"story_id": story, "trigger": "manual"})
    run_jobs()
    assert completed(conn) == 1
    assert costs(conn) == [("ok", FULL)]


@pytest.mark.parametrize("ai", [{}, {"provider": "openai", "openai": {"model": "m", "cache": False}}])
def test_batches_need_a_provider_and_remembered_answers(ai: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="expected provider: openai, with cache: true, where batch is true"):
        Settings.model_validate({"batch": True, **ai})
