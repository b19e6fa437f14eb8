"""Reasons of running and ended jobs, and their history; each function makes one reason."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from zeke_jobs.core.wording import count, listed, one_line, place, progress, since, span, when
from zeke_jobs.diagnosis.reasons import QUARANTINE, Reason, error_of
from zeke_jobs.postgres.queries import Row

_FINAL = frozenset({"Reject", "InvalidPayload"})
_OUTCOMES = {"retry": "failed, to be tried again", "died": "its worker died", "deferred": "deferred"}


def running(job: Row, worker: Row | None, timeout: timedelta | None) -> Reason:
    """A worker runs the job."""
    how_far, heartbeat = progress(job.progress), worker.heartbeat_on if worker else None
    parts = [f"it runs on {_process(worker)} {since(job.started_on, job.now)}, attempt {job.attempt}"]
    if timeout is not None:
        left = job.started_on + timeout - job.now
        parts.append(f"timeout in {span(left)}" if left > timedelta(0) else f"its timeout of {span(timeout)} is over")
    if heartbeat is not None:
        parts.append(f"last heartbeat {span(job.now - heartbeat)} ago")
    parts.append(f"progress: {how_far}" if how_far else "it has reported no progress")
    return Reason("running", "; ".join(parts))


def claimed(job: Row, worker: Row | None, *, is_held: bool) -> Reason:
    """A worker claimed the job and has not started it. Unless ``is_held``, the worker does not know of it."""
    who = _process(worker)
    sentence = f"{who} claimed it {since(job.claimed_on or job.now, job.now)}"
    if is_held:
        return Reason("claimed", f"{sentence}; its handler is about to start")
    sentence += ", lives, and has not started it: the process does not know of the job"
    return Reason(
        "not-held", sentence, f"restart {who}: when it stops, it returns its jobs to the queue; and report this fault"
    )


def holder_silent(worker: Row | None, now: datetime) -> Reason:
    """The job's worker sends no heartbeats any more."""
    if worker is None:
        sentence = "the worker that claimed it is not in the fleet; the others take its jobs back after a minute"
    else:
        least = span(worker.lost_after)
        sentence = f"{_process(worker)} last proved life {span(now - worker.heartbeat_on)} ago"
        sentence += f"; after {least} another worker takes its jobs back, once it has run for {least} itself"
    return Reason("holder-silent", sentence, "where no other worker is alive, start one: dramatiq zeke_jobs.actors")


def being_cancelled(job: Row) -> Reason:
    """The job runs, and is being stopped."""
    began = f"cancelled{_by(job)} {since(job.cancelled_on, job.now)}"
    return Reason("being-cancelled", f"it is being stopped: {began}{_because(job.cancel_reason or '')}")


def completed(job: Row) -> Reason:
    """The job is completed."""
    sentence = f"it completed on {when(job.completed_on or job.now)} at attempt {job.attempt}"
    if job.started_on:
        sentence += f"; it waited {span(job.started_on - max(job.run_at, job.created_on))}"
        sentence += f" and ran {span(job.completed_on - job.started_on)}" if job.completed_on else ""
    return Reason("completed", sentence)


def failed(job: Row) -> Reason:
    """The job failed: its workers died, it is out of retries, or no retry could help."""
    on = when(job.completed_on or job.now)
    if job.deaths >= QUARANTINE:
        deaths = [error_of(entry.get("error")) for entry in job.attempts if entry.get("outcome") == "died"]
        help_ = f"find the cause of the deaths (memory, a crash in C code); then zeke-jobs retry {job.id}"
        return Reason("quarantined", f"it is quarantined as failed since {on}: {'; '.join(deaths)}", help_)
    is_final = (job.error or {}).get("type") in _FINAL
    why = "no retry could help" if is_final else "no retries left"
    help_ = f"{'once the cause is fixed: ' if is_final else ''}zeke-jobs retry {job.id}"
    return Reason("failed", f"it failed on {on} at attempt {job.attempt} ({why}): {error_of(job.error)}", help_)


def cancelled(job: Row) -> Reason:
    """The job was cancelled, or missed its start deadline."""
    why, again = job.cancel_reason or "", f"to run it after all: zeke-jobs retry {job.id}"
    if job.expires_on is not None and why.startswith("expired: "):
        waited = span(max(timedelta(0), job.expires_on - max(job.run_at, job.created_on)))
        sentence = f"it expired: it had to start by {when(job.expires_on)}, and had been due for {waited} then"
        return Reason("expired", sentence, again)
    on = when(job.cancelled_on or job.completed_on or job.now)
    return Reason("cancelled", f"it was cancelled{_by(job)} on {on}{_because(why)}", again)


def attempted(entry: dict[str, Any]) -> Reason:
    """One attempt that did not complete."""
    began, ended = (text and datetime.fromisoformat(text) for text in map(entry.get, ("started_on", "ended_on")))
    outcome = str(entry.get("outcome", "?"))
    error = error_of(entry.get("error")) or str(entry.get("reason") or "")
    sentence = (
        f"attempt {entry.get('attempt', 0)}{f' on {when(began)}' if began else ''}: {_OUTCOMES.get(outcome, outcome)}"
    )
    sentence += f"{f', after {span(ended - began)}' if began and ended else ''}{_because(error)}"
    traceback = tuple(str((entry.get("error") or {}).get("traceback") or "").splitlines())
    return Reason("attempt", sentence, traceback=traceback)


def origin(job: Row) -> Reason:
    """The job or the tick that sent it."""
    if job.scheduled_for is None:
        sentence = f"{job.parent_task or 'a job that was purged'} {job.parent} sent it"
    else:
        sentence = f"its schedule sent it for the tick of {when(job.scheduled_for)}"
    return Reason("origin", sentence)


def sent(jobs: Sequence[dict[str, Any]]) -> Reason:
    """The jobs that it sent, by task and status."""
    groups = [
        f"{count(one['jobs'], 'job')} of {one['task']} ({one['status']}: {', '.join(map(str, one['first']))}"
        f"{', …' if one['jobs'] > len(one['first']) else ''})"
        for one in jobs
    ]
    return Reason("sent", f"it sent {listed(groups)}")


def _process(worker: Row | None) -> str:
    return place(worker.host, worker.pid) if worker else place(None, None)


def _by(job: Row) -> str:
    return f" by {job.cancelled_by}" if job.cancelled_by else ""


def _because(reason: str) -> str:
    return f": {one_line(reason)}" if reason else ""
