"""``zeke-jobs pause``, ``resume`` and ``paused``."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import console, escape, print_json, table, when
from zeke_jobs.cli.run import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection

Target = Annotated[
    str,
    typer.Argument(metavar="TARGET", help="task/ID, queue/NAME, limit/NAME or schedule/ID.", show_default=False),
]


def pause(
    target: Target, reason: Annotated[str, typer.Option(metavar="WHY", help="Kept with the pause, for people.")] = ""
) -> None:
    """Start no more jobs of a task, a queue or a shared limit until it is resumed; what runs goes on."""
    from zeke_jobs.control import pausing
    from zeke_jobs.revisions.boot import author

    with _connection() as conn:
        changed = pausing.pause(conn, target, by=author(), reason=reason)
    console().print(f"{escape(target)} {'is paused' if changed else 'was paused already'}")


def resume(target: Target) -> None:
    """Start jobs again of what was paused."""
    from zeke_jobs.control import pausing
    from zeke_jobs.revisions.boot import author

    with _connection() as conn:
        changed = pausing.resume(conn, target, by=author())
        by_file = any(one.target == target and one.paused_by == "jobs.yaml" for one in pausing.paused(conn))
    console().print(f"{escape(target)} {'is resumed' if changed else 'was not paused by anybody'}")
    if by_file:
        console().print(f"{escape(target)} stays paused: jobs.yaml says so, for itself or for a limit that it uses")


def paused(as_json: options.Json = False) -> None:
    """List what is paused, by whom and why, and how many jobs wait for it."""
    from zeke_jobs.control import pausing

    with _connection(to_write=False) as conn:
        found = pausing.paused(conn)
    if as_json:
        print_json(found)
        return
    rows = table("target", "by", "since", "waiting", "reason", right=("waiting",))
    for one in found:
        rows.add_row(
            escape(one.target), escape(one.paused_by), when(one.paused_on), str(one.waiting), escape(one.reason)
        )
    console().print(rows if found else "nothing is paused")


@contextmanager
def _connection(*, to_write: bool = True) -> Iterator[Connection]:
    from zeke_jobs.control.pausing import UnknownTarget
    from zeke_jobs.postgres.pool import connect

    url = database.choose_to_write() if to_write else database.choose()
    with closing(connect(url, application_name="zeke-jobs pause")) as conn:
        try:
            yield conn
        except UnknownTarget as error:
            raise UsageError(str(error)) from error
