"""Jobs in chunks get embeddings from a provider that fails calls and texts, while workers are killed during calls."""

import json
import os
import signal
import threading
import time
from contextlib import closing
from typing import Any

from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.lab.chaos.handlers import PROVIDER
from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.world import Kept, World
from zeke_jobs import send_many
from zeke_jobs.postgres.pool import connect

_SEVENTH = 7
_REFUSED = 97  # The provider refuses each text whose number is a multiple of 97.
_ENDED = "SELECT count(*) FROM zeke_jobs.queue WHERE task = 'embed' AND state IN ('done', 'rejected')"
_HELD = """SELECT q.message_id::text FROM zeke_jobs.queue AS q JOIN zeke_jobs.worker AS w ON w.id = q.worker
  WHERE q.state = 'consumed' AND w.pid = ANY (%s)"""
_ROWS = """SELECT q.message_id::text, (q.message #>> '{kwargs,n}')::integer, q.state::text, q.result,
    (SELECT count(*) FROM jsonb_array_elements(q.attempts) AS a WHERE a ->> 'outcome' = 'died')
  FROM zeke_jobs.queue AS q WHERE q.task = 'embed'"""


class Provider(Loopback):
    """The provider counts its calls, and refuses every seventh call and some single texts."""

    def __init__(self) -> None:
        self.calls = 0
        self.seconds = 0.5
        self._lock = threading.Lock()
        super().__init__()

    def respond(self, asked: Asked) -> Answer:
        found = self.answer(json.loads(asked.body))
        return Answer(json.dumps(found), 503 if found is None else 200)

    def answer(self, texts: list[int]) -> list[Any] | None:
        """Return a vector for each text and None for a refused text, or None if the call fails."""
        with self._lock:
            self.calls += 1
            is_refused = self.calls % _SEVENTH == 0
        time.sleep(self.seconds)
        return None if is_refused else [None if n % _REFUSED == 0 else [n, n / 2] for n in texts]


def chunks(*, quick: bool) -> Outcome:
    count = 200 if quick else 2_000
    with Provider() as provider, World("chunks", quick=quick, kinds={}) as here:
        both = here.two(**{PROVIDER: provider.url})
        here.join()
        deaths = _kill(here, both, count, provider)
        said = f"each job has its own outcome and deaths, {sum(deaths.values())} of {len(deaths)} jobs"
        here.promise(said, _is_right(here, deaths))
        here.drain()
        said = f"{provider.calls} calls for {count} texts, every seventh refused, with {len(deaths)} jobs killed"
        return here.outcome("workers are killed in the middle of calls", after_share=None, note=said)


def _send(here: World, count: int) -> None:
    with closing(connect(here.url)) as conn:
        conn.autocommit = True
        for begin in range(1, count + 1, 1_000):
            texts = [{"n": n, "plain": True} for n in range(begin, min(begin + 1_000, count + 1))]
            here.traffic.ledger |= {str(one.id) for one in send_many("embed", texts, connection=conn)}


def _kill(here: World, both: list[Kept], count: int, provider: Provider) -> dict[str, int]:
    """Kill three times a worker that holds chunks. Return how many deaths were counted for each job that it held."""
    deaths = dict[str, int]()
    _send(here, count)
    for _ in range(3):
        here.until(lambda: any(here.rows(_HELD, kept.pids()) for kept in both), 60, "a chunk")
        kept = next(kept for kept in both if here.rows(_HELD, kept.pids()))
        os.killpg(kept.command.pid, signal.SIGSTOP)
        time.sleep(0.5)  # The statements that the worker has sent are finished by then.
        for (job,) in here.rows(_HELD, kept.pids()):
            deaths[job] = deaths.get(job, 0) + 1
        here.kill(kept)
        here.join()
    provider.seconds = 0.01
    here.until(lambda: here.look(_ENDED) == count, 200, "the ends")
    return deaths


def _is_right(here: World, deaths: dict[str, int]) -> bool:
    """Say whether each job ended as its text requires after its deaths; the third death fails the job."""
    return all(
        died == deaths.get(job, 0)
        and (state, result) in (("rejected", None) if died == 3 or n % _REFUSED == 0 else (), ("done", [n, n / 2]))
        for job, n, state, result, died in here.rows(_ROWS)
    )
