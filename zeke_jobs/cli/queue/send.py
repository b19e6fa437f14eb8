"""``zeke-jobs send``: sends one job from a shell."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta  # noqa: TC003 (typer reads the annotations)
from typing import Annotated, Any

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import escape, print_json, say, tell
from zeke_jobs.cli.run import UsageError, usage


def send(
    task: Annotated[str, typer.Argument(metavar="TASK", help="Id or alias of a task.", show_default=False)],
    payload: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PAYLOAD",
            help="field=value …, or one JSON object, or - to read it from standard input.",
            show_default=False,
        ),
    ] = None,
    delay: Annotated[
        timedelta | None,
        typer.Option(parser=options.duration, metavar="DURATION", help="Not before this time from now, such as 5m."),
    ] = None,
    run_at: Annotated[
        datetime | None,
        typer.Option(parser=options.moment, metavar="TIME", help="Not before this time, such as 2026-01-31T08:00Z."),
    ] = None,
    priority: Annotated[int | None, typer.Option(metavar="N", help="Higher runs first.")] = None,
    key: Annotated[str | None, typer.Option(metavar="KEY", help="The key by which per-key limits count.")] = None,
    unique: Annotated[
        list[str] | None, typer.Option(metavar="FIELD", help="No second queued job with the same value of this field.")
    ] = None,
    expires: Annotated[
        timedelta | None,
        typer.Option(
            parser=options.duration, metavar="DURATION", help="Cancelled if not started within this time, such as 1h."
        ),
    ] = None,
    id: Annotated[str | None, typer.Option(metavar="UUID", help="The job's id, a UUID.")] = None,  # noqa: A002 (the option's name)
    idempotency_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="A second send with this key makes no job.")
    ] = None,
    unique_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="No second queued or active job of the task with this key.")
    ] = None,
    retries: Annotated[
        int | None, typer.Option(metavar="N", help="Most retries, in place of the task's.", min=0)
    ] = None,
    attempt_timeout: Annotated[
        timedelta | None,
        typer.Option(
            parser=options.duration, metavar="DURATION", help="Longest attempt, in place of the task's timeout."
        ),
    ] = None,
    keep: Annotated[
        timedelta | None,
        typer.Option(parser=options.duration, metavar="DURATION", help="How long the finished job stays."),
    ] = None,
    units: Annotated[
        list[str] | None,
        typer.Option(metavar="UNIT=AMOUNT", help="Estimated use of a unit that limits count, such as tokens=900."),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, and print the output.")] = False,
    timeout: options.Timeout = None,
    as_json: options.Json = False,
) -> None:
    """Send a job."""
    from zeke_jobs import client

    database.choose_to_write()
    with usage():
        sent = client.send(
            task,
            _read(task, payload or []),
            delay=delay,
            run_at=run_at,
            priority=priority,
            key=key,
            unique=unique or None,
            expires=expires,
            id=id,
            idempotency_key=idempotency_key,
            unique_key=unique_key,
            retry=retries,
            timeout=attempt_timeout,
            keep=keep,
            units=dict(map(_amount, units)) if units else None,
        )
    if wait or timeout is not None:
        if not as_json:
            say(f"sent {sent.id}, waiting", is_trouble=True)
        print_json(client.wait(sent.id, timeout))
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
        text = sys.stdin.read() if words[0] == "-" else words[0]
        try:
            read = json.loads(text)
        except ValueError as error:
            raise UsageError(f"expected the payload as JSON, got a fault in it: {error}") from error
        if not isinstance(read, dict):
            raise UsageError(f"expected the payload as a JSON object, got {text[:40]!r}")
        return read
    return dict(_field(task, word) for word in words)


def _field(task: str, word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals or not name:
        raise UsageError(f"expected field=value or a JSON object, got {word!r}")
    from zeke_jobs.client import drivers
    from zeke_jobs.client.task_cache import KNOWN_TASKS

    schema = drivers.perform(lambda database: KNOWN_TASKS.find(database, task)).payload
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
