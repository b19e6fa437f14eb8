"""Writes jobs.yaml into the database: the revision, the tasks and the limits that everybody then obeys."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from zeke_jobs.config import handlers, load_text
from zeke_jobs.postgres import transaction
from zeke_jobs.queries import SQL

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config, Task


@dataclass(frozen=True)
class InForce:
    """What the fleet runs by. ``is_file`` is False when the caller's file is an older revision, which changes nothing."""

    revision: int
    config: Config
    is_file: bool
    file_revision: int


def sync(conn: Connection, config: Config, *, by: str | None = None, message: str = "") -> InForce:
    """Bring a booting process and the database together.

    A file that the database has never seen becomes the next revision and is in force. The file in force is confirmed. An older
    revision's file does not turn the fleet back: the answer is then the configuration in force, read from the database.

    Raises:
        ConfigurationError: the revision in force does not fit this process's code.
    """
    with transaction(conn):
        SQL.run(conn, "catalogue_lock")
        latest = SQL.one(conn, "revision_latest")
        known = SQL.one(conn, "revision_by_digest", digest=config.digest)
        if known is None or latest is None:
            number = _record(conn, config, by or author(), message)
            _write(conn, config, number)
            return InForce(number, config, is_file=True, file_revision=number)
        if latest["digest"] == config.digest:
            # The same file, but perhaps newer code with other payload models.
            _write(conn, config, latest["number"])
            return InForce(latest["number"], config, is_file=True, file_revision=latest["number"])
    in_force = load_text(latest["source"], name=f"revision {latest['number']}")
    return InForce(latest["number"], in_force, is_file=False, file_revision=known["number"])


def latest_number(conn: Connection) -> int:
    """Number of the revision in force; 0 when there is none."""
    latest = SQL.one(conn, "revision_latest")
    return 0 if latest is None else int(latest["number"])


def load_latest(conn: Connection) -> tuple[int, Config] | None:
    """The revision in force, read and checked against this process's code.

    Raises:
        ConfigurationError: it does not fit this code.
    """
    latest = SQL.one(conn, "revision_latest")
    if latest is None:
        return None
    return latest["number"], load_text(latest["source"], name=f"revision {latest['number']}")


def author() -> str:
    """Who changes things here: ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _record(conn: Connection, config: Config, by: str, message: str) -> int:
    row = SQL.one(conn, "revision_record", digest=config.digest, source=config.text, by=by, message=message)
    assert row is not None
    return int(row["number"])


def _write(conn: Connection, config: Config, revision: int) -> None:
    SQL.run(conn, "gate_write", gates=Json(list(_gates(config))))
    for task in config.tasks.values():
        SQL.run(conn, "task_write", revision=revision, **_row(config, task))
    SQL.run(conn, "task_forget", tasks=list(config.tasks))


def _gates(config: Config) -> list[dict[str, Any]]:
    gates = [
        {"name": f"limit/{limit.name}", "concurrency": limit.concurrency, **_rate(limit.rate)}
        for limit in config.limits.values()
    ]
    # A per-key limit is counted under the gate's lock too.
    gates.extend(
        {"name": f"task/{task.id}", "concurrency": task.concurrency.limit, **_rate(task.rate)}
        for task in config.tasks.values()
        if task.concurrency.limit is not None or task.concurrency.per_key is not None or task.rate is not None
    )
    return gates


def _rate(rate: Any) -> dict[str, Any]:
    return {
        "rate_count": rate.count if rate else None,
        "rate_period": f"{rate.period.total_seconds()} seconds" if rate else None,
    }


def _row(config: Config, task: Task) -> dict[str, Any]:
    handler = handlers.resolve(task)
    own = {gate["name"] for gate in _gates(config)}
    gates = [name for name in (f"task/{task.id}", *(f"limit/{used}" for used in task.uses)) if name in own]
    return {
        "id": task.id,
        "aliases": list(task.aliases),
        "queue": task.queue,
        "description": task.description,
        "definition": Json(task.model_dump(mode="json", exclude={"settings"})),
        "payload_schema": Json(handler.payload_model.model_json_schema(by_alias=False)),
        "priority": task.priority,
        "per_key": task.concurrency.per_key,
        "gates": sorted(gates),
        "retry_limit": task.retry.limit,
        "max_queued": task.max_queued,
        "unique_fields": _unique_fields(task, handler),
        "unique_while": task.unique.while_ if task.unique else None,
        "unique_period": task.unique.period if task.unique else None,
        "sensitive": list(task.sensitive),
        "cron": Json(_cron(task, handler)) if task.cron else None,
        "paused": task.paused or any(config.limits[used].paused for used in task.uses),
    }


def _unique_fields(task: Task, handler: handlers.Handler) -> list[str] | None:
    if task.unique is None:
        return None
    return list(task.unique.fields) or list(handler.payload_model.model_fields)


def _cron(task: Task, handler: handlers.Handler) -> dict[str, Any]:
    assert task.cron is not None
    # Stored as every payload is: in snake_case, with what the file says and nothing else.
    payload = handler.payload_model.model_validate(task.cron.payload)
    return {
        "at": task.cron.at,
        "timezone": task.cron.timezone,
        "missed": task.cron.missed,
        "window": task.cron.window.total_seconds(),
        "overlap": task.cron.overlap,
        "jitter": task.cron.jitter.total_seconds(),
        "payload": payload.model_dump(mode="json", by_alias=False, exclude_unset=True),
        "paused": task.cron.paused,
    }
