"""Explains the state of running and ended jobs, and lists their history."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from zeke_jobs.core.wording import count, listed, one_line, place, progress, since, span, when
from zeke_jobs.diagnosis.reasons import QUARANTINE, Reason, error_of
from zeke_jobs.postgres.queries import Row

_FINAL = frozenset({"Reject", "InvalidPayload"})
_OUTCOMES = {"retry": "failed, to be tried again", "died": "its worker died", "deferred": "deferred"}


def active(job: Row, task: Row | None, workers: Sequence[Row]) -> Iterator[Reason]:
    """Explain where the job runs, or why the job does not run although a worker claimed it."""
    worker = next((one for one in workers if one.id == job.worker), None)
    who = place(worker.host, worker.pid) if worker else place(None, None)
    if job.cancelled_on is not None:
        began = f"cancelled{_by(job)} {since(job.cancelled_on, job.now)}"
        yield Reason("being-cancelled", f"it is being stopped: {began}{_because(job.cancel_reason)}")
    is_silent = worker is None or worker.silent
    if is_silent:
        sentence = "the worker that claimed it is not in the fleet; the others take its jobs back after a minute"
        if worker is not None:
            least = span(worker.lost_after)
            sentence = f"{who} last proved life {span(job.now - worker.heartbeat_on)} ago"
            sentence += f"; after {least} another worker takes its jobs back, once it has run for {least} itself"
        help_ = "where no other worker is alive, start one: dramatiq zeke_jobs.actors"
        yield Reason("holder-silent", sentence, help_)
    if job.started_on is not None:
        yield _running(job, job.timeout or (task.timeout if task else None), worker, who)
        return
    claimed = f"{who} claimed it {since(job.claimed_on or job.now, job.now)}"
    # The worker's heartbeats check its claims. Perhaps none has checked a claim as new as this one yet.
    is_new = worker is None or (job.claimed_on or job.now) >= worker.heartbeat_on - worker.lost_after
    if is_silent or is_new or job.cancelled_on is not None:
        yield Reason("claimed", f"{claimed}; its handler is about to start")
    else:
        sentence = f"{claimed}, lives, and has not started it: the process does not know of the job"
        help_ = f"restart {who}: when it stops, it returns its jobs to the queue; and report this fault"
        yield Reason("not-held", sentence, help_)


def _running(job: Row, timeout: timedelta | None, worker: Row | None, who: str) -> Reason:
    parts = [f"it runs on {who} {since(job.started_on, job.now)}, attempt {job.attempt}"]
    if timeout is not None:
        left = job.started_on + timeout - job.now
        parts.append(f"timeout in {span(left)}" if left > timedelta(0) else f"its timeout of {span(timeout)} is over")
    if worker is not None:
        parts.append(f"last heartbeat {span(job.now - worker.heartbeat_on)} ago")
    how_far = progress(job.progress)
    parts.append(f"progress: {how_far}" if how_far else "it has reported no progress")
    return Reason("running", "; ".join(parts))


def ended(job: Row) -> Reason:
    """Explain how the job ended."""
    why, again = job.cancel_reason or "", f"zeke-jobs retry {job.id}"
    due = max(job.run_at, job.created_on)
    match job.status:
        case "completed":
            sentence = f"it completed on {when(job.completed_on or job.now)} at attempt {job.attempt}"
            if job.started_on:
                sentence += f"; it waited {span(job.started_on - due)}"
                sentence += f" and ran {span(job.completed_on - job.started_on)}" if job.completed_on else ""
            return Reason("completed", sentence)
        case "failed" if job.deaths >= QUARANTINE:
            deaths = "; ".join(error_of(one.get("error")) for one in job.attempts if one.get("outcome") == "died")
            sentence = f"it is quarantined as failed since {when(job.completed_on or job.now)}: {deaths}"
            help_ = f"find the cause of the deaths (memory, a crash in C code); then {again}"
            return Reason("quarantined", sentence, help_)
        case "failed":
            is_final = (job.error or {}).get("type") in _FINAL
            left = "no retry could help" if is_final else "no retries left"
            sentence = f"it failed on {when(job.completed_on or job.now)} at attempt {job.attempt} ({left})"
            help_ = f"once the cause is fixed: {again}" if is_final else again
            return Reason("failed", f"{sentence}: {error_of(job.error)}", help_)
    again = f"to run it after all: {again}"
    if job.expires_on is not None and why.startswith("expired: "):
        waited = span(max(timedelta(0), job.expires_on - due))
        sentence = f"it expired: it had to start by {when(job.expires_on)}, and had been due for {waited} then"
        return Reason("expired", sentence, again)
    on = when(job.cancelled_on or job.completed_on or job.now)
    return Reason("cancelled", f"it was cancelled{_by(job)} on {on}{_because(why)}", again)


def history(job: Row, sent: Sequence[Row]) -> Iterator[Reason]:
    """Yield the job's sender, its attempts that did not complete, and the jobs that it sent, by task and status."""
    if job.parent is not None or job.scheduled_for is not None:
        tick = f"its schedule sent it for the tick of {when(job.scheduled_for)}"
        sender = f"{job.parent_task or 'a job that was purged'} {job.parent} sent it"
        yield Reason("origin", tick if job.scheduled_for else sender)
    yield from map(attempted, job.attempts)
    groups = []
    for one in sent:
        ids = ", ".join([*map(str, one.first), *(["…"] if one.jobs > len(one.first) else [])])
        groups.append(f"{count(one.jobs, 'job')} of {one.task} ({one.status}: {ids})")
    if groups:
        yield Reason("sent", f"it sent {listed(groups)}")


def attempted(entry: dict[str, Any]) -> Reason:
    """Describe an attempt that did not complete."""
    began, ended = (text and datetime.fromisoformat(text) for text in map(entry.get, ("started_on", "ended_on")))
    outcome, error = str(entry.get("outcome", "?")), entry.get("error") or {}
    on = f" on {when(began)}" if began else ""
    took = span(ended - began) if began and ended else ""
    after = took and (f", noticed {took} later" if outcome == "died" else f", after {took}")
    because = _because(error_of(error) or str(entry.get("reason") or ""))
    sentence = f"attempt {entry.get('attempt', 0)}{on}: {_OUTCOMES.get(outcome, outcome)}{after}{because}"
    return Reason("attempt", sentence, traceback=tuple(str(error.get("traceback") or "").splitlines()))


def _by(job: Row) -> str:
    return f" by {job.cancelled_by}" if job.cancelled_by else ""


def _because(reason: str | None) -> str:
    return f": {one_line(reason)}" if reason else ""
