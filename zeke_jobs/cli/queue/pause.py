"""``zeke-jobs pause``, ``resume`` and ``paused``."""

from typing import Annotated

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import escape, listing, tell, when
from zeke_jobs.control import pausing
from zeke_jobs.core.environment import author

Target = Annotated[str, options.argument("task/ID, queue/NAME, limit/NAME or schedule/ID.", "TARGET")]


def pause(target: Target, reason: options.Reason = "") -> None:
    """Start no more jobs of a task, a queue or a shared limit until it is resumed; running jobs go on."""
    with database.connection("pause", writes=True, is_migrated=False) as conn:
        changed = pausing.pause(conn, target, by=author(), reason=reason)
        standing = [] if changed else [one for one in pausing.paused(conn) if one.target == target and one.paused_on]
    if changed:
        tell(f"{escape(target)} is paused")
        return
    one = standing[0] if standing else None
    stays = f" by {one.paused_by} ({one.reason or 'no reason given'}); that pause stays" if one else ""
    tell(escape(f"{target} was paused already{stays}"))


def resume(target: Target) -> None:
    """Start jobs of a paused task, queue or shared limit again."""
    with database.connection("pause", writes=True, is_migrated=False) as conn:
        changed = pausing.resume(conn, target, by=author())
        left = [one for one in pausing.paused(conn) if target in one.target.split(" or ")]
    if changed:
        tell(f"{escape(target)} is resumed")
    elif not any(one.set_key for one in left):
        tell(f"{escape(target)} was not paused by anybody")
    for one in left:
        if one.set_key:
            tell(
                f"{escape(target)} stays paused by {escape(one.paused_by)}; zeke-jobs set --clear {escape(one.set_key)} ends it"
            )
        else:
            tell(f"{escape(target)} stays paused: jobs.yaml says so, for itself or for a limit that it uses")


def paused(as_json: options.Json = False) -> None:
    """List all pauses, with their authors, reasons and numbers of waiting jobs."""
    with database.connection("pause", is_migrated=False) as conn:
        found = pausing.paused(conn)
    columns = {
        "target": lambda one: one.target,
        "by": lambda one: one.paused_by,
        "since": lambda one: when(one.paused_on),
        "until": lambda one: when(one.ends_on),
        "waiting": lambda one: one.waiting,
        "reason": lambda one: one.reason,
    }
    listing(found, columns, right=("waiting",), empty="nothing is paused", as_json=as_json)
