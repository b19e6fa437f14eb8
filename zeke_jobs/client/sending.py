"""Sends one job, or many jobs in one statement, or makes an SQL statement that sends a job when the caller runs it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Unpack
from uuid import UUID

from zeke_jobs.client import drivers, tracing
from zeke_jobs.client.options import as_id, new_id, refuse_unknown, refused, stored
from zeke_jobs.client.plans import Database, named, numbered
from zeke_jobs.client.task_cache import KnownTask, find, with_task
from zeke_jobs.core.batch import COUNTS, ManyJobOptions, OneJobOptions
from zeke_jobs.core.job import Sent
from zeke_jobs.errors import BatchClosed, InvalidPayload, QueueFull
from zeke_jobs.payload.json_text import encode
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from pydantic import BaseModel

_MOST_AT_ONCE = 64 * 1024 * 1024  # bytes of all payloads of a call; Postgres limits a jsonb value to 256 MB


def send(
    task: str,
    payload: Mapping[str, Any] | BaseModel | None = None,
    *,
    connection: Any = None,
    **options: Unpack[OneJobOptions],
) -> Sent:
    """Send one job, in one statement and one round trip.

    Args:
        task: Id or alias of a task.
        payload: The fields in snake_case or camelCase, or an instance of the task's payload model; up to 1 MiB of JSON.
        delay: The time from now to the earliest start; a timedelta, or seconds.
        run_at: The earliest start, a time with a zone.
        priority: -100 to 100; jobs with a higher number run first; by default the task's priority.
        key: A text, such as a customer's id. The task's limits per key apply to all jobs with the same key together.
        unique: Make no second job while one with the same values of these payload fields is queued. Give one or several
            names, ``True`` for the fields in jobs.yaml (by default the whole payload), ``False`` to allow duplicates,
            or a mapping. It has ``fields``, and ``while`` (``queued``, or ``active`` to count running jobs too) or
            ``period`` (the time since the first send: a timedelta, or seconds). With ``on_duplicate: replace``, a later
            call changes the queued job's payload and run time. ``postpone`` does the same, but never makes the run time
            earlier. ``at_most`` is the longest time from the first send to the run time.
        unique_key: A text. Make no second job with it while the first is unfinished, or for as long as ``unique`` says.
        retry: The number of retries, or a mapping of ``limit``, ``delay`` and ``max_delay``; the task has the defaults.
        timeout: The maximum time of an attempt, which replaces the task's ``timeout``; a timedelta, or seconds.
        keep: How long the job is kept after its end, whether it completed or not; a timedelta, or seconds.
        batch: The id of an open batch, of the sending job's batch, or of a new batch that has only this job.
        expires: The job is cancelled if it has not started by this time: a time with a zone, or a time from now.
        id: The job's id, chosen by the caller. A second send with the same id makes no job.
        idempotency_key: A second send of the task with this key makes no job until the job of the first is purged.
        parent: The job that sends this one.
        units: The job's probable use of the units that its limits count, such as ``{"tokens": 900}``; by default the
            average of recent jobs, or the task's estimate.
        scheduled_for: The tick (due time) of a schedule for which the job is sent; a task has one job per tick.
        connection: A connection of psycopg2 or psycopg 3, or SQLAlchemy's Connection or Session. The job is sent in the
            connection's transaction, which the caller commits.

    Raises:
        UnknownTask: no task has this name; the message suggests the nearest name.
        InvalidPayload: the payload does not fit the task's model. Nothing was written.
        QueueFull: ``max_queued`` jobs of the task are waiting already. Nothing was written.
        TypeError, ValueError: an option is unknown or not valid.
        MigrationError: the database has no tables of zeke_jobs.
        ConfigurationError: there is neither a ``connection`` nor ``DATABASE_URL``.
    """
    return drivers.perform(connection, one, task, payload, options)


@tracing.in_span
async def one(
    database: Database,
    task: str,
    payload: Mapping[str, Any] | BaseModel | None,
    options: Mapping[str, Any],
    carried: Mapping[str, Any] | None = None,
) -> Sent:
    """Run the database queries of ``send``. ``carried`` has the options that middleware passes to the worker."""
    refuse_unknown(options)
    # Choose the id before the statement, so that repeating the statement after a dead connection makes no second job.
    own = new_id() if options.get("id") is None else None
    job_id = own or as_id("id", options["id"])
    chosen = stored(options)
    chosen.pop("id", None)
    if carried:
        chosen["carried"] = dict(carried)
    text = encode(chosen) if chosen else "{}"

    async def attempt(database: Database, known: KnownTask) -> Sent | None:
        given = {"task": known.id, "revision": str(known.revision), "payload": known.accept(payload), "options": text}
        ((answer,),) = await database.ask("send/one", **given, id=str(job_id))
        if not answer:
            return Sent(job_id, "created", known.id)
        return _sent(known, options, job_id, json.loads(answer), own=own)

    return await with_task(database, task, attempt)


def send_many(
    task: str,
    payloads: Iterable[Mapping[str, Any] | BaseModel],
    *,
    keys: Sequence[str | None] | None = None,
    connection: Any = None,
    **options: Unpack[ManyJobOptions],
) -> list[Sent]:
    """Send many jobs of one task in one statement: all of them, or none if one is refused.

    The options of ``send`` apply to each job, and ``keys`` has one key for each job. The results are in the payloads'
    order. With ``batch``, the jobs form one batch, which ends when all of them have ended. ``then`` is the task and the
    payload of a job that is sent in the transaction in which the batch ends. In this payload, ``{"$batch": "failed"}``
    becomes the number of failed jobs; ``jobs``, ``completed``, ``cancelled`` and ``id`` work in the same way. With
    ``after_failure="hold"``, the batch waits until failed jobs are retried or cancelled.

    Raises:
        The same exceptions as ``send``. InvalidPayload names the payload by its index, such as ``[3].url``.
        BatchClosed: a batch with this id exists and accepts no more jobs.
        ValueError: the numbers of keys and payloads differ, a key is not valid, or all payloads together exceed 64 MiB.
    """
    return drivers.perform(connection, many, task, payloads, keys, options)


@tracing.in_span
async def many(
    database: Database,
    task: str,
    payloads: Iterable[Mapping[str, Any] | BaseModel],
    keys: Sequence[str | None] | None,
    options: Mapping[str, Any],
) -> list[Sent]:
    """Run the database queries of ``send_many``."""
    refuse_unknown(options, ManyJobOptions)
    given, own_keys = list(payloads), list(keys or ())
    if isinstance(keys, str):
        raise TypeError(f"expected keys as a list, got the text {keys!r}; key= is for all jobs")
    if keys is not None and len(keys) != len(given):
        raise ValueError(f"expected as many keys as payloads, got {len(keys)} for {len(given)}")
    for index, key in enumerate(own_keys):
        if not isinstance(key, str | None):
            raise TypeError(f"expected keys[{index}] as text, got {key!r}")
    ids = [new_id() for _ in given]

    async def attempt(database: Database, known: KnownTask) -> list[Sent] | None:
        chosen = await batch_options(database, options)
        jobs = {"payloads": _array(known, given), "ids": "{" + ",".join(map(str, ids)) + "}", "keys": own_keys}
        said = {"task": known.id, "revision": known.revision, "options": encode(stored(chosen))}
        ((text,),) = await database.ask("send/many", **said, **jobs)
        answers = json.loads(text or "[]")
        sent = [Sent(job_id, "created", known.id) for job_id in ids]
        for answer in [answers] if isinstance(answers, dict) else answers:
            index = answer.get("n", 0)
            one = _sent(known, {**options, "keys": own_keys}, ids[index], answer, own=ids[index])
            if one is None:
                return None
            sent[index] = one
        return sent

    return await with_task(database, task, attempt) if given or options.get("batch") is not None else []


async def batch_options(database: Database, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with ``then`` in its stored form. Its payload is checked with 0 for each ``$batch`` number."""
    if options.get("then") is None:
        return dict(options)
    if not isinstance(options["then"], tuple) or len(options["then"]) != 2:
        raise TypeError(f"expected then as a task and its payload, got {options['then']!r}")
    task, payload = options["then"]
    known = await find(database, task)
    places = {
        name: value["$batch"]
        for name, value in (payload.items() if isinstance(payload, Mapping) else ())
        if isinstance(value, Mapping) and value.keys() == {"$batch"}
    }
    if unknown := set(places.values()) - {"id", *COUNTS}:
        raise ValueError(f"expected $batch with id, {', '.join(COUNTS)}, got {', '.join(map(str, unknown))}")
    filled = {name: options["batch"] if what == "id" else 0 for name, what in places.items()}
    accepted = json.loads(known.accept({**payload, **filled} if places else payload))
    wanted = {known.payload.field(name): {"$batch": what} for name, what in places.items()}
    return {**options, "then": {"task": known.id, "payload": accepted | wanted}}


class Statement(NamedTuple):
    """Holds an SQL text and its parameters, which the caller runs with any driver."""

    sql: str
    params: Any


def statement(
    task: str,
    payload: Mapping[str, Any] | BaseModel | None = None,
    *,
    style: Literal["numeric", "named", "pyformat"] = "numeric",
    **options: Unpack[OneJobOptions],
) -> Statement:
    """Return a statement that sends a job, for asyncpg and other drivers. The statement returns the job's id.

    The arguments and exceptions are the same as for ``send``. The database at ``DATABASE_URL`` checks the arguments.
    The statement fails later if the queue is full when it runs, or if jobs.yaml no longer has the task.

    Args:
        task: Id or alias of a task.
        payload: The job's fields.
        style: How the driver writes parameters: ``numeric`` (``$1``), ``named`` (``:name``) or ``pyformat``
            (``%(name)s``). The parameters are a tuple for ``numeric``, and otherwise a mapping.
        options: As for ``send``, without ``connection``.
    """
    refuse_unknown(options)
    chosen = encode(stored(options))

    async def build(database: Database, known: KnownTask) -> Statement:
        sql = SQL.text("send/statement")
        params = {"task": known.id, "payload": known.accept(payload), "options": chosen}
        ((refusal,),) = await database.ask("send/refusal", **params)
        if refusal is not None:
            raise refused(json.loads(refusal), options)
        if style == "numeric":
            return Statement(*numbered(sql, params))
        if style in ("named", "pyformat"):
            return Statement(named(sql) if style == "named" else sql, params)
        raise ValueError(f"expected style numeric, named or pyformat, got {style!r}")

    return drivers.perform(None, with_task, task, build)


def _sent(
    known: KnownTask, options: Mapping[str, Any], job_id: UUID, answer: Mapping[str, Any], *, own: UUID | None
) -> Sent | None:
    """Return the result of ``send`` from the database's answer, or None if the task has changed or was removed."""
    match answer["outcome"]:
        case "unknown" | "stale":
            return None
        case "refused":
            raise refused(answer, options)
        case "full":
            got = "as many jobs as its max_queued lets wait (none while it drains)"
            raise QueueFull(f"expected room in the queue of {known.id}, got {got}; send again later")
        case "closed":
            raise BatchClosed(f"expected a batch that is new or open, got {options['batch']!r}, which was closed")
        case "taken":
            raise ValueError(f"expected an id of its own, got {job_id}, which a job of another task has")
        case outcome:
            found = UUID(answer["job_id"])
            # If the duplicate has this send's own id, the first try succeeded before its connection died.
            is_another = outcome != "created" and found != own
            return Sent(found, answer["status"], known.id, duplicate=is_another, replaced=outcome == "replaced")


def _array(known: KnownTask, payloads: list[Any]) -> str:
    texts = []
    for index, payload in enumerate(payloads):
        try:
            texts.append(known.accept(payload))
        except InvalidPayload as error:
            faults = [(f"[{index}].{place}" if place else f"[{index}]", message) for place, message in error.errors]
            raise InvalidPayload(f"payloads[{index}]: {error}", faults) from error
    text = f"[{','.join(texts)}]"
    if len(text) > _MOST_AT_ONCE:
        got = f"{len(text):,} characters"
        raise ValueError(f"expected payloads of 64 MiB together at most, got {got}; send them in parts")
    return text
