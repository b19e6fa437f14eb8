"""Send jobs: one, many in one statement, or by a statement that the caller runs."""

from __future__ import annotations

from itertools import repeat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Unpack
from uuid import UUID

from zeke_jobs.client import tracing
from zeke_jobs.client.drivers import named, numbered
from zeke_jobs.client.options import OneSendOptions, SendOptions, keys_of, new_id, options, refuse_unknown
from zeke_jobs.client.task_cache import KnownTask, with_task
from zeke_jobs.core.job import Sent
from zeke_jobs.errors import InvalidPayload, QueueFull
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from zeke_jobs.client.drivers import Runner
    from zeke_jobs.client.options import OneSendOptions

_MOST_AT_ONCE = 64 * 1024 * 1024  # bytes; a jsonb value ends at 256 MB
Style = Literal["numeric", "named", "pyformat"]
_NOT_TODAY = {"unknown", "stale"}


def send(
    task: str,
    payload: Mapping[str, Any] | BaseModel | None = None,
    *,
    connection: Any = None,
    **said: Unpack[OneSendOptions],
) -> Sent:
    """Send one job: one INSERT, one round trip.

    Args:
        task: Id or alias of a task.
        payload: Its fields, in snake_case or camelCase, up to 1 MiB of JSON; or the task's payload model.
        delay: Not before this time from now; a timedelta, or seconds.
        run_at: Not before this time, which must have a zone.
        priority: Higher runs first; without it, the task's.
        key: What the task's per-key limit counts by.
        unique: Make no second job with the same values of these payload fields while the first is queued: a name, several
            names, ``True`` for what the task says or else the whole payload, ``False`` for none; or a mapping of ``fields``
            with ``while`` (``queued``; ``active``: queued or running) or with ``period`` (a timedelta, or seconds, after the
            first was sent). A running job may send its own successor.
        expires: Cancelled if it has not started by then: a time with a zone, or a time from now.
        id: The job's id, chosen by the caller. A second send with it makes no job.
        idempotency_key: The caller's name for this send, per task. A second send with it makes no job, until the first is purged.
        parent: The job that sends this one.
        units: What it will use of the units that its limits count, such as ``{"tokens": 900}``; without it, what its task says
            or has learned.
        scheduled_for: The tick that this job is for; there is one job per task and tick.
        connection: Send in this connection's transaction, without a commit: psycopg2, psycopg 3, or SQLAlchemy's
            Connection or Session.

    Raises:
        UnknownTask: there is no such task; the message names the nearest.
        InvalidPayload: the payload does not fit the task's model. Nothing was written.
        QueueFull: the task has ``max_queued`` jobs waiting. Nothing was written.
        ValueError: an option makes no sense.
        MigrationError: the database has no tables of zeke_jobs.
        ConfigurationError: neither ``connection`` nor ``DATABASE_URL``.
    """
    refuse_unknown(said)
    # The id is chosen here, so that a send whose connection died half-way can be repeated without a second job.
    own = new_id() if said.get("id") is None else None
    said = {**said, "id": own or said.get("id")}

    def attempt(run: Runner, known: KnownTask) -> Sent | None:
        chosen = encode(_with_units(run, known, options(said, known)))
        params = {"task": known.id, "revision": known.revision, "payload": known.accept(payload), "options": chosen}
        outcome, found, status = answer(run(SQL.text("send/one"), params)[0][0])
        return None if outcome in _NOT_TODAY else _sent(known, outcome, found, status, own=own)

    with tracing.sending(task):
        return with_task(task, attempt, connection)


def send_many(
    task: str,
    payloads: Iterable[Mapping[str, Any] | BaseModel],
    *,
    keys: Sequence[str | None] | None = None,
    connection: Any = None,
    **said: Unpack[SendOptions],
) -> list[Sent]:
    """Send many jobs of one task in one statement: all of them, or none when one is refused.

    The options are ``send``'s and hold for each job; ``keys`` gives each its own key. The answers are in the payloads' order.

    Raises:
        As ``send``. InvalidPayload names the payload by its index, such as ``[3].url``.
        ValueError: ``keys`` has another length or something that is no key, or the payloads together exceed 64 MiB.
    """
    refuse_unknown(said, SendOptions)
    given = list(payloads)
    own_keys = [] if keys is None else keys_of(keys, len(given))
    ids = [new_id() for _ in given]

    def attempt(run: Runner, known: KnownTask) -> list[Sent] | None:
        chosen = _with_units(run, known, options(said, known))
        params = {
            "task": known.id,
            "revision": known.revision,
            "payloads": _array([_accepted(known, index, payload) for index, payload in enumerate(given)]),
            "ids": "{" + ",".join(map(str, ids)) + "}",
            "keys": own_keys,
            "options": encode(chosen),
        }
        sent = list(map(Sent, ids, repeat("created"), repeat(known.id)))
        for ordinal, outcome, found, status in run(SQL.text("send/many"), params):
            if outcome in _NOT_TODAY:
                return None
            sent[ordinal - 1] = _sent(known, outcome, found, status, own=ids[ordinal - 1])
        return sent

    if not given:
        return []
    with tracing.sending(task):
        return with_task(task, attempt, connection)


def answer(sent: str) -> tuple[str, str, str]:
    """What the statement ``send/one`` says became of a send: outcome, the job's id, its status. Empty where there is no job."""
    outcome, found, status = sent[1:-1].split(",")
    return outcome, found, status


class Statement(NamedTuple):
    """SQL and its parameters, for a driver that the caller runs."""

    sql: str
    params: Any


def statement(
    task: str,
    payload: Mapping[str, Any] | BaseModel | None = None,
    *,
    style: Style = "numeric",
    **said: Unpack[OneSendOptions],
) -> Statement:
    """The statement that sends a job, for asyncpg and other drivers; it returns the job's id.

    The payload and the options (``send``'s, but ``connection``) are checked here, against the catalogue at ``DATABASE_URL``.

    Args:
        task: Id or alias of a task.
        payload: Its fields.
        style: How the driver writes parameters: ``numeric`` (``$1``; params is a tuple), ``named`` (``:name``) or ``pyformat``
            (``%(name)s``), the last two with a mapping.
        said: The options.

    Raises:
        As ``send``; a full queue and a task that is gone by now are errors of the statement.
    """
    refuse_unknown(said)

    def build(run: Runner, known: KnownTask) -> Statement:
        sql = SQL.text("send/statement")
        chosen = encode(_with_units(run, known, options(said, known)))
        params = {"task": known.id, "payload": known.accept(payload), "options": chosen}
        if style == "numeric":
            return Statement(*numbered(sql, params))
        if style == "named":
            return Statement(named(sql), params)
        if style == "pyformat":
            return Statement(sql, params)
        raise ValueError(f"expected style numeric, named or pyformat, got {style!r}")

    return with_task(task, build, None)


def _sent(known: KnownTask, outcome: str, found: str, status: str, *, own: UUID | None) -> Sent:
    if outcome == "full":
        raise QueueFull(
            f"expected room in the queue of {known.id}, got as many jobs as its max_queued lets wait (none while it drains); "
            "send again later"
        )
    if outcome == "taken":
        raise ValueError(f"expected an id of its own, got {found}, which a job of another task has")
    job_id = UUID(found)
    # Meeting one's own id means that a first try had got through before its connection died.
    return Sent(job_id, status, known.id, duplicate=outcome == "duplicate" and job_id != own)


def _with_units(run: Runner, known: KnownTask, chosen: dict[str, Any]) -> dict[str, Any]:
    """The options, where a job that uses so much could ever start: the limits of its task are asked."""
    if "units" in chosen:
        ((unfit,),) = run(SQL.text("send/unfit_units"), {"task": known.id, "units": encode(chosen["units"])})
        if unfit is not None:
            raise ValueError(unfit)
    return chosen


def _accepted(known: KnownTask, index: int, payload: Any) -> str:
    try:
        return known.accept(payload)
    except InvalidPayload as error:
        faults = [(f"[{index}].{place}" if place else f"[{index}]", message) for place, message in error.errors]
        raise InvalidPayload(f"payloads[{index}]: {error}", faults) from error


def _array(texts: list[str]) -> str:
    text = "[" + ",".join(texts) + "]"
    if len(text) > _MOST_AT_ONCE:
        raise ValueError(
            f"expected payloads of 64 MiB together at most, got {len(text):,} characters; send them in parts"
        )
    return text
