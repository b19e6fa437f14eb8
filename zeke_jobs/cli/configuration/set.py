"""``zeke-jobs set``: changes a value by hand, with a reason, for a time or until it is removed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from zeke_jobs.cli import database, options
from zeke_jobs.cli.configuration import plan
from zeke_jobs.cli.configuration.apply import report
from zeke_jobs.cli.configuration.check import find_modules_here
from zeke_jobs.cli.output import tell
from zeke_jobs.cli.run import UsageError
from zeke_jobs.config.models import Config
from zeke_jobs.core.environment import author
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.revisions import applying
from zeke_jobs.revisions import overrides as by_hand
from zeke_jobs.revisions.store import Override
from zeke_jobs.scheduler import dispatch


def set_(
    assignments: Annotated[
        list[str], options.argument("Such as my-task.concurrency=3, or limits.ai.rate=30/m.", "KEY=VALUE")
    ],
    message: Annotated[
        str, options.option("The reason, for people.  [required without --clear]", "WHY", "--message", "-m")
    ] = "",
    for_: Annotated[timedelta | None, options.span("End by itself after this time, such as 2h.", "--for")] = None,
    clear: Annotated[bool, options.flag("--clear", "Remove values set by hand: name their keys.")] = False,
    as_json: options.Json = False,
) -> int:
    """Set values beside jobs.yaml; the file stays as it is, and `plan` shows what differs from it."""
    if clear and for_ is not None:
        raise UsageError("expected --clear or --for, got both")
    find_modules_here()
    with database.connection("set", writes=True) as conn:

        def change(file: Config, overrides: Sequence[Override]) -> list[Override]:
            if clear:
                return _cleared(assignments, file, overrides)
            return _set(assignments, file, overrides, message, for_, dispatch.clock(conn))

        done = applying.set_by_hand(conn, change, by=author(), message=message)
        if not as_json:
            for line in plan.plan_lines(done.proposal.plan):
                tell(line)
        return report(conn, done, as_json=as_json)


def _set(
    assignments: Sequence[str],
    file: Config,
    overrides: Sequence[Override],
    message: str,
    for_: timedelta | None,
    now: datetime,
) -> list[Override]:
    if for_ is not None and not for_:
        raise UsageError("expected --for a time that passes, got 0s")
    until = None if for_ is None else now + for_
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
        made[assignment] = Override(path, value, by=author(), why=message, set_on=now, until=until)
    if not message:
        faults.append('expected a reason, got none\n  help: add -m "why"')
    faults = [*by_hand.faults(file, overrides, made), *faults]
    if faults:
        raise UsageError("\nerror: ".join(faults))
    return by_hand.with_overrides(overrides, made.values())


def read_assignment(assignment: str, file: Config) -> tuple[tuple[str, ...], Any]:
    """The path and the value of ``my-task.concurrency=3``.

    Raises UsageError, ConfigurationError if it is not an assignment, or there is no such setting.
    """
    key, equals, value = assignment.partition("=")
    if not equals:
        raise UsageError(f"expected KEY=VALUE, got {assignment!r}")
    path = by_hand.read_path(key, file)
    try:
        return path, by_hand.read_value(value)
    except ConfigurationError as error:
        raise UsageError(f"{assignment}: {error}") from error


def _cleared(keys: Sequence[str], file: Config, overrides: Sequence[Override]) -> list[Override]:
    kept = list(overrides)
    for key in keys:
        left = by_hand.cleared(kept, by_hand.read_path(key, file))
        if left == kept:
            labels = ", ".join(one.label for one in kept) or "nothing"
            raise UsageError(f"expected a key that is set by hand ({labels}), got {key!r}")
        kept = left
    return kept
