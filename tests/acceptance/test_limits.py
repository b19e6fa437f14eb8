"""Three workers together obey rates (also per key and of units), throttling and breakers, as rows of the handlers prove.

``ZEKE_TEST_DEEP=1`` lets each test run for minutes; ``ZEKE_TEST_SEED`` repeats a run's random choices.
"""

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.fleet import Fleet, eventually, query, scalar

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
LENGTH = 600.0 if DEEP else 10.0  # The load lasts LENGTH seconds.
PROCESSES = 3
#: A handler notes its time at most ROW seconds after its start, even on a busy machine.
ROW = 0.1

pytestmark = pytest.mark.timeout(1200 if DEEP else 240)

JOBS_YAML = """
    version: 1
    limits:
      ai: {tokens: {rate: 600/s}}
    defaults: {retry: {limit: 30, delay: 10ms}}
    tasks:
      rated: {handler: "H:measured", rate: 20/s}
      paced: {handler: "H:measured", rate: {limit: 10/s, burst: 4}}
      polite: {handler: "H:measured", rate: {per_key: 2/s}}
      weighted: {handler: "H:measured", uses: [ai], units: {tokens: 60}}
"""
#: Each task has the promised amount per second, how much a job may exceed it, and the least share to reach.
#: A short run on a busy machine gets a lower bound; after its burst of 4, six of ten paced jobs a second are spaced.
PROMISED = {
    "rated": (20, 0, 0.98 if DEEP else 0.85),
    "paced": (10, 0, 0.6),
    "polite": (2, 0, 0.98 if DEEP else 0.85),
    "weighted": (600, 60, 0.98 if DEEP else 0.85),
}
#: The query returns the most in any window, and the amount a second from one time to another, of each task and polite key.
REACHED = """
WITH begun AS (
  SELECT task, CASE task WHEN 'polite' THEN key END AS key, greatest(tokens, 1) AS amount, at FROM start
), summed AS (
  SELECT *, sum(amount) OVER (PARTITION BY task, key ORDER BY at RANGE %s PRECEDING) AS within FROM begun
)
SELECT task, key, max(within), coalesce(sum(amount) FILTER (WHERE at BETWEEN to_timestamp(%s) AND to_timestamp(%s)), 0)::float8
FROM summed GROUP BY 1, 2"""


def test_what_is_promised_is_never_exceeded_and_almost_reached(fleet: Fleet, conn: Connection) -> None:
    query(conn, "CREATE TABLE start (job uuid, task text, key text, tokens integer, at timestamptz)")
    chance = random.Random(int(os.environ.get("ZEKE_TEST_SEED", "1")))
    fleet.serve(JOBS_YAML, conn, commands=PROCESSES, threads=6)
    many = int(LENGTH * 45)  # More jobs of each kind are sent than can start.
    zeke_jobs.send_many("rated", [{"seconds": chance.choice([0, 0, 0.05])} for _ in range(many)])
    zeke_jobs.send_many("paced", [{} for _ in range(many // 2)])
    zeke_jobs.send_many("polite", [{} for _ in range(many // 2)], keys=[f"k{n % 4}" for n in range(many // 2)])
    for tokens in (chance.randint(20, 60) for _ in range(many // 2)):
        zeke_jobs.send("weighted", {"tokens": tokens}, units={"tokens": tokens})
    begin = time.time() + 2.0
    time.sleep(LENGTH + 2.0)
    found = query(conn, REACHED, timedelta(seconds=1.0 - ROW), begin, begin + LENGTH - 0.5)
    assert {task for task, *_ in found} == PROMISED.keys()
    assert len(found) == 3 + 4
    for task, key, most, amount in found:
        promised, beyond, least = PROMISED[task]
        share = amount / (LENGTH - 0.5) / promised
        assert most <= promised + beyond, (task, key)
        assert share >= least, (task, key, share)


class Provider(Loopback):
    """The provider admits ``most`` tokens in any ``window`` seconds; while ``down`` is true, it answers 503."""

    def __init__(self, most: int, window: float) -> None:
        self.most, self.window, self.down = most, window, False
        # Each call has its time, its tokens, and the status of the answer.
        self.calls: list[tuple[float, int, int]] = []
        self._lock = threading.Lock()
        super().__init__()

    def respond(self, asked: Asked) -> Answer:
        tokens, now = json.loads(asked.body)["tokens"], time.monotonic()
        with self._lock:
            taken = [(at, used) for at, used, status in self.calls if status == 200 and at > now - self.window]
            if self.down:
                answer = Answer(status=503)
            elif sum(used for _, used in taken) + tokens > self.most:
                answer = Answer(status=429, headers={"Retry-After": f"{taken[0][0] + self.window - now:.3f}"})
            else:
                answer = Answer()
            self.calls.append((now, tokens, answer.status))
        time.sleep(0.05 if answer.status == 200 else 0)
        return answer


@pytest.fixture
def provider() -> Iterator[Provider]:
    # The provider allows 90,000 tokens a minute, or in a short run 15,000 tokens in ten seconds.
    found = Provider(90_000, 60.0) if DEEP else Provider(15_000, 10.0)
    yield found
    found.close()


def test_a_provider_refuses_hardly_a_call_and_is_used(fleet: Fleet, conn: Connection, provider: Provider) -> None:
    chance = random.Random(3)
    # The tokens used may exceed a rate by one job's tokens. A rate per second counts a second as 1.025 s, which leaves
    # room for them within the ten seconds of a short run; a rate per minute counts a minute as 60.3 s.
    rate = "90000/m" if DEEP else "1500/s"
    # A job uses 150 tokens on average; one task estimates twice as many, the other task half as many.
    tasks = f"""
        version: 1
        limits:
          ai: {{concurrency: 12, tokens: {{rate: {rate}}}}}
        tasks:
          high: {{handler: "H:asking", uses: [ai], units: {{tokens: 300}}}}
          low: {{handler: "H:asking", uses: [ai], units: {{tokens: 75}}}}
    """
    fleet.serve(tasks, conn, commands=PROCESSES, threads=6, PROVIDER=provider.url)
    windows = 3 if DEEP else 2  # The first window does not count.
    length = provider.window * (windows + 0.5)
    for task in ("high", "low"):
        zeke_jobs.send_many(task, [{"tokens": chance.randint(75, 225)} for _ in range(int(length * 10))])
    time.sleep(length)
    calls = provider.calls
    begin, end = (calls[0][0] + times * provider.window for times in (1, windows))
    late = [call for call in calls if begin <= call[0] < end]
    refused = sum(status == 429 for _, _, status in late) / len(late)
    used = sum(tokens for _, tokens, status in late if status == 200) / ((windows - 1) * provider.most)
    assert refused < (0.01 if DEEP else 0.03)  # Of a hundred calls, two or three may fail in one busy moment.
    assert used >= (0.95 if DEEP else 0.9)


def test_an_outage_costs_as_many_attempts_as_the_breaker_takes(
    fleet: Fleet, conn: Connection, provider: Provider
) -> None:
    tasks = """
        version: 1
        limits:
          ai: {concurrency: 6, breaker: {failures: 5, within: 1m, pause: 2s}}
        tasks:
          ask: {handler: "H:asking", uses: [ai], retry: {limit: 2, delay: 100ms}}
    """
    fleet.serve(tasks, conn, commands=PROCESSES, threads=4, PROVIDER=provider.url)
    provider.down = True
    zeke_jobs.send_many("ask", [{"tokens": 1} for _ in range(200)])
    time.sleep(300.0 if DEEP else 5.0)
    provider.down = False
    eventually(lambda: any(status == 200 for _, _, status in provider.calls), 10.0, fleet)
    eventually(lambda: not scalar(conn, "SELECT count(*) FROM zeke_jobs.queue WHERE state <> 'done'"), 60.0, fleet)
    # Five attempts fail before the breaker opens, and at that moment up to six more jobs run.
    assert scalar(conn, "SELECT sum(attempt - 1) FROM zeke_jobs.queue") <= 5 + 6
    assert scalar(conn, "SELECT count(*) FROM zeke_jobs.bucket WHERE tripped_on IS NOT NULL") == 0
