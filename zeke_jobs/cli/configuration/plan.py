"""Runs ``zeke-jobs plan``, which shows the effects of a jobs.yaml before the file is applied."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import yaml
from psycopg2.extensions import connection as Connection

from zeke_jobs.backtest.comparing import Backtest, of_newest
from zeke_jobs.cli import database
from zeke_jobs.cli.configuration import backtest_report
from zeke_jobs.cli.configuration.check import File, load
from zeke_jobs.cli.options import Json, option, pair, with_options
from zeke_jobs.cli.output import count, escape, plain, print_json, tell, tick, when
from zeke_jobs.cli.run import FINE, PENDING, UsageError
from zeke_jobs.config.limits import Limit
from zeke_jobs.config.models import Task
from zeke_jobs.core import environment
from zeke_jobs.revisions import diff, overrides, store
from zeke_jobs.revisions.diff import Change, Plan
from zeke_jobs.revisions.proposal import Orders, Proposal, Request, propose
from zeke_jobs.revisions.store import Override, visible

_SIGNS = {"added": "[green]+[/]", "removed": "[red]-[/]", "renamed": "[yellow]~[/]", "changed": "[yellow]~[/]"}
_LONGEST = 100
#: These functions make a new task or limit, whose values are the defaults.
_MODELS: dict[str, Callable[[str], Any]] = {"task": lambda name: Task(id=name), "limit": lambda name: Limit(name=name)}


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield the lines of a whole plan, in rich's markup."""
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
        yield from (f"    {_override_line(one, plan.overrides)}" for one in visible(plan.overrides))
        for change in plan.overridden:
            if change.key:
                label = f"{'' if change.kind == 'task' else f'{change.kind}s.'}{change.name}.{change.key}"
                yield f"    {escape(label)}: the file says {shown(change.before)}, in force {shown(change.after)}"
    for title, texts in (("also", plan.notes), ("may need a restart", plan.restarts)):
        if texts:
            yield title
            yield from (f"    {escape(text)}" for text in texts)


def change_lines(changes: Iterable[Change]) -> Iterator[str]:
    """Yield lines about changes, grouped by task, limit or service."""
    last = None
    for change in changes:
        subject = f"{change.kind} {change.name}".strip()
        if not change.key:
            sign = _SIGNS[change.how]
            was = f" (was {change.before})" if change.how == "renamed" else ""
            yield f"{sign} {escape(subject)}{escape(was)}"
            if change.how == "added":
                usual = diff.flat(_MODELS[change.kind](change.name)) if change.kind in _MODELS else {}
                own = {key: value for key, value in change.after.items() if not diff.same(usual.get(key), value)}
                yield from (f"    {escape(key)}: {shown(value)}" for key, value in own.items())
        else:
            if last != subject:
                yield f"{_SIGNS['changed']} {escape(subject)}"
            yield f"    {escape(change.key)}: {_step(change.before, change.after)}"
        last = subject


def summary(plan: Plan) -> str:
    """Summarise a plan in one line."""
    if plan.changes:
        kinds = Counter(kind for kind, _ in {(change.kind, change.name) for change in plan.changes})
        parts = [count(kinds[kind], kind) for kind in ("task", "limit", "service") if kinds[kind]]
        return f"{', '.join(parts) or 'the file'} would change"
    if plan.notes:
        return "only values set by hand would change"
    if plan.text_differs:
        return "no change in effect; the text differs, as in a comment"
    return "only jobs would be cancelled" if plan.is_pending else "no change"


def _override_line(override: Override, all_: Sequence[Override]) -> str:
    text = f"{override.label} = {_plain(override.value)}"
    if override.drains is not None:
        text = f"{override.path[1]} drains: it takes no new jobs, and leaves when its last has ended"
    back = overrides.hidden_by(override, all_)
    then = f", then {overrides.listed(back, override)}" if back else ""
    until = f", until {when(override.until)}{then}" if override.until else ""
    why = f": {override.why}" if override.why else ""
    return escape(f"{text}, by {override.by} since {when(override.set_on)}{until}{why}")


def shown(value: Any) -> str:
    """Return a value as it would be written in jobs.yaml, in rich's markup."""
    return "[dim]none[/]" if value is None else escape(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, diff.Null):
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
    return [one for one in some if not any(diff.same(one, other) for other in than)]


def _ticks(ticks: tuple[datetime, ...], zone: str) -> str:
    if not ticks:
        return "never"
    local = ", ".join(tick(one, ZoneInfo(zone)) for one in ticks)
    return f"{local} ({zone})" if zone == "UTC" else f"{local} ({zone}; first {when(ticks[0])})"


_ORDERS: dict[str, Any] = {
    "drain": Annotated[
        list[str] | None, option("A removed task runs until its jobs have ended, and takes no new ones.", "TASK")
    ],
    "cancel": Annotated[list[str] | None, option("The jobs of a removed task are cancelled.", "TASK")],
    "rename": Annotated[list[str] | None, option("The jobs of OLD become jobs of NEW.", "OLD=NEW")],
}
with_orders = partial(with_options, added=_ORDERS)


@with_orders
def plan(ordered: dict[str, Any], file: File = None, as_json: Json = False) -> int:
    """Show the changes that a jobs.yaml would make. Exit 0 without changes, 4 with changes, 2 if the file is refused."""
    wanted = load(file or environment.config_path())
    with database.connection("plan") as conn:
        found = propose(conn, Request(wanted, environment.author(), orders=orders(ordered)))
        answer = _backtest(conn, found)
    if as_json:
        data = backtest_report.as_data(answer) if isinstance(answer, Backtest) else answer and {"none": answer}
        print_json({**as_data(found.plan), "backtest": data})
    else:
        show(found)
        if isinstance(answer, Backtest):
            of = f"{answer.jobs:,} jobs since {when(answer.begin)}, confidence {answer.confidence.level}"
            tell("\n    ".join([f"backtest of {of} (zeke-jobs backtest shows all)", *backtest_report.headline(answer)]))
        elif answer is not None:
            tell(f"backtest: {escape(answer)}")
    return PENDING if found.plan.is_pending else FINE


def _backtest(conn: Connection, proposal: Proposal) -> Backtest | str | None:
    """Return the backtest of a change, the reason why it is impossible, or None if there is no change to test."""
    if proposal.latest is None or not proposal.plan.changes:
        return None
    if proposal.before is None:
        return "this code can no longer read the revision in force"
    if not store.sees_all(conn):
        return "it reads the keys of jobs, so it needs a login with the role zeke_jobs_operator"
    return of_newest(conn, proposal.before, proposal.config)


def orders(ordered: dict[str, Any]) -> Orders:
    """Read the options ``--drain``, ``--cancel`` and ``--rename``, which decide about the jobs of removed tasks."""
    names: dict[str, str] = {}
    for one in ordered.get("rename", ()):
        old, new = pair(one, "--rename OLD=NEW")
        if old in names:
            raise UsageError(f"expected one new name for {old}, got {names[old]} and {new}")
        names[old] = new
    return Orders(frozenset(ordered.get("drain", ())), frozenset(ordered.get("cancel", ())), names)


def as_data(found: Plan) -> dict[str, Any]:
    """Return a plan as JSON values, for scripts."""
    data: dict[str, Any] = plain(found)
    return {"pending": found.is_pending, "stranded": bool(found.stranded), **data}


def show(proposal: Proposal) -> None:
    """Print a plan."""
    latest, found = proposal.latest, proposal.plan
    head = "nothing was ever in force; all of the file is new"
    if latest is not None:
        why = f": {latest.message}" if latest.message else ""
        head = f"in force: revision {latest.number}, since {when(latest.applied_on)}, by {latest.applied_by}{why}"
    for line in (escape(head), *plan_lines(found), summary(found)):
        tell(line)
    if found.stranded:
        tell("[red]apply refuses this[/] unless --drain, --cancel or --rename decides about these jobs")
