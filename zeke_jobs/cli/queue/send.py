"""``zeke-jobs send``: sends one job from a shell."""

import json
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

import zeke_jobs
from zeke_jobs.cli import database, options
from zeke_jobs.cli.options import flag, option, span, with_options
from zeke_jobs.cli.output import escape, print_json, say, tell
from zeke_jobs.cli.run import UsageError, usage
from zeke_jobs.client import drivers, task_cache

_OPTIONS: dict[str, Any] = {
    "delay": Annotated[timedelta | None, span("Not before this time from now, such as 5m.")],
    "run_at": Annotated[datetime | None, options.time("Not before this time, such as 2026-01-31T08:00Z.")],
    "priority": Annotated[int | None, option("Higher runs first.", "N")],
    "key": Annotated[str | None, option("The key by which per-key limits count.", "KEY")],
    "unique": Annotated[list[str] | None, option("No second queued job with the same value of this field.", "FIELD")],
    "expires": Annotated[timedelta | None, span("Cancelled if not started within this time, such as 1h.")],
    "id": Annotated[str | None, option("The job's id, a UUID.", "UUID")],
    "idempotency_key": Annotated[str | None, option("A second send with this key makes no job.", "KEY")],
    "unique_key": Annotated[str | None, option("No second queued or active job of the task with this key.", "KEY")],
    "retry": Annotated[int | None, option("Most retries, in place of the task's.", "N", "--retries", min=0)],
    "attempt_timeout": Annotated[timedelta | None, span("Longest attempt, in place of the task's timeout.")],
    "keep": Annotated[timedelta | None, span("How long the finished job stays.")],
    "units": Annotated[
        list[str] | None, option("Estimated use of a unit that limits count, such as tokens=900.", "UNIT=AMOUNT")
    ],
}


@partial(with_options, added=_OPTIONS)
def send(
    given: dict[str, Any],
    task: Annotated[str, options.argument("Id or alias of a task.", "TASK")],
    payload: Annotated[
        list[str] | None,
        options.argument("field=value …, or one JSON object, or - to read it from standard input.", "PAYLOAD"),
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
    database.choose_to_write()
    with usage():
        sent = zeke_jobs.send(task, _read(task, payload or []), **given)
    if wait or timeout is not None:
        if not as_json:
            say(f"sent {sent.id}, waiting", is_trouble=True)
        print_json(zeke_jobs.wait(sent.id, timeout))
    elif as_json:
        print_json(sent)
    elif sent.replaced:
        tell(f"{sent.id} was queued already and has this payload now: {escape(sent.task_id)}, {sent.status}")
    elif sent.duplicate:
        tell(f"{sent.id} was there already: {escape(sent.task_id)}, {sent.status}")
    else:
        tell(f"{sent.id} sent: {escape(sent.task_id)}")


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
    schema = drivers.perform(None, task_cache.find, task).payload
    if schema.takes_text(schema.field(name) or name):
        return name, text
    try:
        return name, json.loads(text)
    except ValueError:
        return name, text  # the payload's check gives the better message


def _amount(word: str) -> tuple[str, float]:
    unit, _, amount = word.partition("=")
    try:
        return unit, float(amount)
    except ValueError:
        raise UsageError(f"expected --units as unit=amount, such as tokens=900, got {word!r}") from None
