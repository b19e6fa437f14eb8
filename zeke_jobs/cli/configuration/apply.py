"""``zeke-jobs apply`` and ``rollback``: put a jobs.yaml in force while workers run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.configuration.check import File, find_modules_here, load
from zeke_jobs.cli.configuration.plan import Cancel, Drain, Rename, as_data, orders, show
from zeke_jobs.cli.output import console, escape, print_json, tell
from zeke_jobs.cli.run import FAILED
from zeke_jobs.core.environment import author, config_path

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from zeke_jobs.revisions.applying import Applied

_PATIENCE = 3.0  # seconds to wait for workers to follow

Message = Annotated[str, typer.Option("--message", "-m", metavar="WHY", help="Kept with the revision, for people.")]


def apply(
    file: File = None,
    message: Message = "",
    drain: Drain = None,
    cancel: Cancel = None,
    rename: Rename = None,
    as_json: options.Json = False,
) -> None:
    """Put a jobs.yaml in force: it becomes a revision, and running workers and schedulers follow within two seconds."""
    from zeke_jobs.revisions import applying

    wanted = load(file or config_path())
    with database.connection("apply", writes=True) as conn:
        said = orders(drain, cancel, rename)
        if not as_json:
            show(conn, applying.plan(conn, wanted, orders=said, by=author()))
        report(conn, applying.apply(conn, wanted, by=author(), message=message, orders=said), as_json=as_json)


def rollback(
    revision: Annotated[int, typer.Argument(metavar="REV", help="Number of a revision.", show_default=False)],
    message: Message = "",
    drain: Drain = None,
    cancel: Cancel = None,
    rename: Rename = None,
    as_json: options.Json = False,
) -> None:
    """Put an older revision in force again, with its values set by hand; it becomes a new revision."""
    from zeke_jobs.config import load_text
    from zeke_jobs.revisions import applying, store
    from zeke_jobs.revisions.timed_overrides import lasting

    find_modules_here()
    with database.connection("rollback", writes=True) as conn:
        old = store.find(conn, revision)
        wanted = load_text(old.source, f"revision {revision}")
        said, overrides = orders(drain, cancel, rename), lasting(old.overrides)
        if not as_json:
            show(conn, applying.plan(conn, wanted, orders=said, overrides=overrides, by=author()), of_file=False)
        done = applying.apply(
            conn,
            wanted,
            by=author(),
            message=message or f"back to revision {revision}",
            origin="rollback",
            orders=said,
            overrides=overrides,
        )
        report(conn, done, as_json=as_json)


def report(conn: Connection, done: Applied, *, as_json: bool) -> None:
    """Print the revision in force and the workers that do not follow it. Exit 1 if a worker's code does not fit."""
    from zeke_jobs.diagnosis import fleet

    behind = fleet.await_follow(conn, done.revision, _PATIENCE) if done.is_new else []
    if as_json:
        print_json({"revision": done.revision, "new": done.is_new, "behind": behind, "plan": as_data(done.plan)})
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
