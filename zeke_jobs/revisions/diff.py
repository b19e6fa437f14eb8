"""Compares two versions of jobs.yaml by dotted keys such as ``retry.limit``. Needs no database and no clock."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, Literal
from zoneinfo import ZoneInfo

from zeke_jobs.config.entries import Keys
from zeke_jobs.config.limits import Budget, Limit, NamedSchedule, Rate, Schedule
from zeke_jobs.config.models import Config, Middleware, Service, Task
from zeke_jobs.config.validation import accepted_keys
from zeke_jobs.core.redaction import MASK
from zeke_jobs.core.wording import format_duration
from zeke_jobs.cron.calendar import parse
from zeke_jobs.payload.json_text import join
from zeke_jobs.revisions import store
from zeke_jobs.revisions.store import Override

Flat = dict[str, Any]
#: Handlers read the values of these keys, where a null is not the same as a missing key.
_OF_HANDLERS = ("settings.", "cron.payload.")


class Null(StrEnum):
    """Marks a key of jobs.yaml that is explicitly null, which does not mean the same as a missing key."""

    NULL = "null"


def flat(one: Task | Limit) -> Flat:
    """Return the values of a task or a limit in jobs.yaml by dotted key, without unset values."""
    return {
        key: value
        for key, value in _pairs("", one)
        if key not in ("id", "name")
        and (key.startswith(_OF_HANDLERS) or (value is not Null.NULL and value not in ("", [], {})))
    }


def _service(one: Service | Middleware) -> Flat:
    """Map dotted keys to the settings of a service or middleware in jobs.yaml, with its key ``use``."""
    return dict(_pairs("", {"use": one.use, **one.settings}))


def _top(config: Config) -> Flat:
    """Return ``migrations`` and ``middleware`` of jobs.yaml, without empty values."""
    named = {"migrations": list(config.migrations), "middleware": list(map(_service, config.middleware))}
    return {key: value for key, value in named.items() if value}


def same(one: Any, other: Any) -> bool:
    """Return whether two values mean the same to a handler. ``1`` differs from ``true`` and from ``1.0``."""
    return type(one) is type(other) and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _pairs(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Rate | Budget):
        yield key, str(value)
    elif isinstance(value, timedelta):
        yield key, format_duration(value)
    elif isinstance(value, Keys):
        short = value.short_form[0] if value.short_form and value.short_form[1] is not list else None
        for name, written in zip(type(value).model_fields, accepted_keys(type(value)), strict=True):
            yield from _pairs(key if name in (short, value.spread) else join(key, written), getattr(value, name))
    elif isinstance(value, dict) and (value or not key):
        for name, inner in value.items():
            yield from _pairs(join(key, name), inner)
    elif isinstance(value, tuple) and value and isinstance(value[0], NamedSchedule):
        for one in value:
            yield from _pairs(join(key, one.name), one)
    elif isinstance(value, tuple | list):
        yield key, list(value)
    else:
        yield key, Null.NULL if value is None else value


Kind = Literal["task", "limit", "service", "file"]
Why = Literal["stranded", "cancelled", "renamed", "unfit", "above", "moved", "priority"]


@dataclass(frozen=True)
class Change:
    """Describes one difference. ``key`` is empty for a whole task, limit or service. ``before`` of a rename is the old id."""

    how: Literal["added", "removed", "renamed", "changed"]
    kind: Kind
    name: str
    key: str = ""
    before: Any = None
    after: Any = None


@dataclass(frozen=True)
class Fires:
    """Holds a schedule's next fire times before and after a change. A paused or missing schedule has none."""

    task: str
    before: tuple[datetime, ...]
    after: tuple[datetime, ...]
    before_zone: str
    after_zone: str


@dataclass(frozen=True)
class Touched:
    """Describes an effect of a new jobs.yaml on unfinished jobs. ``name`` is a task, or ``limits.NAME`` for a limit.

    ``why`` is the kind of effect. ``stranded``: no task would run the jobs. ``cancelled``: ``apply --cancel`` cancels
    stranded jobs. ``renamed``: jobs get their task's new name. ``unfit``: queued payloads no longer fit. ``above``:
    more jobs are active than a limit allows. ``moved``: jobs get another queue. ``priority``: jobs get a new priority.
    """

    why: Why
    name: str
    queued: int
    active: int
    detail: str


@dataclass(frozen=True)
class Plan:
    """Describes what would change if a new jobs.yaml were put in force."""

    revision: int  # the revision in force at the comparison; 0 if no revision was in force
    text_differs: bool  # whether the text differs from the text in force, even if only in a comment
    changes: tuple[Change, ...]
    fires: tuple[Fires, ...] = ()
    touched: tuple[Touched, ...] = ()
    restarts: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()  # the values set by hand that will override the file
    overridden: tuple[Change, ...] = ()  # the differences of the overrides from the file
    notes: tuple[str, ...] = ()  # descriptions of changes to overrides

    @property
    def is_pending(self) -> bool:
        """Return whether applying the plan would store a new revision of jobs.yaml."""
        cancels = any(one.why == "cancelled" for one in self.touched)
        return self.text_differs or bool(self.changes) or bool(self.notes) or cancels

    @property
    def stranded(self) -> list[Touched]:
        """Return the unfinished jobs that no task of the new jobs.yaml would run."""
        return [one for one in self.touched if one.why == "stranded"]


def changes(before: Config | None, after: Config) -> tuple[Change, ...]:
    """Return the differences of two configurations. An id that became an alias counts as renamed. Sensitive fields are masked."""
    before = before or Config()
    new_names = renames(before, after)
    found = [Change("renamed", "task", new, before=old, after=new) for old, new in new_names.items()]
    for old, new in new_names.items():
        found += _within("task", new, flat(before.tasks[old]), flat(after.tasks[new]), without="aliases")
    both = {*new_names, *new_names.values()}
    tasks = [{name: task for name, task in one.tasks.items() if name not in both} for one in (before, after)]
    found += _all("task", tasks[0], tasks[1], flat)
    found += _all("limit", before.limits, after.limits, flat)
    found += _all("service", before.services, after.services, _service)
    found += _within("file", "", _top(before), _top(after))
    fields = store.sensitive_fields(before, after)
    return tuple(_masked(one, fields) if one.kind == "task" else one for one in found)


def renames(before: Config, after: Config) -> dict[str, str]:
    """Return the new id of each renamed task, by its old id. The old id is an alias of the new task."""
    return {old: new for old, new in successors(before, after).items() if new not in before.tasks}


def successors(before: Config, after: Config) -> dict[str, str]:
    """Map each task id that became an alias to the id of the task that takes over its jobs. That task may be new."""
    return {alias: task.id for task in after.tasks.values() for alias in task.aliases if alias in before.tasks}


def fires(before: Config | None, after: Config, now: datetime) -> tuple[Fires, ...]:
    """Return the next fire times of schedules that ``after`` adds, moves, pauses or removes, even by merging tasks."""
    before = before or Config()
    former = {new: old for old, new in renames(before, after).items()}
    new_names = {old: new for new, old in former.items()}
    news = {name: cron for task in after.tasks.values() for name, cron in task.schedules.items()}
    olds = {
        new_names.get(task.id, task.id) + name.removeprefix(task.id): cron
        for task in before.tasks.values()
        for name, cron in task.schedules.items()
    }
    both = {name: (olds.get(name), news.get(name)) for name in (*news, *olds)}
    return tuple(
        Fires(
            name, next_fires(old, now), next_fires(new, now), old.timezone if old else "", new.timezone if new else ""
        )
        for name, (old, new) in both.items()
        if _timing(old) != _timing(new)
    )


def next_fires(cron: Schedule | None, now: datetime) -> tuple[datetime, ...]:
    """Return a schedule's next three fire times, or an empty tuple if the schedule is paused."""
    if cron is None or cron.paused:
        return ()
    return tuple(islice(parse(cron.at).after(now, ZoneInfo(cron.timezone)), 3))


def restarts(before: Config | None, after: Config) -> tuple[str, ...]:
    """Return descriptions of changes in jobs.yaml that running processes adopt only after a restart."""
    if before is None:
        return ()
    found, known = [], {task.handler for task in before.tasks.values()}
    if queues := sorted(set(after.queues) - set(before.queues)):
        found.append(f"queue {', '.join(queues)}: running workers do not consume it; restart the ones that should")
    stays = "stays at the revision in force now, until it is restarted with it"
    new = [task for task in after.tasks.values() if task.handler not in known]
    found += [f"{task.id}: a worker whose code has no {task.handler} {stays}" for task in new]
    if set(after.migrations) - set(before.migrations):
        found.append("migrations: run zeke-jobs migrate first; workers verify the schema when they start")
    if after.middleware != before.middleware:
        found.append("middleware: processes that run already keep theirs until they are restarted")
    return tuple(found)


def _masked(change: Change, fields: store.Fields) -> Change:
    def hidden(value: Any, key: str) -> Any:
        if isinstance(value, dict) and not key:
            return {name: hidden(inner, name) for name, inner in value.items()}
        return store.hide(value, fields, ("tasks", change.name, *key.split(".")))

    return replace(change, before=hidden(change.before, change.key), after=hidden(change.after, change.key))


def _timing(cron: Schedule | None) -> tuple[str, str, bool] | None:
    return None if cron is None else (cron.at, cron.timezone, cron.paused)


def _all(kind: Kind, before: Mapping[str, Any], after: Mapping[str, Any], flat: Callable[[Any], Flat]) -> list[Change]:
    found = [Change("added", kind, name, after=flat(one)) for name, one in after.items() if name not in before]
    found += [Change("removed", kind, name, before=flat(one)) for name, one in before.items() if name not in after]
    for name, one in after.items():
        if name in before:
            found += _within(kind, name, flat(before[name]), flat(one))
    return found


def _within(kind: Kind, name: str, before: Flat, after: Flat, *, without: str = "") -> list[Change]:
    comes_or_goes = ("cron" in before) != ("cron" in after)
    return [
        Change("changed", kind, name, key, before.get(key), after.get(key))
        for key in dict.fromkeys([*after, *before])
        if key != without
        and not same(before.get(key), after.get(key))
        and repr(MASK) not in repr(before.get(key))  # this login may not read the field
        # If a task gets or loses its cron, show only the time and the zone, without the cron's other settings.
        and not (comes_or_goes and key.startswith("cron.") and key != "cron.timezone")
    ]
