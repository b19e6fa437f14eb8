"""Reasons of running and ended jobs, and their history; each function makes one reason."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from zeke_jobs.core.wording import count, listed, one_line, place, progress, since, span, when
from zeke_jobs.diagnosis.reasons import QUARANTINE, Reason, error_of, reason
from zeke_jobs.postgres.queries import Row

_FINAL = frozenset({"Reject", "InvalidPayload"})
_OUTCOMES = {"retry": "failed, to be tried again", "died": "its worker died", "deferred": "deferred"}


def running(job: Row, worker: Row | None, timeout: timedelta | None) -> Reason:
    """A worker runs the job."""
    who, how_far = _process(worker), progress(job.progress)
    heartbeat = worker.heartbeat_on if worker else None
    parts = [f"it runs on {place(**who)} {since(job.started_on, job.now)}, attempt {job.attempt}"]
    if timeout is not None:
        left = job.started_on + timeout - job.now
        parts.append(f"timeout in {span(left)}" if left > timedelta(0) else f"its timeout of {span(timeout)} is over")
    if heartbeat is not None:
        parts.append(f"last heartbeat {span(job.now - heartbeat)} ago")
    parts.append(f"progress: {how_far}" if how_far else "it has reported no progress")
    figures = {"since": job.started_on, "attempt": job.attempt, "timeout": timeout, "heartbeat": heartbeat}
    return reason("running", "; ".join(parts), **who, **figures, progress=how_far, now=job.now)


def claimed(job: Row, worker: Row | None, *, is_held: bool) -> Reason:
    """A worker claimed the job and has not started it. Unless ``is_held``, the worker does not know of it."""
    who, claimed_on = _process(worker), job.claimed_on or job.now
    figures = {**who, "since": claimed_on, "now": job.now}
    sentence = f"{place(**who)} claimed it {since(claimed_on, job.now)}"
    if is_held:
        return reason("claimed", f"{sentence}; its handler is about to start", **figures)
    sentence += ", lives, and has not started it: the process does not know of the job"
    help_ = f"restart {place(**who)}: when it stops, it returns its jobs to the queue; and report this fault"
    return reason("not-held", sentence, help_, **figures)


def holder_silent(worker: Row | None, now: datetime) -> Reason:
    """The job's worker sends no heartbeats any more."""
    who = _process(worker)
    heartbeat, lost_after = (worker.heartbeat_on, worker.lost_after) if worker else (None, None)
    if worker is None:
        sentence = "the worker that claimed it is not in the fleet; the others take its jobs back after a minute"
    else:
        least = span(worker.lost_after)
        sentence = f"{place(**who)} last proved life {span(now - worker.heartbeat_on)} ago"
        sentence += f"; after {least} another worker takes its jobs back, once it has run for {least} itself"
    help_ = "where no other worker is alive, start one: dramatiq zeke_jobs.actors"
    return reason("holder-silent", sentence, help_, **who, heartbeat=heartbeat, lost_after=lost_after, now=now)


def being_cancelled(job: Row) -> Reason:
    """The job runs, and is being stopped."""
    why, on = job.cancel_reason or "", job.cancelled_on
    sentence = f"it is being stopped: cancelled{_by(job)} {since(on, job.now)}{_because(why)}"
    return reason("being-cancelled", sentence, by=job.cancelled_by, since=on, reason=why, now=job.now)


def completed(job: Row) -> Reason:
    """The job is completed."""
    on = job.completed_on or job.now
    waited = job.started_on - max(job.run_at, job.created_on) if job.started_on else None
    took = job.completed_on - job.started_on if job.completed_on and job.started_on else None
    sentence = f"it completed on {when(on)} at attempt {job.attempt}"
    sentence += "" if waited is None else f"; it waited {span(waited)}"
    sentence += "" if took is None else f" and ran {span(took)}"
    return reason("completed", sentence, on=on, attempt=job.attempt, waited=waited, took=took)


def failed(job: Row) -> Reason:
    """The job failed: its workers died, it is out of retries, or no retry could help."""
    on = job.completed_on or job.now
    if job.deaths >= QUARANTINE:
        deaths = tuple(error_of(entry.get("error")) for entry in job.attempts if entry.get("outcome") == "died")
        help_ = f"find the cause of the deaths (memory, a crash in C code); then zeke-jobs retry {job.id}"
        sentence = f"it is quarantined as failed since {when(on)}: {'; '.join(deaths)}"
        return reason("quarantined", sentence, help_, job=job.id, on=on, deaths=deaths)
    is_final, error = (job.error or {}).get("type") in _FINAL, error_of(job.error)
    why = "no retry could help" if is_final else "no retries left"
    sentence = f"it failed on {when(on)} at attempt {job.attempt} ({why}): {error}"
    help_ = f"{'once the cause is fixed: ' if is_final else ''}zeke-jobs retry {job.id}"
    figures = {"job": job.id, "on": on, "attempts": job.attempt, "is_final": is_final, "error": error}
    return reason("failed", sentence, help_, **figures)


def cancelled(job: Row) -> Reason:
    """The job was cancelled, or missed its start deadline."""
    on = job.cancelled_on or job.completed_on or job.now
    why, again = job.cancel_reason or "", f"to run it after all: zeke-jobs retry {job.id}"
    if job.expires_on is not None and why.startswith("expired: "):
        waited = max(timedelta(0), job.expires_on - max(job.run_at, job.created_on))
        sentence = f"it expired: it had to start by {when(job.expires_on)}, and had been due for {span(waited)} then"
        return reason("expired", sentence, again, job=job.id, on=on, expires_on=job.expires_on, waited=waited)
    sentence = f"it was cancelled{_by(job)} on {when(on)}{_because(why)}"
    return reason("cancelled", sentence, again, job=job.id, by=job.cancelled_by, on=on, reason=why)


def attempted(entry: dict[str, Any]) -> Reason:
    """One attempt that did not complete."""
    began, ended = (text and datetime.fromisoformat(text) for text in map(entry.get, ("started_on", "ended_on")))
    took = ended - began if began and ended else None
    number, outcome = int(entry.get("attempt", 0)), str(entry.get("outcome", "?"))
    outcome = _OUTCOMES.get(outcome, outcome)
    error = error_of(entry.get("error")) or str(entry.get("reason") or "")
    sentence = f"attempt {number}{f' on {when(began)}' if began else ''}: {outcome}"
    sentence += f"{'' if took is None else f', after {span(took)}'}{_because(error)}"
    traceback = tuple(str((entry.get("error") or {}).get("traceback") or "").splitlines())
    figures = {"number": number, "outcome": outcome, "started_on": began, "took": took, "said": error}
    return reason("attempt", sentence, **figures, traceback=traceback)


def origin(job: Row) -> Reason:
    """The job or the tick that sent it."""
    if job.scheduled_for is not None:
        sentence = f"its schedule sent it for the tick of {when(job.scheduled_for)}"
    else:
        sentence = f"{job.parent_task or 'a job that was purged'} {job.parent} sent it"
    return reason("origin", sentence, parent=str(job.parent or ""), parent_task=job.parent_task, tick=job.scheduled_for)


def sent(jobs: Sequence[dict[str, Any]]) -> Reason:
    """The jobs that it sent, by task and status."""
    groups = [
        f"{count(one['jobs'], 'job')} of {one['task']} ({one['status']}: {', '.join(map(str, one['first']))}"
        f"{', …' if one['jobs'] > len(one['first']) else ''})"
        for one in jobs
    ]
    return reason("sent", f"it sent {listed(groups)}", jobs=jobs)


def _process(worker: Row | None) -> dict[str, Any]:
    return {"host": worker.host, "pid": worker.pid} if worker else {"host": None, "pid": None}


def _by(job: Row) -> str:
    return f" by {job.cancelled_by}" if job.cancelled_by else ""


def _because(reason: str) -> str:
    return f": {one_line(reason)}" if reason else ""
