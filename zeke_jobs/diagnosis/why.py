"""Why a job waits, runs or has ended: the reasons, the decisive one first, read in one snapshot of the database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.client import drivers
from zeke_jobs.client.reading import missing
from zeke_jobs.config.models import Task
from zeke_jobs.core.wording import MOST, listed, span, until, up_to_most, when
from zeke_jobs.diagnosis import ends, reasons
from zeke_jobs.diagnosis.reasons import QUARANTINE, Reason
from zeke_jobs.postgres.queries import SQL, Row, snapshot
from zeke_jobs.revisions import store

_HOLDERS = 5  # jobs to name for a full limit


@dataclass(frozen=True, slots=True)
class Explanation:
    """The explanation of one job. A queued job starts only after the last of its reasons is gone, so all are listed."""

    id: UUID
    task: str
    status: str
    reasons: tuple[Reason, ...]  # the decisive one first; never empty
    history: tuple[Reason, ...]  # earlier events: the sender, its attempts, the jobs it sent
    about: dict[str, Any] = field(default_factory=dict)  # values of its task's keys that are shown with a job


def why(conn: Connection, job_id: UUID) -> Explanation:
    """Explain a job, from one snapshot of the database.

    Raises JobNotFound if no job has this id; JobPurged if a purged job had it.
    """
    with snapshot(conn):
        return explain(conn, job_id)


def explain(conn: Connection, job_id: UUID) -> Explanation:
    """As ``why``, in the caller's snapshot."""
    job = _one(conn, "job", id=job_id)
    if job is None:
        raise drivers.perform(conn, missing, job_id)
    task = _one(conn, "task", task=job.task)
    workers = SQL.named(conn, "why/workers", queue=task.queue if task else job.queue, task=job.task)
    match job.status:
        case "created" | "retry":
            found = [*_queued(conn, job, task, workers), *_also(job, task)]
        case "active":
            found = list(_active(job, task, workers))
        case "completed":
            found = [ends.completed(job)]
        case "failed":
            found = [ends.failed(job)]
        case _:
            found = [ends.cancelled(job)]
    history = [ends.origin(job)] if job.parent is not None or job.scheduled_for is not None else []
    history += map(ends.attempted, job.attempts)
    if sent := SQL.all(conn, "why/sent", id=job_id):
        history.append(ends.sent(sent))
    about = {key: value for key, value in Task.shown(task.definition).items() if value} if task else {}
    return Explanation(job.id, job.task, job.status, tuple(found), tuple(history), about)


def _one(conn: Connection, statement: str, **params: Any) -> Row | None:
    return next(iter(SQL.named(conn, f"why/{statement}", **params)), None)


def _queued(conn: Connection, job: Row, task: Row | None, workers: Sequence[Row]) -> list[Reason]:
    if task is None:
        help_ = f"put {job.task} back into jobs.yaml, or name its successor: zeke-jobs apply --rename {job.task}=NEW"
        sentence = f"no task in force is called {job.task}, so a worker cancels it within a minute"
        return [Reason("unknown-task", sentence, help_)]
    found: list[Reason] = []
    if (task.id, task.queue) != (job.task, job.queue):
        sentence = f"its task is now {task.id} in queue {task.queue}; it follows at the next heartbeat of a worker"
        found.append(Reason("moving", sentence))
    found += [reasons.paused(pause, job.now) for pause in store.pauses(conn, "why/pauses", task=task.id)]
    if job.run_at > job.now:
        found.append(reasons.later(job))
    alive = [one for one in workers if one.lives]
    serving = [one for one in alive if one.consumes and one.knows and not one.stopping]
    if not serving:
        found.append(reasons.unserved(task, alive))
    found += _limits(conn, job, task)
    keepers = SQL.all(conn, "doctor/keepers")
    if job.deaths > 1:
        taken = {keeper["worker"] for keeper in keepers if keeper["runs"]}
        alone = [one for one in workers if one.alone]
        emptying = listed([f"{one.host}:{one.pid}" for one in alone if one.id not in taken])
        runs = listed([f"{one.host}:{one.pid}" for one in alone if one.id in taken])
        who = f"{runs} runs such jobs one after another" if runs else "no worker makes room for it yet"
        who = f"{emptying} finishes its other jobs for it" if emptying else who
        suspected = f"{job.deaths} workers died while running it, so it waits to run alone in a process ({who})"
        sentence = f"{suspected}; after {QUARANTINE} deaths it fails"
        found.append(Reason("suspect", sentence))
    if job.run_at <= job.now:
        found += _queue_before(conn, job, task, serving, keepers)
    is_over = job.expires_on is not None and job.expires_on <= job.now and job.attempt == 0
    if not found and not is_over:
        found.append(Reason("starts-next", "nothing stands in its way: the next claim of a worker takes it"))
    return found


def _limits(conn: Connection, job: Row, task: Row) -> Iterator[Reason]:
    for limit in SQL.named(conn, "why/limits", limits=task.limits, most=_HOLDERS):
        yield reasons.of_limit(limit, job.now)
    holders = SQL.all(conn, "why/key", id=job.id) if task.per_key and job.key is not None else []
    if before := _one(conn, "before", id=job.id):
        yield reasons.after(job, before)
    elif task.per_key is not None and len(holders) >= task.per_key:
        taken = f"is taken, {len(holders)} of {task.per_key} active"
        jobs = reasons.named_jobs(holders, len(holders), job.now)
        yield Reason("key-taken", f"its key {job.key!r} {taken}: {jobs}")
    if task.chunk and (company := _one(conn, "company", id=job.id)):
        ends = until(company.until, job.now)
        sentence = f"it waits up to {span(company.wait)} for company ({company.due} of {company.size}), {ends}"
        yield Reason("company", sentence)
    if key_rate := _one(conn, "key_rate", id=job.id):
        full = f"is at its rate of {key_rate.amount} starts within {span(key_rate.period)}"
        then = f"the next may start {reasons.opens(key_rate.next_at, job.now)}"
        yield Reason("key-at-rate", f"its key {job.key!r} {full}; {then}")


def _queue_before(
    conn: Connection, job: Row, task: Row, serving: Sequence[Row], keepers: Sequence[dict[str, Any]]
) -> Iterator[Reason]:
    # A process may have stopped claiming for the sake of this very job.
    kept = {keeper["worker"]: keeper for keeper in keepers if keeper["runs"] or job.deaths < 2}
    free = [one for one in serving if one.id not in kept]
    if serving and not free:
        all_ = [kept[one.id] for one in serving]
        who = "the one process" if len(all_) == 1 else f"each of the {len(all_)} processes"
        sentence = f"{who} for queue {job.queue} claims nothing else: {reasons.named_keepers(all_, job.now)}"
        yield Reason("kept-by-suspect", sentence, reasons.advice_about(all_))
    elif free and sum(one.busy for one in free) >= sum(one.threads for one in free):
        yield _busy(job.queue, free)
    if job.deaths > 1:  # it runs alone
        return
    turns = _one(conn, "turns", id=job.id, most=MOST + 1) if task.share else None
    if turns is not None and any(vars(turns).values()):
        parts = _counted({"of other keys": turns.others, "of its own": turns.own})
        sentence = f"the keys of its task take turns: {parts} go before it, by estimate"
        yield Reason("takes-turns", sentence)
    place = {name: getattr(job, name) for name in ("queue", "task", "priority", "run_at", "seq")}
    ahead = _one(conn, "ahead", **place, most=MOST + 1)
    if ahead is not None and any(vars(ahead).values()):
        words = {
            "of its task with a higher priority": ahead.higher,
            "of its task that became due earlier": ahead.earlier,
            "of other tasks in its queue with a higher priority": ahead.others,
        }
        yield Reason("ahead", f"ahead of it are {_counted(words)}")


def _counted(words: dict[str, int]) -> str:
    return listed(f"{up_to_most(number, 'job')} {what}" for what, number in words.items() if number)


def _busy(queue: str, workers: Sequence[Row]) -> Reason:
    """All threads that could run it have a job, or all places for async handlers, in the processes that claim."""
    threads, busy = sum(one.threads for one in workers), sum(one.busy for one in workers)
    where = "the one process" if len(workers) == 1 else f"the {len(workers)} processes"
    slots, more = ("places for async handlers", "ZEKE_JOBS_ASYNC") if workers[0].is_async else ("threads", "--threads")
    sentence = f"all {threads} {slots} of {where} for queue {queue} are busy ({busy} jobs claimed)"
    help_ = f"more of them, or more processes: {more}, dramatiq zeke_jobs.actors --processes N"
    return Reason("workers-busy", sentence, help_)


def _also(job: Row, task: Row | None) -> Iterator[Reason]:
    """Facts that do not hold the job back but belong to the answer."""
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


def _active(job: Row, task: Row | None, workers: Sequence[Row]) -> Iterator[Reason]:
    worker = next((one for one in workers if one.id == job.worker), None)
    if job.cancelled_on is not None:
        yield ends.being_cancelled(job)
    is_silent = worker is None or worker.silent
    if is_silent:
        yield ends.holder_silent(worker, job.now)
    if job.started_on is not None:
        yield ends.running(job, worker, job.timeout or (task.timeout if task else None))
        return
    # Whether the worker's last heartbeat is too early to cover this claim.
    is_new = worker is None or (job.claimed_on or job.now) >= worker.heartbeat_on - worker.lost_after
    yield ends.claimed(job, worker, is_held=is_silent or job.cancelled_on is not None or is_new)
