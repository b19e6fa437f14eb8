"""``nox -s endure`` sends jobs at a steady rate to real workers with the default autovacuum, and purges old jobs."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count, cycle

import yaml
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import Fleet, query
from tests.lab import server
from tests.lab.bench import ours
from tests.lab.bench.bench import working
from tests.lab.server import Server

_HEADS = ("minute", "ended a second", "not ended", "rows", "table MB", "indexes MB")
_TICK = 0.05  # A batch of jobs is sent every _TICK seconds.
#: The query returns the time, and the fields of a ``Minute`` in order.
_LOOK = """
SELECT now(),
  (SELECT count(*) FROM zeke_jobs.queue WHERE state = 'done' AND completed_on >= coalesce(%s, now()))::float8,
  (SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')),
  (SELECT count(*) FROM zeke_jobs.queue), pg_table_size('zeke_jobs.queue'), pg_indexes_size('zeke_jobs.queue')
"""


@dataclass(frozen=True)
class Plan:
    minutes: int = 30
    rate: int = 500  # ``rate`` jobs are sent per second.
    keep: int = 180  # A finished job is purged after ``keep`` seconds; a purge runs each minute.
    every: float = 60.0  # The table is observed every ``every`` seconds.


@dataclass(frozen=True)
class Minute:
    """This is one observation of the table of jobs; the sizes are in bytes."""

    done: float  # ``done`` is the rate of ended jobs a second since the last observation.
    behind: int  # ``behind`` counts jobs that had not ended.
    rows: int
    table: int
    indexes: int


def endure(started: Server, plan: Plan, say: Callable[[Minute], None]) -> list[Minute]:
    text = yaml.safe_load(ours.jobs_yaml({}))
    text["defaults"] = {**text.get("defaults", {}), "keep": {"completed": f"{plan.keep}s"}}
    installation = ours.Installation(started.create("endure"), started.files / "config", yaml.safe_dump(text))
    os.environ["DATABASE_URL"] = installation.url
    with working(installation, started.files / "fleet") as (up, conn):
        stop = threading.Event()
        # A task with a rate limit could not finish as many jobs as this run sends.
        tasks = [name for name, task in text["tasks"].items() if "rate" not in task]
        sender = threading.Thread(target=_send, args=(tasks, plan.rate, stop), name="sender")
        sender.start()
        try:
            return _look(conn, up, plan, say)
        finally:
            stop.set()
            sender.join()


def _send(tasks: list[str], rate: int, stop: threading.Event) -> None:
    """Send ``rate`` jobs a second, whatever happens to the jobs. If a call is late, it also sends the jobs that were missed."""
    begin, sent, names = time.monotonic(), 0, cycle(tasks)
    while not stop.wait(_TICK):
        due = int((time.monotonic() - begin) * rate) - sent
        zeke_jobs.send_many(next(names), [{} for _ in range(due)])
        sent += due


def _look(conn: Connection, up: Fleet, plan: Plan, say: Callable[[Minute], None]) -> list[Minute]:
    found: list[Minute] = []
    begin, at = time.monotonic(), query(conn, _LOOK, None)[0][0]
    for number in range(1, plan.minutes + 1):
        while (left := begin + number * plan.every - time.monotonic()) > 0:
            time.sleep(min(0.5, left))
            up.check()
        [(now, done, *figures)] = query(conn, _LOOK, at)
        found.append(Minute(done / (now - at).total_seconds(), *figures))
        say(found[-1])
        at = now
    return found


def complaints(found: list[Minute], plan: Plan) -> list[str]:
    """Return a sentence for each minute after the first with a wrong rate, and for each table that still grows."""
    said = [
        f"minute {number}: {minute.done:.0f} jobs a second ended, {plan.rate} were sent"
        for number, minute in enumerate(found, 1)
        if number > 1 and abs(minute.done / plan.rate - 1) > 0.1
    ]
    third = len(found) // 3
    if third * plan.every < plan.keep + 120:
        enough = 3 * (plan.keep + 120) / plan.every
        return [*said, f"too short to tell whether tables grow: {enough:.0f} minutes would do"]
    for what in ("table", "indexes"):
        before, after = (max(getattr(m, what) for m in part) for part in (found[third:-third], found[-third:]))
        if after > before * 1.1:
            said.append(f"the {what} of jobs grew from {before / 1e6:,.0f} to {after / 1e6:,.0f} MB in the last third")
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    """Run on a new server; return 1 if the rate was not kept or a table still grows, else 0."""
    chosen = vars(server.command("endure", __doc__, arguments, minutes=Plan.minutes, rate=Plan.rate, keep=Plan.keep))
    bin_dir, plan = chosen.pop("server"), Plan(**chosen)
    numbers = count(1)

    def say(minute: Minute) -> None:
        sizes = (f"{size / 1e6:,.0f}" for size in (minute.table, minute.indexes))
        cells = (f"{minute.done:,.0f}", f"{minute.behind:,}", f"{minute.rows:,}", *sizes)
        print(f"| {next(numbers)} | {' | '.join(cells)} |", flush=True)

    print(server.table(_HEADS, []), flush=True)
    with server.start(bin_dir) as started:
        found = endure(started, plan, say)
    said = complaints(found, plan)
    about = (
        f"{started.about}, {server.machine()}: {plan.rate} jobs a second of all"
        f" tasks without a rate for {plan.minutes} minutes, kept for {plan.keep} s."
    )
    good = "The rate stayed within 10 %, and tables and indexes stopped growing."
    print(f"\n{about}\n\n{'Missed: ' + '; '.join(said) + '.' if said else good}")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
