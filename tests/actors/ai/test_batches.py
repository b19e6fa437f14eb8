"""A batch costs half the price; each of its questions is asked and paid for once, whatever happens to the batch."""

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import ValidationError

import zeke_jobs
from actors.ai import Settings
from tests.actors.ai.provider import UNFINISHED, Gone, Provider, add_stories, jobs_yaml
from tests.actors.database import execute
from tests.fleet import Fleet, eventually, fleet, query, scalar
from zeke_jobs.config import load_text
from zeke_jobs.postgres.pool import connect
from zeke_jobs.testing import JobRunner, prepare

HALF, FULL = 0.001, 0.002  # An answer costs HALF in a batch, and FULL without one.
FATES = {1: "error", 2: "expired", 3: "left out", 4: "twice", 5: "junk"}
#: The keys are a batch's requests; the values say at which call of the request the workers are killed.
TURNS = {"POST files": 1, "POST batches": 1, "GET batches": 3, "GET content": 3, "GET results": 3}
ACTIVE = "SELECT count(*) FROM zeke_jobs.job WHERE state = 'active'"
WAITING = "SELECT count(*) FROM zeke_jobs.job WHERE name = 'analyze-story' AND waiting_for LIKE 'event ai-answer/%'"
DIED = f"{UNFINISHED} AND deaths > 0"
POLLS = f"{UNFINISHED} AND task = 'poll-batches'"
ASKING = "SELECT count(*) FROM zeke_jobs.job WHERE waiting_for LIKE 'event ai-batch/%'"
TASKS: dict[str, dict[str, Any]] = {
    "batch-questions": {"chunk": {"size": 100, "wait": "500ms", "by": "key"}},
    "ask-batch": {"retry": {"limit": 8, "delay": "500ms"}},
    "poll-batches": {"rate": "20/s"},
    "analyze-story": {"retry": {"limit": 8, "delay": "500ms"}, "concurrency": 8},
    "generate-brief": {"retry": {"limit": 8, "delay": "500ms"}},
    "story-summarize": {"retry": {"limit": 8, "delay": "500ms"}, "concurrency": 8},
}


def fate(number: int) -> str:
    """Return the result that a batch gives for a story's questions, such as ``ok`` or ``expired``."""
    return FATES.get(number % 20, "ok")


class Killer:
    """The killer kills all workers once during each kind of request, and then starts new workers."""

    def __init__(self, workers: Fleet, provider: Provider, processes: int) -> None:
        self.kills: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._workers, self._provider, self._processes = workers, provider, processes
        self._dead = threading.Event()
        self._lock = threading.Lock()
        provider.strike = self.strike
        self._start()

    def strike(self, step: str) -> None:
        """If a kill is due for this kind of request, kill all workers and drop the request."""
        with self._lock:
            if step == "POST batches" and self._provider.looks is None:
                return  # With Anthropic, a lost batch can only be recognised after its end.
            self._seen[step] += 1
            if self.kills[step] or self._seen[step] < TURNS.get(step, sys.maxsize):
                return
            with closing(connect(self._workers.database)) as conn:
                if scalar(conn, DIED):
                    return  # A job whose worker dies a third time would fail.
            self.kills[step] += 1
            self._workers.commands[-1].kill()
            self._dead.set()
        raise Gone

    def tend(self) -> None:
        if self._dead.is_set():
            self._dead.clear()
            self._start()

    def _start(self) -> None:
        self._workers.workers(processes=self._processes, threads=8 // self._processes)


def check_answers(conn: Connection, provider: Provider, count: int, kills: int) -> None:
    """Check that each story is analysed once, and that each answer is paid once, at the right price."""
    done = "analysis_state = 'completed' AND why_it_matters IS NOT NULL AND brief_one_liner IS NOT NULL"
    failed = query(conn, "SELECT name, error ->> 'message' FROM zeke_jobs.job WHERE state = 'failed' LIMIT 3")
    assert scalar(conn, f"SELECT count(*) FROM story_overlays WHERE {done}") == count, failed
    times = {"analyze": 1, "verify": 3, "brief": 1, "summarize": 1}
    wanted = Counter({(name, number): times[name] for name in times for number in range(1, count + 1)})
    in_batches = Counter({one: each for one, each in wanted.items() if fate(one[1]) in {"ok", "twice", "junk"}})
    alone = Counter({one: each for one, each in wanted.items() if fate(one[1]) not in {"ok", "twice"}})
    paid_alone = provider.paid - provider.halves
    assert provider.halves == in_batches
    # A question outside a batch is asked and paid for again if its worker is killed before it has the answer.
    assert alone <= paid_alone
    assert (paid_alone - alone).total() <= kills
    cost = (provider.halves.total() + 2 * alone.total()) / 1000
    assert scalar(conn, "SELECT sum(cost_usd)::float8 FROM ai_calls WHERE outcome <> 'open'") == round(cost, 6)
    for wrong in (
        "FROM ai_calls WHERE batch IS NOT NULL AND (settled_at IS NULL OR question IS NOT NULL)",
        "FROM zeke_jobs.job WHERE state NOT IN ('completed')",
    ):
        assert scalar(conn, f"SELECT count(*) {wrong}") == 0, wrong


@pytest.mark.acceptance
@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["chat", "anthropic"])
def test_each_story_is_analysed_once_and_paid_once_when_workers_are_killed_at_each_step(
    database: str, conn: Connection, tmp_path: Path, kind: str
) -> None:
    count, processes = 20, 2 if kind == "chat" else 1  # each start of a process takes seconds of CPU
    with Provider() as provider, fleet(tmp_path, database) as workers:
        provider.fate, provider.looks = fate, None
        workers.configure(jobs_yaml(provider.url, TASKS, batch=True, openai={"kind": kind}))
        killer = Killer(workers, provider, processes)
        workers.ready(conn, processes)
        stories = add_stories(conn, count)
        zeke_jobs.send_many("analyze-story", [{"story_id": story} for story in stories], connection=conn)

        def is_done(sql: str, value: int) -> bool:
            killer.tend()
            return bool(scalar(conn, sql) == value)

        eventually(lambda: is_done(WAITING, count), 120, workers)
        eventually(lambda: is_done(ACTIVE, 0) and scalar(conn, ASKING) > 0, 60, workers)
        assert is_done(WAITING, count), "jobs hold threads while their batch is open"
        provider.looks = 2 if kind == "chat" else 0

        def is_over() -> bool:
            is_end = is_done(UNFINISHED, 0)
            if not is_end and scalar(conn, POLLS) == 0:
                zeke_jobs.send("poll-batches", connection=conn)
            return is_end

        eventually(is_over, 60 + count, workers)
        check_answers(conn, provider, count, killer.kills.total())
        of_others = {"GET content", "POST files"} if kind == "anthropic" else {"GET results"}
        assert TURNS.keys() - killer.kills.keys() == of_others, "workers are killed at each step"


QUICK: dict[str, dict[str, Any]] = {
    **TASKS,
    "poll-batches": {"rate": "1000/s"},
    "generate-brief": {"paused": True},
    "story-summarize": {"paused": True},
}


class Batches:
    """The pipeline asks one question per story, in batches at half price; verification is off, and briefs are paused."""

    def __init__(self, conn: Connection, database: str, provider: Provider) -> None:
        self.conn, self._database, self.provider = conn, database, provider
        self.runners = list[JobRunner]()
        provider.looks = 0

    def runner(self, kind: str = "chat", *, paused: bool = False, **ai: Any) -> JobRunner:
        tasks = QUICK | {"batch-questions": {"chunk": {"size": 100, "wait": "1ms", "by": "key"}, "paused": paused}}
        openai = {"kind": kind, "verify": False, **ai.pop("openai", {})}
        text = jobs_yaml(self.provider.url, tasks, **{"batch": True, **ai}, openai=openai)
        prepare(self._database, config := load_text(text, "jobs.yaml"))
        self.runners.append(JobRunner(config, self._database))
        return self.runners[-1]

    def asked(self, count: int, kind: str = "chat") -> list[Any]:
        """Start jobs, and leave them waiting for a batch that does not exist yet; return their ids."""
        paused = self.runner(kind, paused=True)
        jobs = zeke_jobs.send_many("analyze-story", [{"story_id": one} for one in add_stories(self.conn, count)])
        paused()
        assert scalar(self.conn, WAITING) == count
        return [one.id for one in jobs]

    def polled(self, run_jobs: JobRunner | None = None, *, waits: bool = True) -> zeke_jobs.Job:
        """Create the batch if necessary, and poll until its end is seen; return the job that polled."""
        run_jobs = run_jobs or self.runner()
        run_jobs()
        poll = zeke_jobs.send("poll-batches")
        run_jobs(raises=False, waits=waits)
        return zeke_jobs.status(poll.id)

    def costs(self) -> list[tuple[Any, ...]]:
        stored = "SELECT outcome, cost_usd::float8 FROM ai_calls WHERE operation = 'analyze' ORDER BY 1, 2"
        return execute(self.conn, stored)

    def completed(self) -> int:
        return int(scalar(self.conn, "SELECT count(*) FROM story_overlays WHERE analysis_state = 'completed'"))


@pytest.fixture
def batches(conn: Connection, database: str, provider: Provider) -> Iterator[Batches]:
    yield (made := Batches(conn, database, provider))
    for runner in made.runners:
        runner.close()


def test_an_answer_costs_half_for_the_ledger_and_for_its_job(batches: Batches) -> None:
    jobs = batches.asked(3)
    batches.polled()
    assert batches.completed() == 3
    assert batches.costs() == [("ok", HALF)] * 3
    assert [float(zeke_jobs.status(job).cost or 0) for job in jobs] == [HALF] * 3
    (batch,) = batches.provider.batches
    assert batch["metadata"] == {"zeke_job": str(scalar(batches.conn, "SELECT DISTINCT batch FROM ai_calls"))}
    calls = scalar(batches.conn, "SELECT array_agg(id::text) FROM ai_calls")
    again = zeke_jobs.send("ask-batch", {"call_ids": calls})
    batches.runner()()
    assert zeke_jobs.status(again.id).output == {"outcome": "nothing_to_ask", "asked": 0, "answered": 0}
    assert len(batches.provider.batches) == 1


@pytest.mark.parametrize("kind", ["chat", "anthropic"])
@pytest.mark.parametrize("others", [False, True])
def test_a_batch_whose_creation_nobody_recorded_is_found_again(batches: Batches, kind: str, others: bool) -> None:
    batches.asked(1, kind)
    provider, lost = batches.provider, list[str]()

    def lose(step: str) -> None:
        if step == "POST batches" and not lost:
            lost.append(step)
            if others:
                foreign(provider, kind)
            raise Gone

    provider.strike, provider.looks = lose, 1
    for hours in (1, 2, 3):
        zeke_jobs.send("poll-batches", delay=3600 * hours)
    batches.runner(kind)(waits=False)
    assert lost
    assert len(provider.batches) == 1 + others
    assert batches.completed() == 1
    assert provider.paid["analyze", 1] == 1


def foreign(provider: Provider, kind: str) -> None:
    """Add an ended batch of another program with the same account."""
    provider._files["batch_theirs"] = b'{"custom_id": "a", "response": null, "result": {"type": "expired"}}'
    of_openai = {"status": "completed", "metadata": {"zeke_job": "another"}, "output_file_id": "batch_theirs"}
    of_anthropic = {"processing_status": "ended", "created_at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"}
    provider.batches.insert(0, {"id": "batch_theirs", **(of_openai if kind == "chat" else of_anthropic)})


def test_a_batch_that_never_ends_is_cancelled_and_its_questions_are_asked_alone(batches: Batches) -> None:
    batches.provider.looks = None
    batches.asked(3)
    for hours in (25, 26.5):  # The second poll finds a cancelled batch.
        zeke_jobs.send("poll-batches", delay=hours * 3600)
    batches.runner()(waits=False)
    assert batches.provider.calls["/batches/batch_0/cancel"] == 1
    assert batches.completed() == 3
    assert batches.costs() == [("failed", 0.0)] * 3 + [("ok", FULL)] * 3
    assert max(batches.provider.paid.values()) == 1


@pytest.mark.parametrize("what", ["the batch expires", "there are no batches", "nothing is said at all"])
def test_what_no_batch_answers_is_asked_alone(batches: Batches, what: str) -> None:
    if what == "the batch expires":
        batches.provider.fate = lambda _: "expired"
    batches.provider.has_batches = what != "there are no batches"
    batches.asked(2)
    if what == "nothing is said at all":
        batches.runner()(waits=False)  # No job polls the batch.
    else:
        batches.polled()
    assert batches.completed() == 2
    assert batches.costs() == [("failed", 0.0)] * 2 + [("ok", FULL)] * 2
    expired = scalar(batches.conn, "SELECT count(*) FROM ai_calls WHERE detail = 'it expired'")
    assert expired == (2 if what == "the batch expires" else 0)


def test_answers_of_open_batches_are_used_after_batch_is_false(batches: Batches) -> None:
    batches.asked(2)
    batches.runner()()
    without = batches.polled(batches.runner(provider="local", batch=False))
    assert without.output == {"outcome": "polled", "open": 1, "ended": 0}, "it has no batches"
    batches.polled(batches.runner(batch=False))
    assert batches.completed() == 2
    assert batches.costs() == [("ok", HALF)] * 2
    assert len(batches.provider.batches) == 1


@pytest.mark.parametrize("is_asked", [False, True])
def test_the_question_of_a_cancelled_job_leaves_the_batch_or_is_paid(batches: Batches, is_asked: bool) -> None:
    jobs = batches.asked(2)
    if is_asked:
        batches.runner()()
    zeke_jobs.cancel(jobs[0])
    batches.polled()
    assert batches.completed() == 1
    assert [batches.provider.paid["analyze", number] for number in (1, 2)] == [is_asked, 1]
    assert batches.costs() == [("ok", HALF) if is_asked else ("failed", 0.0), ("ok", HALF)]


def test_the_question_for_an_event_is_asked_and_paid_once_in_a_batch(batches: Batches) -> None:
    first, *_, last = add_stories(batches.conn, 15)  # Their vectors have a cosine of .63.
    execute(batches.conn, "UPDATE stories SET published_at = zeke_jobs.now()")
    run_jobs = batches.runner(openai={"embedding_model": "e"})
    zeke_jobs.send_many("analyze-story", [{"story_id": first}, {"story_id": last}])
    for _ in range(2):  # First a batch has the analyses, then the question.
        batches.polled(run_jobs)
    provider = batches.provider
    assert provider.halves["same_event", 15] + provider.halves["same_event", 1] == 1
    assert provider.paid == provider.halves
    unfinished = "SELECT count(*) FROM zeke_jobs.job WHERE name = 'analyze-story' AND state <> 'completed'"
    assert scalar(batches.conn, unfinished) == 0


def test_one_list_is_the_poll_of_all_open_batches(batches: Batches) -> None:
    run_jobs, provider = batches.runner(), batches.provider
    for story in add_stories(batches.conn, 3):
        zeke_jobs.send("analyze-story", {"story_id": story})
        run_jobs()
    assert len(provider.batches) == provider.calls["/batches"] == 3
    batches.polled(run_jobs)
    assert batches.completed() == 3
    assert provider.calls["/batches"] == 4


def test_jobs_go_on_with_another_provider_and_a_person_who_waits_waits_for_no_batch(batches: Batches) -> None:
    batches.asked(1)
    batches.runner(provider="local", batch=False)()
    assert batches.provider.batches == []
    assert execute(batches.conn, "SELECT analysis_state FROM story_overlays") == [("extractive",)]
    ((story,),) = execute(batches.conn, "SELECT story_id FROM story_overlays")
    zeke_jobs.send("analyze-story", {"story_id": story, "trigger": "manual"})
    batches.runner()()
    assert batches.completed() == 1
    assert ("ok", FULL) in batches.costs()


@pytest.mark.parametrize("kind", ["chat", "anthropic"])
def test_lists_and_results_may_have_any_form(batches: Batches, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    batches.asked(1, kind)
    run_jobs = batches.runner(kind)
    odd = [5, {"id": [1]}, {"id": "batch_0", "status": [], "processing_status": {}}]
    pages: list[Any] = [{}, {"data": 5}, {"data": odd}, []]
    for page in pages:
        with monkeypatch.context() as lying:
            lying.setattr(batches.provider, "_list", lambda _, page=page: page)
            poll = batches.polled(run_jobs)
        assert poll.status == "retry" if page == [] else poll.output == {"outcome": "polled", "open": 1, "ended": 0}
    call = str(scalar(batches.conn, "SELECT id FROM ai_calls"))
    lines: list[dict[str, Any]] = [
        {},
        {"custom_id": [], "response": 7, "result": 7},
        {"custom_id": call, "response": {"status_code": 200, "body": []}},
        {"custom_id": call, "response": [], "result": {"type": "succeeded", "message": "\0"}, "error": {"message": []}},
    ]
    monkeypatch.setattr(batches.provider, "_lines", lambda *_: lines)
    batches.polled(run_jobs)
    assert batches.completed() == 1
    assert batches.costs() == [("failed", 0.0), ("ok", FULL)]


def test_an_answer_no_database_takes_is_paid_and_asked_anew(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    batches.asked(1)
    good = batches.provider._completed
    monkeypatch.setattr(batches.provider, "_completed", lambda asked: {**good(asked), "id": "\0"})
    batches.polled(waits=False)
    assert batches.completed() == 1
    assert [outcome for outcome, _ in batches.costs()] == ["invalid", "ok"]
    assert batches.costs()[0][1] == HALF


def test_batches_need_a_provider_and_remembered_answers() -> None:
    for ai in ({}, {"provider": "openai", "openai": {"model": "m", "cache": False}}):
        with pytest.raises(ValidationError, match="expected provider: openai, with cache: true, where batch is true"):
            Settings.model_validate({"batch": True, **ai})
