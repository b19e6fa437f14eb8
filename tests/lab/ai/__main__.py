"""``nox -s ai``: embeddings in chunks and half-price models, from a provider that fails and to workers that are killed; says the figures."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from tests.lab import server
from tests.lab.ai.embeddings import embeddings
from tests.lab.ai.halves import halves
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

MEASURES: dict[str, Callable[..., tuple[str, list[str]]]] = {
    "embeddings": embeddings,
    "halves": halves,
    "anthropic": partial(halves, kind="anthropic"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named measures, or all, each in a database of its own; 1 where something is wrong, else 0."""
    chosen = server.command("ai", __doc__, arguments, MEASURES, quick="a tenth of the jobs")
    faults = list[str]()
    with server.start(chosen.server) as started, tempfile.TemporaryDirectory(prefix="zeke-ai-") as folder:
        for name in chosen.parts:
            os.environ["DATABASE_URL"] = url = started.create(name)
            began = time.monotonic()
            with closing(connect(url)) as conn:
                conn.autocommit = True
                migrate.migrate(conn, ["actors.store"])
                found, wrong = MEASURES[name](url, conn, Path(folder), quick=chosen.quick)
            faults += wrong
            print(f"{name}, {time.monotonic() - began:.0f} s, {started.about}: {found}", flush=True)
    print("wrong: " + ("; ".join(faults) or "nothing"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
