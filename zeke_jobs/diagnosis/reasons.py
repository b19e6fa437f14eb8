"""The reasons, except limits, why a queued job does not run yet: each function makes one, with its sentence and its figures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zeke_jobs.core.wording import count, listed, one_line, since, span, until, up_to_most, when
from zeke_jobs.diagnosis import keepers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from zeke_jobs.postgres.queries import Row

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


def paused(pause: Row, now: datetime) -> Reason:
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
    figures = {"target": pause.target, "by": pause.paused_by, "since": pause.paused_on, "until": pause.ends_on}
    sentence = f"{pause.target} is paused by {pause.paused_by}{began}{ends}{why}"
    return reason("paused", sentence, help_, **figures, reason=pause.reason, now=now)


def unserved(task: Row, workers: Sequence[Row]) -> Reason:
    """None of the live workers would claim it."""
    alive, consuming = len(workers), sum(one.consumes for one in workers)
    stopping = sum(one.consumes and one.stopping for one in workers)
    known = f"{count(alive, 'worker process', 'worker processes')} alive"
    if not alive:
        sentence = "no worker is alive"
    elif not consuming:
        sentence = f"{known}, but none consumes queue {task.queue}"
    elif stopping == consuming:
        sentence = f"{known}, but all that consume queue {task.queue} are stopping"
    else:
        sentence = f"{known}, but none of queue {task.queue} has the task {task.id}"
    if not consuming:
        help_ = f"start one: dramatiq zeke_jobs.actors (for this queue alone: --queues {task.queue})"
    else:
        help_ = "wait for their successors" if stopping else "restart them with a jobs.yaml and code that have it"
    figures = {"alive": alive, "consuming": consuming, "stopping": stopping}
    return reason("unserved", sentence, help_, task=task.id, queue=task.queue, **figures)


def later(job: Row) -> Reason:
    """It is not due: it waits for an event, was deferred, waits for its next attempt, or was sent for later."""
    due, why = until(job.run_at, job.now), job.waiting_for or ""
    figures = {"until": job.run_at, "now": job.now}
    if job.awaits_event:
        event = why.removeprefix("event ")
        sentence = f"it waits for the event {event!r}, and goes on without it when that has not come {due}"
        return reason("waits-for-event", sentence, f"zeke-jobs emit {event}", event=event, **figures)
    if job.waiting_for is not None:
        # Its handler did, or a lease.
        sentence = f"its handler deferred it {due}: {one_line(why)}; the jobs that are due before then go first"
        return reason("deferred", sentence, reason=why, **figures)
    if job.attempt > job.attempt_base and job.error is not None:
        error, left = error_of(job.error), max(0, job.retry_limit - (job.attempt - job.attempt_base) + 1)
        sentence = (
            f"attempt {job.attempt} failed ({error}); the next one waits {due}, {count(left, 'retry', 'retries')} left"
        )
        help_ = f"to run it at once: zeke-jobs retry {job.id}"
        figures |= {"job": job.id, "failed": job.attempt, "retries_left": left, "error": error}
        return reason("waits-for-retry", sentence, help_, **figures)
    sentence = f"it was sent for later: not before {when(job.run_at)} (in {span(job.run_at - job.now)})"
    return reason("not-due", sentence, **figures)


def expires(job: Row) -> Reason:
    """It is cancelled unless it starts in time."""
    if job.expires_on <= job.now:
        sentence = f"it had to start by {when(job.expires_on)} and did not: the next heartbeat of a worker cancels it"
    else:
        sentence = f"it is cancelled unless it starts by {when(job.expires_on)} (in {span(job.expires_on - job.now)})"
    return reason("expires", sentence, on=job.expires_on, now=job.now)


def stands_for_others(task: Row) -> Reason:
    """Its task is ``unique``: sends of an equal job are answered with this one."""
    fields, held = tuple(task.unique_fields or ()), task.unique_while or "queued"
    how = {"queued": "while it is queued", "active": "until it has ended"}.get(held, "for a time")
    same = f"the same {listed(fields)}" if fields else "the same payload"
    sentence = f"it is unique: {how}, a send with {same} makes no second job and is answered with this one"
    return reason("stands-for-others", sentence, fields=fields, held_while=held)


def after(job: Row, before: Row) -> Reason:
    """Its task runs the jobs of a key in strict order, and an earlier one has not ended, or failed and holds the key."""
    if before.status == "failed":
        what = f"failed {since(before.since, job.now).removeprefix('since ')} and holds the key"
        help_ = f"zeke-jobs retry {before.id}, or zeke-jobs cancel {before.id} to go on without it"
    else:
        waits = before.status != "active" and before.run_at > job.now
        what = f"is {before.status}" + (f" and waits {until(before.run_at, job.now)}" if waits else "")
        help_ = f"zeke-jobs why {before.id}"
    sentence = f"its key {job.key!r} is in strict order: {before.task} {before.id}, which was sent earlier, {what}"
    figures = {"key": job.key, "before": before.id, "status": before.status, "until": before.run_at, "now": job.now}
    return reason("after", sentence, help_, **figures)


def suspect(job: Row, emptying: Sequence[str]) -> Reason:
    """Workers died while they held it, so it runs alone in a process."""
    who = f"{listed(emptying)} finishes its other jobs for it" if emptying else "no worker makes room for it yet"
    alone = f"{job.deaths} workers died while running it, so it waits to run alone in a process ({who})"
    sentence = f"{alone}; after {QUARANTINE} deaths it fails"
    return reason("suspect", sentence, deaths=job.deaths, most=QUARANTINE, emptying=emptying)


def kept_by_suspect(queue: str, kept: Sequence[dict[str, Any]], now: datetime) -> Reason:
    """All processes that could run it claim nothing else, each for the sake of one job that must run alone."""
    who = "the one process" if len(kept) == 1 else f"each of the {len(kept)} processes"
    sentence = f"{who} for queue {queue} claims nothing else: {keepers.named(kept, now)}"
    return reason("kept-by-suspect", sentence, keepers.advice(kept), queue=queue, keepers=kept, now=now)


def ahead(row: Row) -> Reason:
    """Other due jobs are claimed first."""
    words = {
        "of its task with a higher priority": row.higher,
        "of its task that became due earlier": row.earlier,
        "of other tasks in its queue with a higher priority": row.others,
    }
    parts = [f"{up_to_most(number, 'job')} {what}" for what, number in words.items() if number]
    return reason("ahead", f"ahead of it are {listed(parts)}", **vars(row))


def turns(job: Row, row: Row) -> Reason:
    """The keys of its task take turns."""
    words = {"other keys": row.others, "its own": row.own}
    parts = [f"{up_to_most(number, 'job')} of {whose}" for whose, number in words.items() if number]
    sentence = f"the keys of its task take turns: {listed(parts)} go before it, by estimate"
    return reason("takes-turns", sentence, key=job.key, own=row.own, others=row.others)


def workers_busy(queue: str, workers: Sequence[Row]) -> Reason:
    """All threads that could run it have a job, or all places for async handlers, in the processes that claim."""
    threads, busy = sum(one.threads for one in workers), sum(one.busy for one in workers)
    where = "the one process" if len(workers) == 1 else f"the {len(workers)} processes"
    slots, more = ("places for async handlers", "ZEKE_JOBS_ASYNC") if workers[0].is_async else ("threads", "--threads")
    sentence = f"all {threads} {slots} of {where} for queue {queue} are busy ({busy} jobs claimed)"
    help_ = f"more of them, or more processes: {more}, dramatiq zeke_jobs.actors --processes N"
    return reason("workers-busy", sentence, help_, queue=queue, threads=threads, busy=busy, processes=len(workers))
