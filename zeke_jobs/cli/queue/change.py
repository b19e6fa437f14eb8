"""Runs the commands ``send``, ``cancel``, ``retry``, ``prioritise`` and ``reschedule`` of ``zeke-jobs``."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import typer

import zeke_jobs
from zeke_jobs.cli import database, options
from zeke_jobs.cli.options import FILTERS, argument, flag, option, span, time, with_options
from zeke_jobs.cli.output import answer, count, counter, escape, listing, named, print_json, say, styled
from zeke_jobs.cli.run import FAILED, FINE, UsageError, usage
from zeke_jobs.client import drivers, task_cache
from zeke_jobs.client.batches import cancel_batch, changeable, retry_batch
from zeke_jobs.client.changing import one, run_time_of
from zeke_jobs.client.many import Change, Verb
from zeke_jobs.core.environment import author

_SHARED: dict[str, Any] = {
    "job_ids": Annotated[list[str] | None, argument("Ids of jobs, or their beginnings or ends.", "ID")],
    "limit": Annotated[int | None, option("Largest number of jobs, the first sent first; by default all.", "N", min=1)],
    "dry_run": options.DryRun,
    "yes": options.Yes,
    "as_json": options.Json,
}
_SLOW = 1000  # a change of more jobs shows its progress
_changing = partial(with_options, added={**FILTERS, **_SHARED})


@_changing
def cancel(
    asked: dict[str, Any], reason: Annotated[str | None, option("Kept with the job, for people.", "WHY")] = None
) -> int:
    """Cancel jobs, chosen by ids or filters. Queued jobs end at once, active jobs within moments.

    Exit 1 if a job had already ended, or no job matched.
    """
    return _change(asked, "cancel", "cancelled, or being stopped", reason=reason)


@_changing
def retry(asked: dict[str, Any]) -> int:
    """Run failed or cancelled jobs again, chosen by ids or filters.

    The jobs keep their history, and get all their retries again. Exit 1 if a job was not retried, or no job matched.
    """
    return _change(asked, "retry", "queued again")


@_changing
def prioritise(
    asked: dict[str, Any], priority: Annotated[int, option("Higher runs first.", "N", show_default=False)]
) -> int:
    """Change the priority of queued jobs, chosen by ids or filters. Exit 1 if a job was not changed or none matched."""
    return _change(asked, "prioritise", f"of priority {priority} now", {"priority": priority})


@_changing
def reschedule(
    asked: dict[str, Any],
    run_at: Annotated[datetime | None, time("Not before this time, such as 2026-01-31T08:00Z.")] = None,
    delay: Annotated[timedelta | None, span("Not before this time from now; 0s is at once.")] = None,
) -> int:
    """Change the due time of queued jobs, chosen by ids or filters. Exit 1 if a job was not changed or none matched."""
    with usage():
        value = run_time_of(run_at, delay)
    return _change(asked, "reschedule", "due at their new time", value)


def _change(
    asked: dict[str, Any], verb: Verb, done: str, value: Mapping[str, Any] | None = None, *, reason: str | None = None
) -> int:
    """Change jobs that have these ids or match filters. Cancel or retry a whole batch if only ``batch`` is given."""
    given = {name: value for name, value in asked.items() if name in FILTERS}
    value = value or {}
    job_ids, limit, as_json = asked.get("job_ids"), asked.get("limit"), "as_json" in asked
    if bool(job_ids) is bool(given):
        names = ", ".join(f"--{name}" for name in FILTERS)
        raise UsageError(f"expected ids, or filters ({names}), got {'both' if given else 'neither'}")
    database.choose(writes=True)
    said: dict[str, Any] = {"by": author(), "reason": reason}
    with usage():
        if job_ids:
            # Find all jobs before the first change, so that nothing is changed if an id is unknown.
            found = [zeke_jobs.status(options.find_job(text)).id for text in job_ids]
            changed = [drivers.perform(None, one, verb, job, value, **said) for job in found]
            answer(changed, "\n".join(f"{job.id}: {escape(job.note)}" for job in changed), as_json=as_json)
            return FINE if all(job.changed for job in changed) else FAILED
        whole: dict[str, Any] = {"cancel": partial(cancel_batch, reason=reason), "retry": retry_batch}
        if verb in whole and given.keys() == {"batch"} and limit is None:
            if "dry_run" not in asked:
                return _tell_changed(whole[verb](given["batch"], by=author()), done, as_json=as_json)
            given = dict(changeable(verb, given["batch"]))
        change = Change(verb, given, value=value, limit=limit, **said)
        counted = change.count()
    total = sum(part.jobs for part in counted)
    asks = total > 0 and options.is_asked(yes="yes" in asked, as_json=as_json)
    if asks or "dry_run" in asked:
        columns = named("task=task_id") | {"status": lambda one: styled(one.status), "jobs": "jobs"}
        listing(counted, columns, right=("jobs",), empty="no jobs to change", as_json=as_json)
    if "dry_run" in asked:
        return FINE if total else FAILED
    if asks:
        typer.confirm(f"{verb} {count(total, 'job')}?", abort=True)
    return _tell_changed(_parts(change, total, as_json=as_json), done, as_json=as_json)


def _parts(change: Change, total: int, *, as_json: bool) -> list[UUID]:
    changed: list[UUID] = []
    try:
        with counter(shows=total > _SLOW and not as_json) as told:
            for part in change.parts():
                changed += part
                told(f"{len(changed):,} of {total:,}")
    except BaseException:
        # Each part is committed alone, so earlier parts stay changed. The interrupted part may have been committed too.
        jobs = count(len(changed), "job")
        say(f"at least {jobs} changed before it was interrupted; run it again for the rest", is_trouble=True)
        raise
    return changed


def _tell_changed(changed: list[UUID], done: str, *, as_json: bool) -> int:
    """Print the number of changed jobs, or their ids as JSON. Returns 1 if no job changed."""
    answer(changed, f"{count(len(changed), 'job')} {'is' if len(changed) == 1 else 'are'} {done}", as_json=as_json)
    return FINE if changed else FAILED


_OPTIONS: dict[str, Any] = {
    "delay": Annotated[timedelta | None, span("Not before this time from now, such as 5m.")],
    "run_at": Annotated[datetime | None, time("Not before this time, such as 2026-01-31T08:00Z.")],
    "priority": Annotated[int | None, option("Higher runs first.", "N")],
    "key": Annotated[str | None, option("The key by which per-key limits count.", "KEY")],
    "unique": Annotated[list[str] | None, option("No second queued job with the same value of this field.", "FIELD")],
    "expires": Annotated[timedelta | None, span("Cancelled if not started within this time, such as 1h.")],
    "id": Annotated[str | None, option("The job's id, a UUID.", "UUID")],
    "idempotency_key": Annotated[str | None, option("A second send with this key makes no job.", "KEY")],
    "unique_key": Annotated[str | None, option("No second queued or active job of the task with this key.", "KEY")],
    "retry": Annotated[int | None, option("Number of retries, instead of the task's.", "N", "--retries", min=0)],
    "attempt_timeout": Annotated[timedelta | None, span("Maximum duration of an attempt, instead of the task's.")],
    "keep": Annotated[timedelta | None, span("How long the finished job stays.")],
    "units": Annotated[list[str] | None, option("Estimated use of a unit, such as tokens=900.", "UNIT=AMOUNT")],
}


@partial(with_options, added=_OPTIONS)
def send(
    given: dict[str, Any],
    task: options.TaskId,
    payload: Annotated[
        list[str] | None, argument("field=value …, or one JSON object, or - to read it from standard input.", "PAYLOAD")
    ] = None,
    wait: Annotated[bool, flag("--wait", "Wait for the end, and print the output.")] = False,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> None:
    """Send a job."""
    if "attempt_timeout" in given:
        given["timeout"] = given.pop("attempt_timeout")
    if "units" in given:
        given["units"] = dict(map(_amount, given["units"]))
    database.choose(writes=True)
    with usage():
        sent = zeke_jobs.send(task, _read(task, payload or []), **given)
    if wait or timeout is not None:
        if not as_json:
            say(f"sent {sent.id}, waiting", is_trouble=True)
        print_json(zeke_jobs.wait(sent.id, timeout))
        return
    told = f"{sent.id} sent: {sent.task_id}"
    if sent.duplicate or sent.replaced:
        how = "was queued already and has this payload now" if sent.replaced else "was there already"
        told = f"{sent.id} {how}: {sent.task_id}, {sent.status}"
    answer(sent, escape(told), as_json=as_json)


def _read(task: str, words: list[str]) -> dict[str, Any]:
    if len(words) == 1 and (words[0] == "-" or words[0].lstrip().startswith(("{", "["))):
        read = options.read_json(words[0], "the payload")
        if not isinstance(read, dict):
            raise UsageError(f"expected the payload as a JSON object, got {json.dumps(read)[:40]!r}")
        return read
    return dict(_field(task, word) for word in words)


def _field(task: str, word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals or not name:
        raise UsageError(f"expected field=value or a JSON object, got {word!r}")
    if drivers.perform(None, task_cache.find, task).payload.takes_text(name):
        return name, text
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text  # the check of the payload has a better message


def _amount(word: str) -> tuple[str, float]:
    unit, _, amount = word.partition("=")
    try:
        return unit, float(amount)
    except ValueError:
        raise UsageError(f"expected --units as unit=amount, such as tokens=900, got {word!r}") from None
