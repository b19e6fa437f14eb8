"""``nox -s soak``: two hundred feeds while everything fails now and then; says what came out, and fails where something is wrong."""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from tests.lab import server
from tests.lab.soak.run import Found, Plan, soak
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

TARGET = 1.25
"""Seconds of CPU of the workers for each second of bare fetching, parsing and extracting."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it on a server of its own; 1 where something is wrong, else 0: a figure that falls short is a result."""
    chosen = vars(server.command("soak", __doc__, arguments, **asdict(Plan())))
    bin_dir, plan = chosen.pop("server"), Plan(**chosen)
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
    print(told(found, plan, started.about))
    return 1 if found.complaints else 0


def told(found: Found, plan: Plan, which: str) -> str:
    """What came out, as a table in Markdown."""
    items = sum(found.outcomes.values())

    def cpu(seconds: float) -> str:
        return f"{seconds:.1f} s, {seconds / items * 1e3:.1f} ms an item"

    rows = {
        "items that ended": f"{items}: " + ", ".join(f"{name} {count}" for name, count in found.outcomes.most_common()),
        "stories": str(found.stories),
        "jobs completed": f"{found.jobs} in {found.wall:.0f} s, load {os.getloadavg()[0]:.1f} at the end",
        "all workers killed": f"{found.kills} times",
        "connections cut": str(found.cuts),
        "faulty answers": ", ".join(f"{name} {count}" for name, count in found.faults.items()),
        "most requests of one host at once": str(found.peak),
        "CPU of workers": f"{cpu(found.worker_cpu)}, {found.ratio:.2f} of bare work (aimed at: {TARGET:g} or less)",
        "CPU of bare work": cpu(found.bare_cpu),
        **{f"CPU of {name}": cpu(seconds) for name, seconds in found.other_cpu.items()},
        "wrong": "; ".join(found.complaints) or "nothing",
    }
    head = f"{plan.sources} feeds of {plan.items} items, seed {plan.seed}; {which}"
    return "\n".join(
        [head, "", "| what | figure |", "|---|---|", *(f"| {what} | {said} |" for what, said in rows.items())]
    )


if __name__ == "__main__":
    sys.exit(main())
