"""The rows that a configuration makes in the database: its tasks and limits, which claims and senders then obey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json

from zeke_jobs.config import handlers
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import timedelta

    from psycopg2.extensions import connection as Connection

    from zeke_jobs.config.models import Config, Schedule, Task

GATHER = 10_000  # jobs of a task that move to its new name or queue in one statement


def write(conn: Connection, config: Config, revision: int, draining: Collection[str]) -> None:
    """Make limits and tasks what the configuration says. Limits come first: no claim passes them until the transaction ends."""
    SQL.run(conn, "revision/limits", gates=Json(gates(config)))
    SQL.run(conn, "revision/tasks", revision=revision, tasks=Json(tasks(config, draining)))


def gather(conn: Connection) -> list[dict[str, Any]]:
    """Give queued jobs the names, the queues and the keys that their tasks ask for by now; says what was moved."""
    SQL.all(conn, "job/late_keys")
    return SQL.all(conn, "job/gather", limit=GATHER)


def tasks(config: Config, draining: Collection[str] = ()) -> list[dict[str, Any]]:
    """The rows of its tasks. One that drains takes no new jobs."""
    own = {gate["name"] for gate in gates(config)}
    return [
        {**_row(config, task, own), **({"max_queued": 0} if task.id in draining else {})}
        for task in config.tasks.values()
    ]


def gates(config: Config) -> list[dict[str, Any]]:
    """The rows of its limits: those that tasks share, and those of single tasks."""
    found = [
        {"name": f"limit/{limit.name}", "former": [], "concurrency": limit.concurrency, **_rate(limit.rate)}
        for limit in config.limits.values()
    ]
    # A per-key limit is counted under the gate's lock too.
    found.extend(
        {
            "name": f"task/{task.id}",
            "former": [f"task/{name}" for name in task.aliases],
            "concurrency": task.concurrency.limit,
            **_rate(task.rate),
        }
        for task in config.tasks.values()
        if task.concurrency.limit is not None or task.per_key is not None or task.rate is not None
    )
    return found


def _rate(rate: Any) -> dict[str, Any]:
    return {
        "rate_count": rate.count if rate else None,
        "rate_period": _seconds(rate.period if rate else None),
    }


def _seconds(length: timedelta | None) -> str | None:
    return None if length is None else f"{length.total_seconds()} seconds"


def _row(config: Config, task: Task, own: Collection[str]) -> dict[str, Any]:
    handler, definition, unique = handlers.resolve(task), task.definition, task.unique
    passed = [name for name in (f"task/{task.id}", *(f"limit/{used}" for used in task.uses)) if name in own]
    return {
        **definition,  # a key becomes a column where zeke_jobs.write_tasks names it
        "definition": definition,
        "payload_schema": handler.payload_model.model_json_schema(by_alias=False),
        "per_key": task.per_key,
        "order_hold": task.after_failure == "hold" if task.order else None,
        "gates": sorted(passed),
        "retry_limit": task.retry.limit,
        "unique_fields": list(unique.fields or handler.payload_model.model_fields) if unique else None,
        "unique_while": unique.while_ if unique else None,
        "unique_period": _seconds(unique.period if unique else None),
        "cron": _crons(task, handler),
        "paused": task.paused or any(config.limits[used].paused for used in task.uses),
    }


def _crons(task: Task, handler: handlers.Handler) -> Any:
    if isinstance(task.cron, tuple):
        return [{**_cron(one, handler), "name": one.name, "key": one.job_key} for one in task.cron]
    return None if task.cron is None else _cron(task.cron, handler)


def _cron(cron: Schedule, handler: handlers.Handler) -> dict[str, Any]:
    # The payload is stored as every payload is: in snake_case, with what the file says and nothing else.
    payload = handler.payload_model.model_validate(cron.payload)
    return {
        **cron.model_dump(mode="json", exclude={"name", "job_key"}),
        "window": cron.window.total_seconds(),
        "jitter": cron.jitter.total_seconds(),
        "payload": payload.model_dump(mode="json", by_alias=False, exclude_unset=True),
    }
