"""Explains why a job waits, runs or has ended, from one database snapshot, with the decisive reason first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.client import drivers
from zeke_jobs.client.reading import missing
from zeke_jobs.config.models import Task
from zeke_jobs.core.wording import MOST, count, listed, one_line, place, since, span, until, up_to_most, when
from zeke_jobs.diagnosis import ends, reasons
from zeke_jobs.diagnosis.reasons import QUARANTINE, Reason
from zeke_jobs.postgres.queries import SQL, Row, snapshot
from zeke_jobs.revisions import store

_HOLDERS = 5  # maximum number of jobs to name for a full limit
_AHEAD = {
    "higher": "of its task with a higher priority",
    "earlier": "of its task that became due earlier",
    "others": "of other tasks in its queue with a higher priority",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Explains one job. A queued job starts only when nothing holds it back, so all reasons why it waits are listed."""

    id: UUID
    task: str
    status: str
    reasons: tuple[Reason, ...]  # the decisive reason first; never empty
    history: tuple[Reason, ...]  # earlier events: the job's sender, its attempts, the jobs that it sent
    about: dict[str, Any] = field(default_factory=dict)  # the settings of the job's task that are shown with a job


def why(conn: Connection, job_id: UUID) -> Explanation:
    """Explain a job, from one snapshot of the database. Raises JobNotFound or, for a purged job, JobPurged."""
    with snapshot(conn):
        return explain(conn, job_id)


def explain(conn: Connection, job_id: UUID) -> Explanation:
    """Explain a job as ``why`` does, from the database snapshot of the caller's transaction."""
    job = _one(conn, "job", id=job_id)
    if job is None:
        raise drivers.perform(conn, missing, job_id)
    task = _one(conn, "task", task=job.task)
    workers = SQL.named(conn, "why/workers", queue=task.queue if task else job.queue, task=job.task)
    if job.status == "active":
        found = list(ends.active(job, task, workers))
    elif job.status in ("created", "retry"):
        found = list(_queued(conn, job, task, workers))
        is_over = job.expires_on is not None and job.expires_on <= job.now and job.attempt == 0
        if not found and not is_over:
            found.append(Reason("starts-next", "nothing blocks it: the next claim of a worker takes it"))
        found += _also(job, task)
    else:
        found = [ends.ended(job)]
    history = ends.history(job, SQL.named(conn, "why/sent", id=job_id))
    about = {key: value for key, value in Task.shown(task.definition).items() if value} if task else {}
    return Explanation(job.id, job.task, job.status, tuple(found), tuple(history), about)


def _one(conn: Connection, statement: str, **params: Any) -> Row | None:
    return next(iter(SQL.named(conn, f"why/{statement}", **params)), None)


def _queued(conn: Connection, job: Row, task: Row | None, workers: Sequence[Row]) -> Iterator[Reason]:
    if task is None:
        help_ = f"put {job.task} back into jobs.yaml, or name its successor: zeke-jobs apply --rename {job.task}=NEW"
        sentence = f"no task in force is called {job.task}, so a worker cancels it within a minute"
        yield Reason("unknown-task", sentence, help_)
        return
    if (task.id, task.queue) != (job.task, job.queue):
        sentence = f"its task is now {task.id} in queue {task.queue}; it follows at the next heartbeat of a worker"
        yield Reason("moving", sentence)
    for pause in store.pauses(conn, "why/pauses", task=task.id):
        yield reasons.paused(pause, job.now)
    if job.run_at > job.now:
        yield _later(job)
    alive = [one for one in workers if one.lives]
    serving = [one for one in alive if one.consumes and one.knows and not one.stopping]
    if not serving:
        yield _unserved(task, alive)
    for limit in SQL.named(conn, "why/limits", limits=task.limits, most=_HOLDERS):
        yield reasons.of_limit(limit, job.now)
    yield from _of_key(conn, job, task)
    keepers = SQL.named(conn, "doctor/keepers")
    if job.deaths > 1:
        taken = {keeper.worker for keeper in keepers if keeper.runs}
        alone = [one for one in workers if one.alone]
        emptying = listed(place(one.host, one.pid) for one in alone if one.id not in taken)
        runs = listed(place(one.host, one.pid) for one in alone if one.id in taken)
        who = f"{runs} runs such jobs one after another" if runs else "no worker makes room for it yet"
        who = f"{emptying} finishes its other jobs for it" if emptying else who
        suspected = f"{job.deaths} workers died while running it, so it waits to run alone in a process ({who})"
        yield Reason("suspect", f"{suspected}; after {QUARANTINE} deaths it fails")
    if job.run_at <= job.now:
        yield from _queue_before(conn, job, task, serving, keepers)


def _later(job: Row) -> Reason:
    """Return why a job is not due: the job waits for an event or a retry, was deferred by its handler, or was sent for later."""
    due, reason = until(job.run_at, job.now), job.waiting_for or ""
    if job.awaits_event:
        event = reason.removeprefix("event ")
        sentence = f"it waits for the event {event!r}, and goes on without it when that has not come {due}"
        return Reason("waits-for-event", sentence, f"zeke-jobs emit {event}")
    if job.waiting_for is not None:  # the handler or a lease deferred the job
        sentence = f"its handler deferred it {due}: {one_line(reason)}; the jobs that are due before then go first"
        return Reason("deferred", sentence)
    if job.attempt > job.attempt_base and job.error is not None:
        left = count(max(0, job.retry_limit - (job.attempt - job.attempt_base) + 1), "retry", "retries")
        failed = f"attempt {job.attempt} failed ({reasons.error_of(job.error)})"
        sentence = f"{failed}; the next one waits {due}, {left} left"
        return Reason("waits-for-retry", sentence, f"to run it at once: zeke-jobs retry {job.id}")
    sentence = f"it was sent for later: not before {when(job.run_at)} (in {span(job.run_at - job.now)})"
    return Reason("not-due", sentence)


def _unserved(task: Row, alive: Sequence[Row]) -> Reason:
    consuming = [one for one in alive if one.consumes]
    stopping = [one for one in consuming if one.stopping]
    processes = count(len(alive), "worker process", "worker processes")
    sentence = f"{processes} alive, but " if alive else "no worker is alive"
    help_ = "wait for their successors" if stopping else "restart them with a jobs.yaml and code that have it"
    if not consuming:
        sentence += f"none consumes queue {task.queue}" if alive else ""
        help_ = f"start one: dramatiq zeke_jobs.actors (for this queue alone: --queues {task.queue})"
    elif stopping == consuming:
        sentence += f"all that consume queue {task.queue} are stopping"
    else:
        sentence += f"none of queue {task.queue} has the task {task.id}"
    return Reason("unserved", sentence, help_)


def _of_key(conn: Connection, job: Row, task: Row) -> Iterator[Reason]:
    holders = SQL.named(conn, "why/key", id=job.id) if task.per_key and job.key is not None else []
    if before := _one(conn, "before", id=job.id):
        what = f"is {before.status}"
        help_ = f"zeke-jobs why {before.id}"
        if before.status == "failed":
            what = f"failed {since(before.since, job.now).removeprefix('since ')} and holds the key"
            help_ = f"zeke-jobs retry {before.id}, or zeke-jobs cancel {before.id} to go on without it"
        elif before.status != "active" and before.run_at > job.now:
            what += f" and waits {until(before.run_at, job.now)}"
        earlier = f"{before.task} {before.id}, which was sent earlier, {what}"
        yield Reason("after", f"its key {job.key!r} is in strict order: {earlier}", help_)
    elif task.per_key is not None and len(holders) >= task.per_key:
        taken, jobs = f"{len(holders)} of {task.per_key} active", reasons.named_jobs(holders, len(holders), job.now)
        yield Reason("key-taken", f"its key {job.key!r} is taken, {taken}: {jobs}")
    if task.chunk and (company := _one(conn, "company", id=job.id)):
        ends_ = until(company.until, job.now)
        sentence = f"it waits up to {span(company.wait)} for company ({company.due} of {company.size}), {ends_}"
        yield Reason("company", sentence)
    if rate := _one(conn, "key_rate", id=job.id):
        full = f"its key {job.key!r} is at its rate of {rate.amount} starts within {span(rate.period)}"
        yield Reason("key-at-rate", f"{full}; the next may start {reasons.opens(rate.next_at, job.now)}")


def _queue_before(
    conn: Connection, job: Row, task: Row, serving: Sequence[Row], keepers: Sequence[Row]
) -> Iterator[Reason]:
    # A keeper is reserved for a job that must run alone. For such a job, leave out idle keepers: they may wait for it.
    kept = {keeper.worker: keeper for keeper in keepers if keeper.runs or job.deaths < 2}
    free = [one for one in serving if one.id not in kept]
    threads, busy = sum(one.threads for one in free), sum(one.busy for one in free)
    if serving and not free:
        all_ = [kept[one.id] for one in serving]
        who = "the one process" if len(all_) == 1 else f"each of the {len(all_)} processes"
        sentence = f"{who} for queue {job.queue} claims nothing else: {reasons.named_keepers(all_, job.now)}"
        yield Reason("kept-by-suspect", sentence, reasons.advice_about(all_))
    elif free and busy >= threads:
        where = "the one process" if len(free) == 1 else f"the {len(free)} processes"
        slots, more = ("places for async handlers", "ZEKE_JOBS_ASYNC") if free[0].is_async else ("threads", "--threads")
        sentence = f"all {threads} {slots} of {where} for queue {job.queue} are busy ({busy} jobs claimed)"
        help_ = f"more of them, or more processes: {more}, dramatiq zeke_jobs.actors --processes N"
        yield Reason("workers-busy", sentence, help_)
    if job.deaths > 1:  # a job with two deaths runs alone
        return
    turns = _one(conn, "turns", id=job.id, most=MOST + 1) if task.share else None
    if turns is not None and (others := _counted({"of other keys": turns.others, "of its own": turns.own})):
        yield Reason("takes-turns", f"the keys of its task take turns: {others} go before it, by estimate")
    where_ = {name: getattr(job, name) for name in ("queue", "task", "priority", "run_at", "seq")}
    ahead = SQL.one(conn, "why/ahead", **where_, most=MOST + 1) or {}
    if first := _counted({what: ahead.get(which, 0) for which, what in _AHEAD.items()}):
        yield Reason("ahead", f"ahead of it are {first}")


def _counted(words: dict[str, int]) -> str:
    return listed(f"{up_to_most(number, 'job')} {what}" for what, number in words.items() if number)


def _also(job: Row, task: Row | None) -> Iterator[Reason]:
    """Yield facts that do not delay the job, such as its start deadline or its uniqueness."""
    if job.expires_on is not None and job.attempt == 0:
        sentence = f"it had to start by {when(job.expires_on)} and did not: the next heartbeat of a worker cancels it"
        if job.expires_on > job.now:
            left = span(job.expires_on - job.now)
            sentence = f"it is cancelled unless it starts by {when(job.expires_on)} (in {left})"
        yield Reason("expires", sentence)
    if job.own_key is not None:
        same = f"it is unique by unique_key {job.own_key!r}: a send of the task with the same one is answered with this job"
        yield Reason("stands-for-key", same)
    elif job.is_unique and task is not None:
        fields, held = tuple(task.unique_fields or ()), task.unique_while or "queued"
        how = {"queued": "while it is queued", "active": "until it has ended"}.get(held, "for a time")
        same = f"the same {listed(fields)}" if fields else "the same payload"
        sentence = f"it is unique: {how}, a send with {same} makes no second job and is answered with this one"
        yield Reason("stands-for-others", sentence)
