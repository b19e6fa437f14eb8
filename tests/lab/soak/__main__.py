"""``nox -s soak``: two hundred feeds while everything fails now and then; says what came out, and fails where something is wrong."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from tests.lab.bench import server
from tests.lab.soak.run import Found, Plan, soak
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

TARGET = 1.5
"""Seconds of CPU of the workers for each second of bare fetching, parsing and extracting."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it on a server of its own; 1 where something is wrong, else 0: a figure that falls short is a result."""
    parser = argparse.ArgumentParser(prog="nox -s soak --", description=__doc__)
    for each in fields(Plan):
        parser.add_argument(
            f"--{each.name}", type=type(each.default), default=each.default, help="default: %(default)s"
        )
    parser.add_argument(
        "--server", type=server.binaries, metavar="PATH-OF-BIN", help="another PostgreSQL, with its own defaults"
    )
    chosen = vars(parser.parse_args(arguments))
    bin_dir = chosen.pop("server")
    plan = Plan(**chosen)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)

    with server.start(bin_dir) as started, tempfile.TemporaryDirectory(prefix="zeke-soak-") as folder:
        os.environ["DATABASE_URL"] = url = started.create("soak")
        with closing(connect(url)) as conn:
            migrate.migrate(conn, ["actors.store"])
        before = started.cpu()
        found = soak(url, Path(folder), plan, say)
        found.other_cpu["Postgres"] = started.cpu() - before
    show(found, plan, started.about)
    return 1 if found.complaints else 0


def _stop(number: int, _frame: object) -> None:
    """Everything that was started ends with us; a second signal does not disturb that."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def show(found: Found, plan: Plan, which: str) -> None:
    """Print what came out."""
    items = sum(found.outcomes.values())
    table = Table(
        "what",
        "figure",
        title=f"{plan.sources} feeds of {plan.items} items, seed {plan.seed}; {which}",
        title_justify="left",
    )
    for what, figure in (
        (
            "items that ended",
            f"{items}: " + ", ".join(f"{name} {count}" for name, count in found.outcomes.most_common()),
        ),
        ("stories", f"{found.stories}"),
        ("jobs completed", f"{found.jobs} in {found.wall:.0f} s"),
        ("all workers killed", f"{found.kills} times"),
        ("connections cut", f"{found.cuts}"),
        ("faulty answers", ", ".join(f"{name} {count}" for name, count in found.faults.items())),
        ("CPU of workers", f"{found.worker_cpu:.1f} s, {found.worker_cpu / items * 1e3:.1f} ms an item"),
        ("CPU of bare work", f"{found.bare_cpu:.1f} s, {found.bare_cpu / items * 1e3:.1f} ms an item"),
        ("most requests of one host at once", f"{found.peak}"),
        (
            "ratio",
            f"{found.ratio:.2f} (aimed at: {TARGET:g} or less, {'reached' if found.ratio <= TARGET else 'MISSED'})",
        ),
        (
            "CPU of the others",
            ", ".join(
                f"{name} {seconds:.0f} s ({seconds / items * 1e3:.0f} ms an item)"
                for name, seconds in found.other_cpu.items()
            ),
        ),
        ("wrong", "\n".join(found.complaints) or "nothing"),
    ):
        table.add_row(what, figure)
    Console(width=None if Console().is_terminal else 160).print(table)


if __name__ == "__main__":
    sys.exit(main())
