"""``nox -s endure``: a steady rate with the stock autovacuum, finished jobs purged as they come of age; a line a minute."""

import sys
from collections.abc import Sequence

from tests.lab import server
from tests.lab.endure.run import Minute, Plan, complaints, endure

_HEADS = ("minute", "ended a second", "not ended", "rows", "table MB", "indexes MB", "dead rows", "vacuums", "WAL MB")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it on a server of its own; 1 where the rate was not kept or a table still grows, else 0."""
    chosen = vars(server.command("endure", __doc__, arguments, minutes=Plan.minutes, rate=Plan.rate, keep=Plan.keep))
    bin_dir, plan = chosen.pop("server"), Plan(**chosen)
    print(f"| {' | '.join(_HEADS)} |\n|{'---:|' * len(_HEADS)}", flush=True)
    found: list[Minute] = []

    def say(minute: Minute) -> None:
        found.append(minute)
        print(line(len(found), minute), flush=True)

    with server.start(bin_dir) as started:
        endure(started, plan, say)
    said = complaints(found, plan)
    about = (
        f"{started.about}, {server.machine()}: {plan.rate} jobs a second of thirteen"
        f" tasks for {plan.minutes} minutes, kept for {plan.keep} s."
    )
    print(f"\n{about}\n\n{verdict(said)}")
    return 1 if said else 0


def line(number: int, minute: Minute) -> str:
    """A row of the table."""
    sizes = (f"{size / 1e6:,.0f}" for size in (minute.table, minute.indexes))
    counts = (f"{minute.behind:,}", f"{minute.rows:,}", *sizes, f"{minute.dead:,}", str(minute.vacuums))
    return f"| {' | '.join((str(number), f'{minute.done:,.0f}', *counts, f'{minute.wal / 1e6:,.0f}'))} |"


def verdict(said: Sequence[str]) -> str:
    """In words."""
    return (
        "Missed: " + "; ".join(said) + "."
        if said
        else "The rate stayed within 10 %, and tables and indexes stopped growing."
    )


if __name__ == "__main__":
    sys.exit(main())
