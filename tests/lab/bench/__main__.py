"""``nox -s bench`` measures zeke_jobs and other queues, and prints a table."""

import sys
import time
import traceback
from collections.abc import Callable

from tests.lab import server
from tests.lab.bench import drains, looks
from tests.lab.bench.bench import Bench
from tests.lab.server import Row

_ALL: tuple[Callable[[Bench], list[Row]], ...] = (
    *(looks.server_cost, drains.drain_unlimited, drains.drain_limited, drains.processes, drains.drain_held_transaction),
    *(drains.drain_blocked, drains.send_threads, looks.latency, drains.log_lines, looks.async_handlers),
)
MEASURES = {one.__name__.replace("_", "-"): one for one in _ALL}


def main(arguments: list[str] | None = None) -> int:
    """Run the named measures, or all. Return 1 if a measure could not run, else 0, whatever the figures are."""
    chosen = server.command("bench", __doc__, arguments, MEASURES, "small counts, fewer rounds: some minutes")
    found: dict[str, list[Row]] = {}
    failed = False
    began = time.monotonic()
    with server.start(chosen.server) as started:
        bench = Bench(started, chosen.quick)
        for name in chosen.parts:
            server.say(f"{name} …")
            try:
                found[name] = MEASURES[name](bench)
            except Exception as error:  # noqa: BLE001 (the others go on; it stands in the table and in the exit status)
                traceback.print_exc()
                found[name] = [Row("it failed", None, note=f"{type(error).__name__}: {str(error)[:300]}")]
                failed = True
        took = f"{time.monotonic() - began:.0f} s{', quick' if chosen.quick else ''}"
        about = f"{started.about}, {server.machine()}, {took}."
    print(server.figures(found, about))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
