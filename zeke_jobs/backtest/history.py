"""Reads a period's recorded jobs, including purged jobs, for a simulation. Contradictory times are counted, but not used."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median_high
from typing import Any

from psycopg2.extensions import connection as Connection
from psycopg2.extras import NamedTupleCursor

from zeke_jobs.backtest.workload import Attempt, Ending, Job, Workload
from zeke_jobs.config.models import Config
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.worker.finish.outcome import backoff

ORPHANS = "jobs name a sender that is gone; they count as sent from outside"
BACKWARDS = "jobs have times that run backwards; their durations are not used"
UNFINISHED = "jobs have not ended; their durations are the median of their task"

_FOR_GOOD = ("Reject", "InvalidPayload")  # errors that the retry policy does not retry
_SLACK = 0.005  # seconds; smaller contradictions between two times of one database are ignored
_AT_ONCE = 5_000  # rows to fetch at once
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def period(conn: Connection, begin: datetime | None = None, end: datetime | None = None) -> tuple[datetime, datetime]:
    """Return the period whose jobs are read: by default the last day, or less if the first known job is newer."""
    (known,) = SQL.named(conn, "backtest/facts", begin=_LONG_AGO, end=_LONG_AGO)
    end = end or known.now
    return begin or max(end - timedelta(days=1), min(known.first_job or _LONG_AGO, end)), end


def read(conn: Connection, config: Config, begin: datetime, end: datetime) -> Workload:
    """Read the jobs from ``begin`` to ``end``. Keep priorities and retry delays only if they differ from ``config``."""
    recorder = _Recorder(config, begin.timestamp(), end.timestamp())
    # Read all rows in one snapshot, so that a job that is purged during the read is neither lost nor read twice.
    with transaction(conn), conn.cursor("backtest", NamedTupleCursor, withhold=True) as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(SQL.text("backtest/jobs"), {"begin": begin, "end": end})  # type: ignore[no-untyped-call]
        for row in cursor:
            recorder.add(row)
    workload = recorder.finish()
    (workload.facts,) = SQL.named(conn, "backtest/facts", begin=begin, end=end)
    return workload


class _Recorder:
    """Builds a workload from the jobs of a period, added in the order in which they were sent. Times are Unix times."""

    def __init__(self, config: Config, begin: float, end: float) -> None:
        self._config, self._begin = config, begin
        self._workload = Workload(begin, end - begin)
        self._oddities = self._workload.oddities
        self._jobs: dict[str, tuple[Job, Sequence[float]]] = {}  # jobs by id, with the times of their claims
        self._parents: list[tuple[Job, str]] = []
        self._held: defaultdict[str, list[float]] = defaultdict(list)
        self._unmeasured: list[Job] = []

    def add(self, row: Any) -> None:
        """Add a job from a row of the statement ``backtest/jobs``."""
        task = self._config.task(row.name)
        if task is None:
            self._oddities[f"jobs of {row.name}, which is not in force, are left out"] += 1
        marks = [mark for mark in (row.created, row.claimed, row.started, row.completed) if mark is not None]
        self._oddities[BACKWARDS] += any(after < before - _SLACK for before, after in pairwise(marks))
        earlier, claims = self._earlier(row)
        first = not earlier and row.attempt <= 1
        due = max(row.run_at, row.created) if first else row.created
        last, claim, is_measured = self._last(row, earlier)
        is_cancelled = row.state == "cancelled" and row.started is None and row.completed is not None
        left: float | None = row.completed if is_cancelled else row.expires
        job = Job(
            row.name,
            row.created - self._begin,
            (*earlier, last),
            priority=None if task is not None and row.priority == task.priority else row.priority,
            key=row.key,
            delay=due - row.created,
            leaves=None if left is None else max(0.0, left - row.created),
            cost=self._cost(row),
            waited=row.started - due if first and row.started is not None else None,
            tick=row.tick,
        )
        self._jobs[row.id] = job, (*claims, claim)
        if not is_measured:
            self._unmeasured.append(job)
        if row.claimed is not None and row.started is not None:
            job.start = max(0.0, row.started - row.claimed)
        if row.parent is None:
            self._workload.roots.append(job)
        else:
            self._parents.append((job, row.parent))

    def finish(self) -> Workload:
        """Link jobs to the jobs that sent them, and estimate durations that could not be measured."""
        for job in self._unmeasured:
            *earlier, last = job.attempts
            job.attempts = (*earlier, last._replace(held=median_high(self._held.get(job.task, [0.0]))))
        for job, parent_id in self._parents:
            parent, claims = self._jobs.get(parent_id, (None, (0.0,)))
            if parent is None or not claims[0]:
                self._oddities[ORPHANS] += _made_on(parent_id) >= self._begin
                self._workload.roots.append(job)
                continue
            created = job.sent + self._begin
            attempt = max((n for n, claim in enumerate(claims) if claim and claim <= created), default=0)
            parent.send(job, attempt=attempt, after=max(0.0, created - claims[attempt]))
        self._workload.roots.sort(key=lambda job: job.sent)
        return self._workload

    def _cost(self, row: Any) -> float | None:
        """Return the job's cost. Costs in a second currency are left out, because amounts in two currencies cannot be summed."""
        cost: float | None = row.cost
        currency = self._workload.currency = self._workload.currency or (None if cost is None else row.currency)
        if cost is None or row.currency == currency:
            return cost
        self._oddities[f"jobs have costs in another currency than {currency}; these are left out"] += 1
        return None

    def _earlier(self, row: Any) -> tuple[list[Attempt], list[float]]:
        """Return the attempts before the last one, and the claim times of these attempts."""
        task = self._config.task(row.name)
        entries = row.attempts
        if row.state in ("failed", "cancelled") and entries and entries[-1][0] in ("failed", "cancelled", "died"):
            entries = entries[:-1]
        attempts: list[Attempt] = []
        claims: list[float] = []
        for number, (how, started, ended, _) in enumerate(entries):
            if started is None or ended is None:
                continue
            is_last = number == len(entries) - 1
            following = row.run_at if is_last else entries[number + 1][1]
            made = Attempt(max(0.0, ended - started), how if how in ("deferred", "died") else "retry")
            gap = None if following is None or how == "died" else max(0.0, following - ended)
            if made.how == "retry" and task is not None:
                retry = 1 + sum(one.how == "retry" for one in attempts)
                least, most = (backoff(task.retry, retry, chance=chance) for chance in (0.0, 1.0))
                # The due time is recorded only for the last retry; for earlier retries, only the start is recorded.
                is_policys = gap is None or (least - _SLACK <= gap and (gap <= most + _SLACK or not is_last))
                gap = None if is_policys else gap
                made = made._replace(own=retry > task.retry.limit)
            attempts.append(made._replace(gap=gap))
            claims.append(started)
        return attempts, claims

    def _last(self, row: Any, earlier: Sequence[Attempt]) -> tuple[Attempt, float, bool]:
        """Return the last attempt, the time of its claim (0 if unknown), and whether its duration is known."""
        if row.state in ("created", "retry", "active"):
            self._oddities[UNFINISHED] += 1
            return Attempt(0.0), row.claimed or 0.0 if row.state == "active" else 0.0, False
        if row.started is None or row.completed is None:
            return Attempt(0.0), 0.0, False
        if row.state == "cancelled" and earlier and (not row.attempts or row.attempts[-1][0] != "cancelled"):
            return Attempt(0.0, "cancelled"), 0.0, True  # the job was cancelled while it waited for a retry
        begun = row.started if row.claimed is None else row.claimed
        held = row.completed - begun
        if held < 0:
            return Attempt(0.0), begun, False
        how: Ending = "cancelled" if row.state == "cancelled" else "completed"
        if row.state == "failed":
            entry = row.attempts[-1] if row.attempts else None
            # If the handler set its own retry limit, a different limit in jobs.yaml would have changed nothing.
            is_final = entry is None or entry[0] == "died" or entry[3] in _FOR_GOOD or any(one.own for one in earlier)
            how = "rejected" if is_final else "failed"
        if how == "completed":
            self._held[row.name].append(held)
        return Attempt(held, how), begun, True


def _made_on(job: str) -> float:
    """Return the Unix time in a UUID of version 7, or 0 for other ids."""
    return int(job[:8] + job[9:13], 16) / 1000 if job[14:15] == "7" else 0.0
