"""The rows of a configuration in the catalogue, as a booting worker or ``apply`` writes them. Pure.

``check`` makes them too, so that it refuses what they would refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zeke_jobs.config import handlers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import timedelta

    from zeke_jobs.config.limits import Breaker, Limit, LimitRate
    from zeke_jobs.config.models import Config, Task
    from zeke_jobs.config.schedules import Schedule

_MANY = 1_000_000


def tasks(config: Config, draining: Collection[str] = ()) -> Iterator[dict[str, Any]]:
    """The rows of its tasks, in their order. A draining task takes no new jobs."""
    own = {gate["name"]: gate["metered"] for gate in gates(config)}
    for task in config.tasks.values():
        yield {**_row(config, task, own), **({"max_queued": 0} if task.id in draining else {})}


def gates(config: Config) -> list[dict[str, Any]]:
    """The rows of its limits, shared ones and those of single tasks."""
    found = [
        _gate(
            f"limit/{limit.name}",
            limit.concurrency,
            limit.rate,
            [*_units(limit), *_budget(limit, config)],
            least=limit.throttle.least,
            raise_every=_seconds(limit.throttle.raise_every),
            **_breaker(limit.breaker),
        )
        for limit in config.limits.values()
    ]
    for task in config.tasks.values():
        meters = [*_per_key(task), *_budget(task, config)]
        # The gate's lock also protects the count of a per-key limit.
        if task.concurrency.limit is not None or task.per_key is not None or task.rate is not None or meters:
            former = [f"task/{name}" for name in task.aliases]
            found.append(_gate(f"task/{task.id}", task.concurrency.limit, task.rate, meters, former=former))
    return found


def _gate(
    name: str, concurrency: int | None, rate: LimitRate | None, meters: list[dict[str, Any]], **more: Any
) -> dict[str, Any]:
    window = rate.window if rate else None
    return {
        "name": name,
        "former": [],
        "concurrency": concurrency,
        "rate_count": window.count if window else None,
        "rate_period": _seconds(window.period if window else None),
        "metered": bool(window or meters or more.get("breaker_pause")),
        "meters": meters,
        **more,
    }


def _units(limit: Limit) -> Iterator[dict[str, Any]]:
    for unit, one in limit.units.items():
        assert one.window is not None
        yield _meter(unit, one.window.count, period=_seconds(one.window.period))


def _budget(one: Task | Limit, config: Config) -> Iterator[dict[str, Any]]:
    if one.budget is not None:
        yield _meter(one.budget.currency, str(one.budget.amount), zone=config.timezone)


def _per_key(task: Task) -> Iterator[dict[str, Any]]:
    if task.rate is not None and task.rate.per_key is not None:
        yield _meter("jobs", task.rate.per_key.count, period=_seconds(task.rate.per_key.period), per_key=True)


def _meter(unit: str, amount: int | str, **more: Any) -> dict[str, Any]:
    return {"unit": unit, "amount": amount, "per_key": False, "period": None, "zone": None, **more}


def _breaker(breaker: Breaker | None) -> dict[str, Any]:
    if breaker is None:
        return {}
    is_share = breaker.failures < 1
    return {
        "breaker_failures": None if is_share else int(breaker.failures),
        "breaker_share": breaker.failures if is_share else None,
        "breaker_within": _seconds(breaker.within),
        "breaker_pause": _seconds(breaker.pause),
    }


def _seconds(length: timedelta | None) -> str | None:
    return None if length is None else f"{length.total_seconds()} seconds"


def _row(config: Config, task: Task, own: Mapping[str, bool]) -> dict[str, Any]:
    handler, definition, unique = handlers.resolve(task), task.definition, task.unique
    passed = [name for name in (f"task/{task.id}", *(f"limit/{used}" for used in task.uses)) if name in own]
    return {
        **definition,  # a key becomes a column if zeke_jobs.write_tasks names it
        "definition": definition,
        "payload_schema": handler.payload_schema,
        "per_key": _jobs_of_a_key(task),
        "order_hold": task.after_failure == "hold" if task.order else None,
        "gates": sorted(passed),
        "metered": any(own[name] for name in passed),
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


def _jobs_of_a_key(task: Task) -> int | None:
    """Limit on a key's active jobs. If only the rate of a key is limited, it is huge, so that jobs are claimed by key."""
    by_rate = task.rate is not None and task.rate.per_key is not None
    return task.per_key or (_MANY if by_rate else None)


def _cron(cron: Schedule, handler: handlers.Handler) -> dict[str, Any]:
    # Store the payload in the usual form: snake_case, only the fields in the file.
    payload = handler.payload_model.model_validate(cron.payload)
    return {
        **cron.model_dump(mode="json", exclude={"name", "job_key"}),
        "window": cron.window.total_seconds(),
        "jitter": cron.jitter.total_seconds(),
        "payload": payload.model_dump(mode="json", by_alias=False, exclude_unset=True),
    }
