"""The reasons, except limits, why a queued job does not run yet: each function makes one, with its sentence and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.wording import count, listed, one_line, since, span, until, up_to_most, when
from zeke_jobs.diagnosis import keepers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from zeke_jobs.diagnosis.facts import AheadRow, BeforeRow, JobRow, PauseRow, TaskRow
    from zeke_jobs.diagnosis.keepers import Keeper

QUARANTINE = 3  # deaths of workers that count, as zeke_jobs.rescue() has it


@dataclass(frozen=True, slots=True)
class Reason:
    """One fact about a job that explains its state.

    Attributes:
        kind: Its name, for programs.
        sentence: The fact in words, with the figures.
        help: The remedy; empty if there is none.
        figures: The figures, for programs.
    """

    kind: str
    sentence: str
    help: str = ""
    figures: dict[str, Any] = field(default_factory=dict)


def reason(kind: str, sentence: str, help_: str = "", /, **figures: Any) -> Reason:
    """A reason with its figures."""
    return Reason(kind, sentence, help_, figures)


def error_of(error: dict[str, Any] | None) -> str:
    """Type and message of an error, on one line."""
    return one_line(": ".join(str(error[part]) for part in ("type", "message") if error and error.get(part)))


def unknown_task(task: str) -> Reason:
    """No task of that name is in force."""
    help_ = f"put {task} back into jobs.yaml, or name its successor: zeke-jobs apply --rename {task}=NEW"
    sentence = f"no task in force is called {task}, so a worker cancels it within a minute"
    return reason("unknown-task", sentence, help_, task=task)


def moving(task: TaskRow) -> Reason:
    """Its task has another name or queue now."""
    sentence = f"its task is now {task.id} in queue {task.queue}; it follows at the next heartbeat of a worker"
    return reason("moving", sentence, task=task.id, queue=task.queue)


def paused(pause: PauseRow, now: datetime) -> Reason:
    """An operator, or jobs.yaml, paused its task, its queue or a limit."""
    began = f" {since(pause.paused_on, now)}" if pause.paused_on else ""
    ends = f", {until(pause.ends_on, now)}" if pause.ends_on else ""
    why = f": {one_line(pause.reason)}" if pause.reason else ""
    if pause.set_key:
        help_ = f"zeke-jobs set --clear {pause.set_key}"
    elif pause.paused_by == "jobs.yaml":
        help_ = "take paused: true out of jobs.yaml and apply it"
    else:
        help_ = f"zeke-jobs resume {pause.target}"
    return reason(
        "paused",
        f"{pause.target} is paused by {pause.paused_by}{began}{ends}{why}",
        help_,
        target=pause.target,
        by=pause.paused_by,
        since=pause.paused_on,
        until=pause.ends_on,
        reason=pause.reason,
        now=now,
    )


def unserved(task: TaskRow, *, alive: int, consuming: int, stopping: int) -> Reason:
    """No live worker would claim it."""
    workers = f"{count(alive, 'worker process', 'worker processes')} alive"
    if not alive:
        sentence = "no worker is alive"
    elif not consuming:
        sentence = f"{workers}, but none consumes queue {task.queue}"
    elif stopping == consuming:
        sentence = f"{workers}, but all that consume queue {task.queue} are stopping"
    else:
        sentence = f"{workers}, but none of queue {task.queue} has the task {task.id}"
    if not consuming:
        help_ = f"start one: dramatiq zeke_jobs.actors (for this queue alone: --queues {task.queue})"
    else:
        help_ = "wait for their successors" if stopping else "restart them with a jobs.yaml and code that have it"
    figures = {"alive": alive, "consuming": consuming, "stopping": stopping}
    return reason("unserved", sentence, help_, task=task.id, queue=task.queue, **figures)


def not_due(job: JobRow) -> Reason:
    """It was sent for later."""
    sentence = f"it was sent for later: not before {when(job.run_at)} (in {span(job.run_at - job.now)})"
    return reason("not-due", sentence, until=job.run_at, now=job.now)


def deferred(job: JobRow) -> Reason:
    """Its handler, or a lease, deferred it."""
    why = job.waiting_for or ""
    sentence = f"its handler deferred it {until(job.run_at, job.now)}: {one_line(why)}"
    sentence += "; the jobs that are due before then go first"
    return reason("deferred", sentence, until=job.run_at, reason=why, now=job.now)


def waits_for_event(job: JobRow) -> Reason:
    """Its handler waits for an event."""
    event = (job.waiting_for or "").removeprefix("event ")
    sentence = (
        f"it waits for the event {event!r}, and goes on without it when that has not come {until(job.run_at, job.now)}"
    )
    return reason("waits-for-event", sentence, f"zeke-jobs emit {event}", event=event, until=job.run_at, now=job.now)


def waits_for_retry(job: JobRow, retries_left: int) -> Reason:
    """An attempt failed; the next one comes later."""
    error, left = error_of(job.error), count(retries_left, "retry", "retries")
    return reason(
        "waits-for-retry",
        f"attempt {job.attempt} failed ({error}); the next one waits {until(job.run_at, job.now)}, {left} left",
        f"to run it at once: zeke-jobs retry {job.id}",
        job=job.id,
        until=job.run_at,
        failed=job.attempt,
        retries_left=retries_left,
        error=error,
        now=job.now,
    )


def starts_next() -> Reason:
    """Nothing holds it back."""
    return reason("starts-next", "nothing stands in its way: the next claim of a worker takes it")


def expires(job: JobRow, on: datetime) -> Reason:
    """It is cancelled unless it starts in time."""
    if on <= job.now:
        sentence = f"it had to start by {when(on)} and did not: the next heartbeat of a worker cancels it"
    else:
        sentence = f"it is cancelled unless it starts by {when(on)} (in {span(on - job.now)})"
    return reason("expires", sentence, on=on, now=job.now)


def stands_for_others(task: TaskRow) -> Reason:
    """Its task is ``unique``: sends of an equal job are answered with this one."""
    fields, held = tuple(task.unique_fields or ()), task.unique_while or "queued"
    how = {"queued": "while it is queued", "active": "until it has ended"}.get(held, "for a time")
    same = f"the same {listed(fields)}" if fields else "the same payload"
    sentence = f"it is unique: {how}, a send with {same} makes no second job and is answered with this one"
    return reason("stands-for-others", sentence, fields=fields, held_while=held)


def stands_for_key(own_key: str) -> Reason:
    """Its send named a ``unique_key``."""
    sentence = f"it is unique by unique_key {own_key!r}: a send of the task with the same one is answered with this job"
    return reason("stands-for-key", sentence, unique_key=own_key)


def after(job: JobRow, before: BeforeRow) -> Reason:
    """Its task runs the jobs of a key in strict order, and an earlier one has not ended, or failed and holds the key."""
    if before.status == "failed":
        what = f"failed {since(before.since, job.now).removeprefix('since ')} and holds the key"
        help_ = f"zeke-jobs retry {before.id}, or zeke-jobs cancel {before.id} to go on without it"
    else:
        waits = before.status != "active" and before.run_at > job.now
        what = f"is {before.status}" + (f" and waits {until(before.run_at, job.now)}" if waits else "")
        help_ = f"zeke-jobs why {before.id}"
    sentence = f"its key {job.key!r} is in strict order: {before.task} {before.id}, which was sent earlier, {what}"
    return reason(
        "after", sentence, help_, key=job.key, before=before.id, status=before.status, until=before.run_at, now=job.now
    )


def suspect(job: JobRow, emptying: Sequence[str]) -> Reason:
    """Workers died while they held it, so it runs alone in a process."""
    who = f"{listed(emptying)} finishes its other jobs for it" if emptying else "no worker makes room for it yet"
    return reason(
        "suspect",
        f"{job.deaths} workers died while running it, so it waits to run alone in a process ({who}); "
        f"after {QUARANTINE} deaths it fails",
        deaths=job.deaths,
        most=QUARANTINE,
        emptying=emptying,
    )


def kept_by_suspect(queue: str, kept: tuple[Keeper, ...], now: datetime) -> Reason:
    """All processes that could run it claim nothing else, each for the sake of one job that must run alone."""
    who = "the one process" if len(kept) == 1 else f"each of the {len(kept)} processes"
    sentence = f"{who} for queue {queue} claims nothing else: {keepers.named(kept, now)}"
    return reason("kept-by-suspect", sentence, keepers.advice(kept), queue=queue, keepers=kept, now=now)


def ahead(row: AheadRow) -> Reason:
    """Other due jobs are claimed first."""
    words = {
        "of its task with a higher priority": row.higher,
        "of its task that became due earlier": row.earlier,
        "of other tasks in its queue with a higher priority": row.others,
    }
    parts = [f"{up_to_most(number, 'job')} {what}" for what, number in words.items() if number]
    sentence = f"ahead of it are {listed(parts)}"
    return reason("ahead", sentence, higher=row.higher, earlier=row.earlier, others=row.others)


def workers_busy(queue: str, *, threads: int, busy: int, processes: int) -> Reason:
    """All threads that could run it have a job, in the processes that claim."""
    where = "the one process" if processes == 1 else f"the {processes} processes"
    return reason(
        "workers-busy",
        f"all {threads} threads of {where} for queue {queue} are busy ({busy} jobs claimed)",
        "more threads or processes: dramatiq zeke_jobs.actors --processes N --threads M",
        queue=queue,
        threads=threads,
        busy=busy,
        processes=processes,
    )
