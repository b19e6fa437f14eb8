"""Makes the database rows of the tasks and limits in jobs.yaml, for a starting worker, ``apply`` and ``check``."""

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from zeke_jobs.config import handlers
from zeke_jobs.config.limits import Limit, Rate, Schedule
from zeke_jobs.config.models import Config, Task

_MANY = 1_000_000


def tasks(config: Config, draining: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return the database rows of a configuration's tasks, in the file's order. ``draining`` tasks take no new jobs."""
    return [
        {**row(config, task), **({"max_queued": 0} if task.id in draining else {})} for task in config.tasks.values()
    ]


def buckets(config: Config) -> list[dict[str, Any]]:
    """Return the database rows of all limits. Each limit has a row for jobs, for each unit, and for its budget."""
    found = list[dict[str, Any]]()
    for limit in config.limits.values():
        users = [name for task in config.tasks.values() if limit.name in task.uses for name in (task.id, *task.aliases)]
        throttle = {"least": limit.throttle.least, "raise_every": _seconds(limit.throttle.raise_every)}
        own: dict[str, Any] = {"concurrency": limit.concurrency, **throttle}
        if (breaker := limit.breaker) is not None:
            own |= {
                "breaker_failures": None if breaker.failures < 1 else int(breaker.failures),
                "breaker_share": breaker.failures if breaker.failures < 1 else None,
                "breaker_within": _seconds(breaker.within),
                "breaker_pause": _seconds(breaker.pause),
            }
        found += _buckets(f"limit/{limit.name}", users, [], config, limit, own)
    for task in config.tasks.values():
        if _has_limit(task):  # the lock of the row also protects the counts and the order of the task's keys
            own = {"concurrency": task.concurrency.limit}
            if task.rate and task.rate.per_key:
                own |= {"key_amount": task.rate.per_key.count, "key_period": _seconds(task.rate.per_key.period)}
            former = [f"task/{name}" for name in task.aliases]
            found += _buckets(f"task/{task.id}", (task.id, *task.aliases), former, config, task, own)
    return found


def _buckets(
    name: str, tasks: Sequence[str], former: Sequence[str], config: Config, one: Task | Limit, own: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    chunked = {name: task.chunk.size for name in tasks if (task := config.task(name)) and task.chunk}
    shared = {"name": name, "tasks": list(tasks), "former": former, "chunked": [*chunked] or None}
    rate, burst = (one.rate.limit, one.rate.beside) if one.rate else (None, 0)
    if rate and chunked:  # all jobs of a chunk start at once
        burst = max(burst, min(max(chunked.values()), rate.count // 2) - 1)
    yield {**shared, "unit": "jobs", **_amount(rate, burst), **own}
    for unit, use in one.units.items() if isinstance(one, Limit) else ():
        yield {**shared, "unit": unit, **_amount(use.rate, use.burst or 0)}
    if one.budget is not None:
        yield {**shared, "unit": one.budget.currency, "amount": str(one.budget.amount), "zone": config.timezone}


def _amount(rate: Rate | None, beside: float) -> dict[str, Any]:
    return {"amount": rate.count, "period": _seconds(rate.period), "burst": beside} if rate else {"amount": None}


def _seconds(length: timedelta | None) -> str | None:
    return None if length is None else f"{length.total_seconds()} seconds"


def _has_limit(task: Task) -> bool:
    # A task with ``chunk`` has a row too: the row's lock stops two claims from each collecting a part of a chunk.
    own = (task.per_key, task.rate, task.budget, task.order, task.share, task.chunk)
    return task.concurrency.limit is not None or any(own)


def row(config: Config, task: Task) -> dict[str, Any]:
    """Return one task's row in the table of tasks."""
    handler, definition, unique = handlers.resolve(task), task.definition, task.unique
    crons = [_cron(one, handler.payload_model) for one in task.schedules.values()]
    # With a rate per key or chunks by key, jobs are claimed key by key, even if no limit counts a key's active jobs.
    by_key = (task.rate is not None and task.rate.per_key is not None) or (task.chunk is not None and task.chunk.by)
    return {
        **definition,  # a key becomes a column if zeke_jobs.task has a column of this name
        "definition": definition,
        "payload_schema": handler.payload_schema,
        "per_key": task.per_key or (_MANY if by_key else None),
        "order_hold": task.after_failure == "hold" if task.order else None,
        "limits": sorted([f"limit/{used}" for used in task.uses] + [f"task/{task.id}"] * _has_limit(task)),
        "retry_limit": task.retry.limit,
        "unique_fields": list(unique.fields or handler.payload_model.model_fields) if unique else None,
        "unique_while": unique.while_ if unique else None,
        "unique_period": _seconds(unique.period if unique else None),
        "cron": crons if isinstance(task.cron, tuple) else next(iter(crons), None),
        "paused": task.paused or any(config.limits[used].paused for used in task.uses),
    }


def _cron(cron: Schedule, model: type[BaseModel]) -> dict[str, Any]:
    # Store the payload as ``send`` does: in snake_case, and only the fields that jobs.yaml sets.
    payload = model.model_validate(cron.payload).model_dump(mode="json", by_alias=False, exclude_unset=True)
    times = {"window": cron.window.total_seconds(), "jitter": cron.jitter.total_seconds()}
    return {**cron.model_dump(mode="json", by_alias=True), **times, "payload": payload}
