"""Describes a plan in words."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from zeke_jobs.cli.output import count, escape, when
from zeke_jobs.config.limits import Limit
from zeke_jobs.config.models import Task
from zeke_jobs.revisions import overrides, values
from zeke_jobs.revisions.diff import Change, Plan
from zeke_jobs.revisions.store import Override, visible

_SIGNS = {"added": "[green]+[/]", "removed": "[red]-[/]", "renamed": "[yellow]~[/]", "changed": "[yellow]~[/]"}
_LONGEST = 100


def plan_lines(plan: Plan) -> Iterator[str]:
    """A whole plan, in rich's markup."""
    yield from change_lines(plan.changes)
    for one in plan.fires:
        yield f"schedule {escape(one.task)}"
        yield f"    next before: {_ticks(one.before, one.before_zone)}"
        yield f"    next after:  {_ticks(one.after, one.after_zone)}"
    if plan.touched:
        yield "jobs"
    for jobs in plan.touched:
        counts = [f"{number} {word}" for number, word in ((jobs.queued, "queued"), (jobs.active, "active")) if number]
        style = "red" if jobs.why in ("stranded", "unfit") else "yellow"
        yield f"    [{style}]{escape(jobs.name)}: {', '.join(counts)}[/] ({escape(jobs.detail)})"
    if plan.overrides:
        yield "set by hand"
        yield from _by_hand(plan)
    for title, texts in (("also", plan.notes), ("may need a restart", plan.restarts)):
        if texts:
            yield title
            yield from (f"    {escape(text)}" for text in texts)


def change_lines(changes: Iterable[Change]) -> Iterator[str]:
    """Changes, grouped by task, limit or service."""
    last = None
    for change in changes:
        subject = f"{change.kind} {change.name}".strip()
        if not change.key:
            sign = _SIGNS[change.how]
            was = f" (was {change.before})" if change.how == "renamed" else ""
            yield f"{sign} {escape(subject)}{escape(was)}"
            if change.how == "added":
                yield from (f"    {escape(key)}: {shown(value)}" for key, value in _own(change))
        else:
            if last != subject:
                yield f"{_SIGNS['changed']} {escape(subject)}"
            yield f"    {escape(change.key)}: {_step(change.before, change.after)}"
        last = subject


def summary(plan: Plan) -> str:
    """A plan in one line."""
    if plan.changes:
        subjects = {(change.kind, change.name) for change in plan.changes}
        kinds = Counter(kind for kind, _ in subjects)
        parts = [count(kinds[kind], kind) for kind in ("task", "limit", "service") if kinds[kind]]
        return f"{', '.join(parts) or 'the file'} would change"
    if plan.notes:
        return "only values set by hand would change"
    if plan.text_differs:
        return "no change in effect; the text differs, as in a comment"
    return "only jobs would be cancelled" if plan.is_pending else "no change"


def _override_line(override: Override, all_: Sequence[Override]) -> str:
    """An override with its reason, and what applies after its end."""
    if override.drains is not None:
        text = f"{override.path[1]} drains: it takes no new jobs, and leaves when its last has ended"
    else:
        text = f"{override.label} = {_plain(override.value)}"
    back = overrides.hidden_by(override, all_)
    then = f", then {overrides.listed(back, override)}" if back else ""
    until = f", until {when(override.until)}{then}" if override.until else ""
    why = f": {override.why}" if override.why else ""
    return escape(f"{text}, by {override.by} since {when(override.set_on)}{until}{why}")


def shown(value: Any) -> str:
    """A value in jobs.yaml's notation, in rich's markup."""
    return "[dim]none[/]" if value is None else escape(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, values.Null):
        value = None
    text = yaml.safe_dump(value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False)
    text = text.removesuffix("\n").removesuffix("\n...")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _step(before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list) and before and after:
        gone = [f"[red]-{shown(one)}[/]" for one in _others(before, after)]
        new = [f"[green]+{shown(one)}[/]" for one in _others(after, before)]
        if gone or new:
            return " ".join([*gone, *new])
        if len(before) == len(after):
            return "in another order"
    return f"{shown(before)} → {shown(after)}"


def _others(some: list[Any], than: list[Any]) -> list[Any]:
    return [one for one in some if not any(values.same(one, other) for other in than)]


def _own(change: Change) -> Iterator[tuple[str, Any]]:
    """The keys of an added task or limit that differ from the defaults."""
    usual: values.Flat = {}
    if change.kind == "task":
        usual = values.flat(Task(id=change.name))
    elif change.kind == "limit":
        usual = values.flat(Limit(name=change.name))
    return ((key, value) for key, value in change.after.items() if not values.same(usual.get(key), value))


def _ticks(ticks: tuple[datetime, ...], zone: str) -> str:
    if not ticks:
        return "never"
    local = ", ".join(f"{tick.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M}" for tick in ticks)
    return f"{local} ({zone})" if zone == "UTC" else f"{local} ({zone}; first {when(ticks[0])})"


def _by_hand(plan: Plan) -> Iterator[str]:
    for override in visible(plan.overrides):
        yield f"    {_override_line(override, plan.overrides)}"
    for change in plan.overridden:
        if change.key:
            label = f"{'' if change.kind == 'task' else f'{change.kind}s.'}{change.name}.{change.key}"
            yield f"    {escape(label)}: the file says {shown(change.before)}, in force {shown(change.after)}"
