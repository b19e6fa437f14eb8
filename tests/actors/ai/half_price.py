"""Workers use batches that end late, in part or with errors, and all workers are killed at each step of a batch."""

import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from tests.actors.ai.provider import Gone, Provider
from tests.actors.ai.stories import UNFINISHED, add_stories, jobs_yaml
from tests.fleet import Fleet, eventually, fleet, query, scalar
from zeke_jobs import send, send_many
from zeke_jobs.postgres.pool import connect

FATES = {1: "error", 2: "expired", 3: "left out", 4: "twice", 5: "junk"}
#: The keys are a batch's requests; the values say at which call of the request the workers are killed.
TURNS = {"POST files": 1, "POST batches": 1, "GET batches": 3, "GET content": 3, "GET results": 3}
_ACTIVE = "SELECT count(*) FROM zeke_jobs.job WHERE state = 'active'"
_WAITING = "SELECT count(*) FROM zeke_jobs.job WHERE name = 'analyze-story' AND waiting_for LIKE 'event ai-answer/%'"
_DIED = f"{UNFINISHED} AND deaths > 0"
_POLLS = f"{UNFINISHED} AND task = 'poll-batches'"
_ASKING = "SELECT count(*) FROM zeke_jobs.job WHERE waiting_for LIKE 'event ai-batch/%'"
TASKS: dict[str, dict[str, Any]] = {
    "batch-questions": {"chunk": {"size": 100, "wait": "500ms", "by": "key"}},
    "ask-batch": {"retry": {"limit": 8, "delay": "500ms"}},
    "poll-batches": {"rate": "20/s"},
    "analyze-story": {"retry": {"limit": 8, "delay": "500ms"}, "concurrency": 8},
    "generate-brief": {"retry": {"limit": 8, "delay": "500ms"}},
    "story-summarize": {"retry": {"limit": 8, "delay": "500ms"}, "concurrency": 8},
}


def fate(number: int) -> str:
    """Say how the questions about a story end in a batch."""
    return FATES.get(number % 20, "ok")


class Killer:
    """The killer kills all workers once during each kind of request, and starts new workers."""

    def __init__(self, workers: Fleet, provider: Provider) -> None:
        self.kills: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self._workers = workers
        self._provider = provider
        self._dead = threading.Event()
        self._lock = threading.Lock()
        provider.strike = self.strike
        self._start()

    def strike(self, step: str) -> None:
        """Kill all workers during this request, if a kill during this kind of request is due."""
        with self._lock:
            if step == "POST batches" and self._provider.looks is None:
                return  # With Anthropic, a lost batch can only be recognised after its end.
            self._seen[step] += 1
            if self.kills[step] or self._seen[step] < TURNS.get(step, sys.maxsize):
                return
            with closing(connect(self._workers.database)) as conn:
                if scalar(conn, _DIED):
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
        self._workers.workers(processes=2, threads=4)


def run(url: str, conn: Connection, folder: Path, *, count: int, kind: str) -> tuple[str, list[str]]:
    """Analyse stories at half the price; return the result and the faults."""
    with Provider() as provider, fleet(folder / kind, url) as workers:
        provider.fate, provider.looks = fate, None
        workers.configure(jobs_yaml(provider.url, TASKS, batch=True, openai={"kind": kind}))
        killer = Killer(workers, provider)
        workers.ready(conn, 2)
        stories = add_stories(conn, count)
        send_many("analyze-story", [{"story_id": story} for story in stories], connection=conn)

        def is_done(sql: str, value: int) -> bool:
            killer.tend()
            return bool(scalar(conn, sql) == value)

        eventually(lambda: is_done(_WAITING, count), 120, workers)
        eventually(lambda: is_done(_ACTIVE, 0) and scalar(conn, _ASKING) > 0, 60, workers)
        wrong = [] if is_done(_WAITING, count) else ["jobs hold threads while their batch is open"]
        provider.looks = 2 if kind == "chat" else 0

        def is_over() -> bool:
            is_end = is_done(UNFINISHED, 0)
            if not is_end and scalar(conn, _POLLS) == 0:
                send("poll-batches", connection=conn)
            return is_end

        eventually(is_over, 60 + count, workers)
        wrong += faults(conn, provider, count, killer.kills.total())
        asked = scalar(conn, "SELECT count(*) FROM ai_calls WHERE batch IS NOT NULL")
        said = f"{len(provider.batches)} batches with {asked} questions, killed at {dict(killer.kills)}"
        of_others = {"GET content", "POST files"} if kind == "anthropic" else {"GET results"}
        missing = TURNS.keys() - killer.kills.keys() - of_others
        return said, wrong + [f"no kill at {one}" for one in sorted(missing)]


def faults(conn: Connection, provider: Provider, count: int, kills: int) -> list[str]:
    """Describe all faults of stories, payments and the ledger."""
    wrong = []
    done = "analysis_state = 'completed' AND why_it_matters IS NOT NULL AND brief_one_liner IS NOT NULL"
    analysed = scalar(conn, f"SELECT count(*) FROM story_overlays WHERE {done}")
    if analysed != count:
        failed = query(conn, "SELECT name, error ->> 'message' FROM zeke_jobs.job WHERE state = 'failed' LIMIT 3")
        wrong.append(f"{analysed} of {count} stories are analysed and have a brief; failed: {failed}")
    times = {"analyze": 1, "verify": 3, "brief": 1, "summarize": 1}
    wanted = Counter({(name, number): times[name] for name in times for number in range(1, count + 1)})
    in_batches = Counter({one: each for one, each in wanted.items() if fate(one[1]) in {"ok", "twice", "junk"}})
    alone = Counter({one: each for one, each in wanted.items() if fate(one[1]) not in {"ok", "twice"}})
    paid_alone = provider.paid - provider.halves
    if provider.halves != in_batches:
        wrong.append(
            f"answers in batches: {provider.halves - in_batches} too many, {in_batches - provider.halves} too few"
        )
    # If workers die during a question outside a batch, the question is asked again; this is no fault of the batch.
    if alone - paid_alone or (paid_alone - alone).total() > kills:
        wrong.append(f"answers alone: {paid_alone - alone} too many, {alone - paid_alone} too few")
    cost = (provider.halves.total() + 2 * alone.total()) / 1000
    checks = {
        "SELECT sum(cost_usd)::float8 FROM ai_calls WHERE outcome <> 'open'": round(cost, 6),
        "SELECT count(*) FROM ai_calls WHERE batch IS NOT NULL AND (settled_at IS NULL OR question IS NOT NULL)": 0,
        "SELECT count(*) FROM zeke_jobs.job WHERE state NOT IN ('completed')": 0,
    }
    wrong += [f"{sql}: {got} for {value}" for sql, value in checks.items() if (got := scalar(conn, sql)) != value]
    return wrong
