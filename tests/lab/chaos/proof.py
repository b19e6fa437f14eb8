"""These functions search the database and the trace for lost jobs, double effects and exceeded limits."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from psycopg2.extensions import connection as Connection

from tests.fleet import query

Interval = tuple[float, float]

#: A thread that was frozen before it entered a handler may enter it afterwards, is then stopped, and commits nothing.
COMING_BACK = 0.5  # COMING_BACK is in seconds.

_STATED = "(state = 'rejected' AND (cancelled_on IS NOT NULL OR attempts -> -1 ? 'error' OR attempts -> -1 ? 'reason'))"
_COUNTS = f"""
  SELECT count(*), count(*) FILTER (WHERE state = 'done'), count(*) FILTER (WHERE {_STATED}) FROM zeke_jobs.queue"""
_MISSING = "SELECT count(*) FROM unnest(%s::uuid[]) AS l (id) WHERE id NOT IN (SELECT message_id FROM zeke_jobs.queue)"
#: Each query counts contradictions of a kind; jobs of the first kind are lost, and those of the second took effect twice.
_LOST = {
    "neither completed nor ended with a reason": f"""
      SELECT count(*) FROM zeke_jobs.queue WHERE state <> 'done' AND {_STATED} IS NOT TRUE""",
    "completed without its effect": """
      SELECT count(*) FROM zeke_jobs.queue WHERE state = 'done' AND message_id NOT IN (SELECT job FROM effect)
        AND (message #>> '{kwargs,plain}')::boolean IS NOT TRUE""",
    "completed without its child": """
      SELECT count(*) FROM zeke_jobs.queue AS p WHERE p.state = 'done' AND (p.message #>> '{kwargs,child}')::boolean
        AND NOT EXISTS (SELECT 1 FROM zeke_jobs.queue AS c WHERE c.parent = p.message_id)""",
}
_TWICE = {
    "effects twice": "SELECT count(*) - count(DISTINCT job) FROM effect",
    "children twice": "SELECT count(*) - count(DISTINCT parent) FROM zeke_jobs.queue WHERE parent IS NOT NULL",
    "effects of jobs that did not complete": """
      SELECT count(*) FROM effect AS e WHERE NOT EXISTS (
        SELECT 1 FROM zeke_jobs.queue AS q WHERE q.message_id = e.job AND q.state = 'done')""",
    "ticks twice": """
      SELECT count(*) - count(DISTINCT (task, scheduled_for)) FROM zeke_jobs.queue WHERE scheduled_for IS NOT NULL""",
}
_LEFT = {
    "held by a worker without being active": "SELECT count(*) FROM zeke_jobs.queue WHERE worker IS NOT NULL AND state <> 'consumed'",
    "leases that nobody holds": "SELECT count(*) FROM zeke_jobs.lease",
}


@dataclass(frozen=True)
class Account:
    sent: int = 0  # ``sent`` includes jobs sent by other jobs.
    finished: int = 0
    stated: int = 0  # ``stated`` counts jobs that did not complete, and have a reason.
    lost: int = 0  # ``lost`` counts jobs that did not end, or have no effect.
    duplicated: int = 0  # ``duplicated`` counts effects that exist twice, or whose job did not complete.
    faults: tuple[str, ...] = ()  # Each text describes a kind of fault, and counts the faults.


class Impossible(Exception):
    """The scenario cannot run on this machine; the exception says why."""


class Outcome(NamedTuple):
    said: str  # ``said`` has the fault, the figures, and what is required.
    broken: Sequence[str] = ()  # Each entry has a promise that does not hold.
    account: Account = Account()
    server: str = ""  # A scenario that could not run has no server.


def account(conn: Connection, ledger: Iterable[str]) -> Account:
    sent, finished, stated = query(conn, _COUNTS)[0]
    missing: int = query(conn, _MISSING, list(ledger))[0][0]
    lost, twice, left = (
        {name: int(query(conn, sql)[0][0]) for name, sql in group.items()} for group in (_LOST, _TWICE, _LEFT)
    )
    lost["sent and not in the table"] = missing
    said = tuple(f"{count} {name}" for name, count in (lost | twice | left).items() if count)
    return Account(sent + missing, finished, stated, sum(lost.values()), sum(twice.values()), said)


def completions(conn: Connection) -> list[float]:
    sql = "SELECT extract(epoch FROM completed_on)::float8 FROM zeke_jobs.queue WHERE state = 'done' ORDER BY 1"
    return [row[0] for row in query(conn, sql)]


def rate(moments: Sequence[float], phase: Interval, parts: int = 3) -> float:
    """Split the phase into equal parts, and return the median of the events per second in each part."""
    begin, end = phase
    length = (end - begin) / parts
    counts = [0] * parts
    for at in moments:
        if begin <= at < end:
            counts[min(parts - 1, int((at - begin) / length))] += 1
    return statistics.median(count / length for count in counts)


def recovery(moments: Sequence[float], since: float, rate_before: float, until: float) -> float | None:
    """Return the seconds from ``since`` until the rate is at least half of ``rate_before`` again, or None if it never is."""
    later = [since, *(at for at in moments if since <= at < until)]
    for at in later:
        if at + 1.0 <= until and sum(at <= other < at + 1.0 for other in later) - (at == since) >= rate_before / 2:
            return at - since
    return None


@dataclass(frozen=True)
class Run:
    """A run is one start of a handler; ``end`` is None if the process died during the run."""

    job: str
    task: str
    group: str
    pid: int
    begin: float
    end: float | None


def runs(trace: Path) -> list[Run]:
    found: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for line in trace.read_text().splitlines() if trace.exists() else []:
        what, at, pid, job, task, group = line.split(" ")
        ran = found[job, pid]
        if what == "S":
            ran.append(Run(job, task, group, int(pid), float(at), None))
        elif ran:
            ran[-1] = replace(ran[-1], end=float(at))
    return sorted((run for ran in found.values() for run in ran), key=lambda run: run.begin)


def present(found: Iterable[Run], gone: Mapping[int, Sequence[Interval]]) -> list[Run]:
    """Return the runs that did not start while their process was killed, frozen or cut off, or shortly afterwards."""
    return [
        run for run in found if not any(begin <= run.begin <= end + COMING_BACK for begin, end in gone.get(run.pid, ()))
    ]


def peaks(found: Sequence[Run], gone: Mapping[int, Sequence[Interval]], shared: Mapping[str, str]) -> dict[str, int]:
    """Return the highest number of concurrent runs for each task, each ``task/group`` and each limit in ``shared``.

    ``gone`` has the times in which a killed or frozen process did not run. A process that died by itself counts as
    running until its last line in the trace.
    """
    last_word: dict[int, float] = defaultdict(float)
    for run in found:
        last_word[run.pid] = max(last_word[run.pid], run.begin, run.end or 0.0)
    steps: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for run in present(found, gone):
        ends = [run.end or last_word[run.pid], *(begin for begin, _ in gone.get(run.pid, ()) if begin > run.begin)]
        for name in {run.task, f"{run.task}/{run.group}", shared.get(run.task, run.task)}:
            steps[name] += [(run.begin, 1), (min(ends), -1)]
    return {name: max(accumulate(step for _, step in sorted(moments))) for name, moments in steps.items()}
