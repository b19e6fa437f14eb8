"""``zeke-jobs apply`` and ``rollback``: put a jobs.yaml in force while workers run."""

from collections.abc import Callable
from typing import Annotated, Any

from psycopg2.extensions import connection as Connection

from zeke_jobs.cli import database, options
from zeke_jobs.cli.configuration.check import File, find_modules_here, load
from zeke_jobs.cli.configuration.plan import as_data, orders, show, with_orders
from zeke_jobs.cli.output import console, escape, print_json, tell
from zeke_jobs.cli.run import FAILED, FINE
from zeke_jobs.config import load_text
from zeke_jobs.core.environment import author, config_path
from zeke_jobs.diagnosis import fleet
from zeke_jobs.errors import StrandedJobs
from zeke_jobs.revisions import applying, overrides, store
from zeke_jobs.revisions.proposal import Request

_PATIENCE = 3.0  # seconds to wait for workers to follow

Message = Annotated[str, options.option("Kept with the revision, for people.", "WHY", "--message", "-m")]


@with_orders
def apply(ordered: dict[str, Any], file: File = None, message: Message = "", as_json: options.Json = False) -> int:
    """Put a jobs.yaml in force: it becomes a revision, and running workers and schedulers follow within two seconds."""
    wanted = load(file or config_path())
    return _apply("apply", lambda _: Request(wanted, author(), message, "apply", orders(ordered)), as_json)


@with_orders
def rollback(
    ordered: dict[str, Any],
    revision: Annotated[int, options.argument("Number of a revision.", "REV")],
    message: Message = "",
    as_json: options.Json = False,
) -> int:
    """Put an older revision in force again, with its values set by hand; it becomes a new revision."""

    def request(conn: Connection) -> Request:
        old = store.find(conn, revision)
        wanted = load_text(old.source, f"revision {revision}")
        by_hand = overrides.lasting(old.overrides)
        return Request(
            wanted, author(), message or f"back to revision {revision}", "rollback", orders(ordered), by_hand
        )

    find_modules_here()
    return _apply("rollback", request, as_json)


def _apply(command: str, request: Callable[[Connection], Request], as_json: bool) -> int:
    with database.connection(command, writes=True) as conn:
        try:
            done = applying.apply(conn, request(conn))
        except StrandedJobs as error:
            if not as_json:
                show(error.proposal)
            raise
        if not as_json:
            show(done.proposal)
        return report(conn, done, as_json=as_json)


def report(conn: Connection, done: applying.Applied, *, as_json: bool) -> int:
    """Print the revision in force and the workers that do not follow it. 1 if a worker's code does not fit."""
    behind = fleet.await_follow(conn, done.revision, _PATIENCE) if done.is_new else []
    if as_json:
        print_json(
            {"revision": done.revision, "new": done.is_new, "behind": behind, "plan": as_data(done.proposal.plan)}
        )
    elif not done.is_new:
        console().print(f"nothing to change; revision {done.revision} stays in force")
    else:
        workers = sum(one.kind == "worker" and not one.silent for one in fleet.look(conn).members)
        followed = f"; {workers - len(behind)} of {workers} workers follow" if workers else "; no worker runs"
        console().print(f"revision {done.revision} is in force{followed}")
        for one in behind:
            tell(f"[yellow]{escape(f'{one.host} (pid {one.pid}): ' + '; '.join(one.drift))}[/]")
    return FAILED if any(one.refusal for one in behind) else FINE
