"""Runs the demo from the command line, as ``python -m actors.demo [FEED-URL …]``."""

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from actors.demo.run import run
from zeke_jobs.cli import run as running
from zeke_jobs.cli.output import Console, escape
from zeke_jobs.core import environment

_WIDTH = 120  # columns without a terminal

_NEXT = """[bold]What to try next[/]
  export {data}; .nox/demo/bin/zeke-jobs up
                                              workers and scheduler on this run's data, until Ctrl-C
  .nox/demo/bin/zeke-news stories             meanwhile, with the same variable: what came out
  .nox/demo/bin/zeke-news sources add URL     a source for it
  .venv/bin/nox -R -s demo -- FEED-URL …      other feeds; replaces this run's data
  README.md, docs/tutorial.md, docs/news.md   how it works"""


def main(
    feeds: Annotated[list[str] | None, typer.Argument(help="Feeds to bring in instead of the sample site.")] = None,
) -> int:
    """From feeds to briefs on this machine: an embedded PostgreSQL, workers, scheduler, and a sample site."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM does the same as Ctrl-C
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    data_dir = environment.data_dir() / "demo"
    try:
        is_good = run(console, data_dir, feeds or [])
    except KeyboardInterrupt:
        console.print("Interrupted; workers, scheduler and server were stopped.")
        raise
    where = escape(f"{environment.DATA}={data_dir}")
    console.print("\n" + _NEXT.format(data=where), highlight=False, soft_wrap=True)
    return 0 if is_good else 1


def _app(_words: Sequence[str]) -> typer.Typer:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    return app


if __name__ == "__main__":
    sys.exit(running.run(_app, "python -m actors.demo"))
