"""``zeke-jobs apply`` and ``rollback``: put a jobs.yaml in force while workers run."""

from collections.abc import Callable
from typing import Annotated

import typer
from psycopg2.extensions import connection as Connection

from zeke_jobs.cli import database, options
from zeke_jobs.cli.configuration.check import File, find_modules_here, load
from zeke_jobs.cli.configuration.plan import Cancel, Drain, Rename, as_data, orders, show
from zeke_jobs.cli.output import console, escape, print_json, tell
from zeke_jobs.cli.run import FAILED
from zeke_jobs.config import load_text
from zeke_jobs.core.environment import author, config_path
from zeke_jobs.diagnosis import fleet
from zeke_jobs.errors import StrandedJobs
from zeke_jobs.revisions import applying, overrides, store
from zeke_jobs.revisions.proposal import Request

_PATIENCE = 3.0  # seconds to wait for workers to follow

Message = Annotated[str, options.option("Kept with the revision, for people.", "WHY", "--message", "-m")]


def apply(
    file: File = None,
    message: Message = "",
    drain: Drain = None,
    cancel: Cancel = None,
    rename: Rename = None,
    as_json: options.Json = False,
) -> None:
    """Put a jobs.yaml in force: it becomes a revision, and running workers and schedulers follow within two seconds."""
    wanted = load(file or config_path())
    _apply("apply", lambda _: Request(wanted, author(), message, "apply", orders(drain, cancel, rename)), as_json)


def rollback(
    revision: Annotated[int, options.argument("Number of a revision.", "REV")],
    message: Message = "",
    drain: Drain = None,
    cancel: Cancel = None,
    rename: Rename = None,
    as_json: options.Json = False,
) -> None:
    """Put an older revision in force again, with its values set by hand; it becomes a new revision."""

    def request(conn: Connection) -> Request:
        old = store.find(conn, revision)
        wanted = load_text(old.source, f"revision {revision}")
        said, by_hand = orders(drain, cancel, rename), overrides.lasting(old.overrides)
        return Request(wanted, author(), message or f"back to revision {revision}", "rollback", said, by_hand)

    find_modules_here()
    _apply("rollback", request, as_json)


def _apply(command: str, request: Callable[[Connection], Request], as_json: bool) -> None:
    with database.connection(command, writes=True) as conn:
        try:
            done = applying.apply(conn, request(conn))
        except StrandedJobs as error:
            if not as_json:
                show(error.proposal, of_file=command == "apply")
            raise
        if not as_json:
            show(done.proposal, of_file=command == "apply")
        report(conn, done, as_json=as_json)


def report(conn: Connection, done: applying.Applied, *, as_json: bool) -> None:
    """Print the revision in force and the workers that do not follow it. Exit 1 if a worker's code does not fit."""
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
    if any(one.refusal for one in behind):
        raise typer.Exit(FAILED)
