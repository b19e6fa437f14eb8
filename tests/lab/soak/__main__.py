"""``nox -s soak`` reads two hundred feeds with occasional faults, prints the results, and fails if a check fails."""

import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict

from tests.lab import server
from tests.lab.soak.run import Plan, soak
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect


def main(arguments: Sequence[str] | None = None) -> int:
    """Run on a new server; return 1 if a check fails, else 0, even for a low figure."""
    chosen = vars(server.command("soak", __doc__, arguments, **asdict(Plan())))
    bin_dir, plan = chosen.pop("server"), Plan(**chosen)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)

    with server.start(bin_dir) as started:
        os.environ["DATABASE_URL"] = url = started.create("soak")
        with closing(connect(url)) as conn:
            migrate.migrate(conn, ["actors.store"])
        found = soak(url, started.files, plan, say, started.cpu)
    print(
        f"{plan.sources} feeds of {plan.items} items, seed {plan.seed}; {started.about}\n\n| what | figure |\n|---|---|"
    )
    for what, said in {**found.figures, "wrong": "; ".join(found.complaints) or "nothing"}.items():
        print(f"| {what} | {said} |")
    return 1 if found.complaints else 0


if __name__ == "__main__":
    sys.exit(main())
