"""``python -m actors.demo [FEED-URL …]``: the demo from the command line."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from actors.demo.run import run
from actors.demo.system import EndedError, database_url
from zeke_jobs.cli.output import Console, escape
from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError, ZekeJobsError
from zeke_jobs.postgres import embedded
from zeke_jobs.postgres.own_server import own_server, place

if TYPE_CHECKING:
    from pathlib import Path

_INTERRUPTED = 130
_WIDTH = 120  # columns without a terminal

_NEXT = """[bold]What to try next[/]
  .venv/bin/nox -R -s demo -- --news stories  what came out, from a terminal
  .venv/bin/nox -R -s demo -- --psql          in SQL: SELECT title FROM stories;
  .venv/bin/nox -R -s demo -- FEED-URL …      other feeds; replaces this run's data
  $EDITOR jobs.yaml                           change a limit, a weight; run again
  .nox/demo/bin/zeke-jobs up                  for real, on a database of its own,
                                              empty at first, until Ctrl-C
  .nox/demo/bin/zeke-news sources add URL     meanwhile: a source for it
  README.md, docs/tutorial.md, docs/news.md   how it works"""


def main(
    feeds: Annotated[list[str] | None, typer.Argument(help="Feeds to bring in instead of the sample site.")] = None,
    news: Annotated[
        str, typer.Option(metavar="COMMAND", help='Run zeke-news on the last run\'s data: stories, "stories --json".')
    ] = "",
    psql: Annotated[bool, typer.Option("--psql", help="Open psql on the last run's data.")] = False,  # noqa: FBT002
) -> None:
    """From feeds to briefs on this machine: an embedded PostgreSQL, workers, scheduler, and a sample site."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up, as on Ctrl-C
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    data_dir = environment.data_dir() / "demo"
    try:
        if psql:
            _open_psql(data_dir)
            return
        if news:
            status = _run_news(data_dir, [*shlex.split(news), *(feeds or [])])
        else:
            status = 0 if run(console, data_dir, feeds or []) else 1
    except ConfigurationError as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    except (ZekeJobsError, EndedError, OSError) as error:
        console.print(
            f"[bold red]The demo failed:[/] {escape(str(error), lines=True)}", highlight=False, soft_wrap=True
        )
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        console.print("Interrupted; workers, scheduler and server were stopped.")
        raise typer.Exit(_INTERRUPTED) from None
    if not news:
        _say_what_next(console, data_dir)
    raise typer.Exit(status)


def _open_psql(data_dir: Path) -> None:
    with own_server(data_dir, "the demo") as server:
        # psql takes Ctrl-C for itself: it ends a query, not the session
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        subprocess.run([embedded.binaries() / "psql", database_url(server)], check=False)  # noqa: S603 (ours)


def _run_news(data_dir: Path, arguments: list[str]) -> int:
    from actors.cli.app import run as run_news

    with own_server(data_dir, "the demo") as server:
        os.environ[environment.DATABASE_URL] = database_url(server)
        return run_news(arguments)


def _say_what_next(console: Console, data_dir: Path) -> None:
    folder = place(data_dir)
    console.print("\n[bold]Where the data is[/]")
    console.print(
        f"  {folder}, database zeke_demo; the server is stopped", markup=False, highlight=False, soft_wrap=True
    )
    console.print(
        f"  the log of workers and scheduler: {folder / 'demo.log'}\n", markup=False, highlight=False, soft_wrap=True
    )
    console.print(_NEXT, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
