"""Runs ``zeke-jobs apply``, ``rollback`` and ``set``, which put a new jobs.yaml, an old one, or values in force."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.cli import database
from zeke_jobs.cli.configuration.check import File, find_modules_here, load
from zeke_jobs.cli.configuration.plan import as_data, orders, plan_lines, show, with_orders
from zeke_jobs.cli.options import Json, Revision, argument, flag, option, span
from zeke_jobs.cli.output import answer, escape, tell
from zeke_jobs.cli.run import FAILED, FINE, UsageError
from zeke_jobs.config import load_text
from zeke_jobs.config.models import Config
from zeke_jobs.core.environment import author, config_path
from zeke_jobs.diagnosis import fleet
from zeke_jobs.errors import ConfigurationError, StrandedJobs
from zeke_jobs.revisions import applying, overrides, store
from zeke_jobs.revisions.proposal import Request
from zeke_jobs.revisions.store import Override
from zeke_jobs.scheduler import dispatch

_PATIENCE = 3.0  # seconds to wait for workers to follow

Message = Annotated[str, option("Kept with the revision, for people.", "WHY", "--message", "-m")]


@with_orders
def apply(ordered: dict[str, Any], file: File = None, message: Message = "", as_json: Json = False) -> int:
    """Put a jobs.yaml in force: it becomes a revision, and running workers and schedulers follow within two seconds."""
    wanted = load(file or config_path())
    with database.connection("apply", writes=True) as conn:
        return _apply(conn, Request(wanted, author(), message, "apply", orders(ordered)), as_json=as_json)


@with_orders
def rollback(ordered: dict[str, Any], revision: Revision, message: Message = "", as_json: Json = False) -> int:
    """Put an older revision in force again, as a new revision, with the values that were set by hand."""
    find_modules_here()
    with database.connection("rollback", writes=True) as conn:
        old = store.find(conn, revision)
        wanted = load_text(old.source, f"revision {revision}")
        why, kept = message or f"back to revision {revision}", overrides.lasting(old.overrides)
        return _apply(conn, Request(wanted, author(), why, "rollback", orders(ordered), kept), as_json=as_json)


def _apply(conn: Connection, request: Request, *, as_json: bool) -> int:
    try:
        done = applying.apply(conn, request)
    except StrandedJobs as error:
        if not as_json:
            show(error.proposal)
        raise
    if not as_json:
        show(done.proposal)
    return _report(conn, done, as_json=as_json)


def _report(conn: Connection, done: applying.Applied, *, as_json: bool) -> int:
    """Print the revision in force, and the workers that do not use it yet. Returns 1 if a worker refuses it."""
    behind = fleet.await_follow(conn, done.revision, _PATIENCE) if done.is_new else []
    workers = sum(one.kind == "worker" and not one.silent for one in fleet.look(conn).members) if done.is_new else 0
    followed = f"; {workers - len(behind)} of {workers} workers follow" if workers else "; no worker runs"
    lines = [f"revision {done.revision} is in force{followed}"]
    lines += (f"[yellow]{escape(f'{one.host} (pid {one.pid}): ' + '; '.join(one.drift))}[/]" for one in behind)
    if not done.is_new:
        lines = [f"nothing to change; revision {done.revision} stays in force"]
    data = {"revision": done.revision, "new": done.is_new, "behind": behind, "plan": as_data(done.proposal.plan)}
    answer(data, "\n".join(lines), as_json=as_json)
    return FAILED if any(one.refusal for one in behind) else FINE


def set_(
    assignments: Annotated[list[str], argument("Such as my-task.concurrency=3, or limits.ai.rate=30/m.", "KEY=VALUE")],
    message: Message = "",
    for_: Annotated[timedelta | None, span("End the values after this time, such as 2h.", "--for")] = None,
    clear: Annotated[bool, flag("--clear", "Remove values set by hand: name their keys.")] = False,
    as_json: Json = False,
) -> int:
    """Set values by hand. jobs.yaml does not change, and `plan` shows the values that differ from the file."""
    if clear and for_ is not None:
        raise UsageError("expected --clear or --for, got both")
    find_modules_here()
    with database.connection("set", writes=True) as conn:

        def change(file: Config, old: Sequence[Override]) -> list[Override]:
            if clear:
                return _cleared(assignments, file, old)
            if for_ is not None and not for_:
                raise UsageError("expected --for a time that passes, got 0s")
            now = dispatch.clock(conn)
            make = partial(Override, by=author(), why=message, set_on=now, until=now + for_ if for_ else None)
            return _set(assignments, file, old, make)

        done = applying.set_by_hand(conn, change, by=author(), message=message)
        if not as_json:
            for line in plan_lines(done.proposal.plan):
                tell(line)
        return _report(conn, done, as_json=as_json)


def _set(assignments: Sequence[str], file: Config, old: Sequence[Override], make: partial[Override]) -> list[Override]:
    faults: list[str] = []
    made: dict[str, Override] = {}
    for assignment in assignments:
        try:
            path, value = read_assignment(assignment, file)
        except (UsageError, ConfigurationError) as error:
            faults.append(str(error))
            continue
        if any(path == one.path for one in made.values()):
            faults.append(f"expected each key once, got {assignment.partition('=')[0]} again")
            continue
        made[assignment] = make(path, value)
    if faults := [*overrides.faults(file, old, made), *faults]:
        raise UsageError("\nerror: ".join(faults))
    return overrides.with_overrides(old, made.values())


def read_assignment(assignment: str, file: Config) -> tuple[tuple[str, ...], Any]:
    """Read ``my-task.concurrency=3``. Raises ConfigurationError for an unknown key, and UsageError for other faults."""
    key, equals, value = assignment.partition("=")
    if not equals:
        raise UsageError(f"expected KEY=VALUE, got {assignment!r}")
    path = overrides.read_path(key, file)
    try:
        return path, overrides.read_value(value)
    except ConfigurationError as error:
        raise UsageError(f"{assignment}: {error}") from error


def _cleared(keys: Sequence[str], file: Config, old: Sequence[Override]) -> list[Override]:
    kept = list(old)
    for key in keys:
        left = overrides.cleared(kept, overrides.read_path(key, file))
        if left == kept:
            labels = ", ".join(dict.fromkeys(one.label for one in kept)) or "nothing"
            raise UsageError(f"expected a key that is set by hand ({labels}), got {key!r}")
        kept = left
    return kept
