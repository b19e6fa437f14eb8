"""``nox -s bench``: measure, compare, print the table, write JSON."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.bench import page, result, server
from tests.lab.bench.bench import Bench
from tests.lab.bench.measures import (
    burdened,
    fairness,
    framework,
    limited,
    log_lines,
    looks,
    memory,
    pulling,
    purging,
    rates,
    reading,
    sending,
    server_cost,
    together,
    unlimited,
    waiting,
)
from tests.lab.bench.result import Row

if TYPE_CHECKING:
    from collections.abc import Callable

MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    framework.MEASURE: framework.measure,
    unlimited.MEASURE: unlimited.measure,
    limited.MEASURE: limited.measure,
    limited.ALL_TASKS: limited.all_tasks,
    rates.MEASURE: rates.measure,
    server_cost.MEASURE: server_cost.measure,
    burdened.HELD: burdened.held_transaction,
    burdened.LARGE: burdened.large_table,
    burdened.BLOCKED: burdened.blocked,
    sending.ONE: sending.one_by_one,
    sending.AT_ONCE: sending.at_once,
    sending.MANY: sending.many,
    waiting.LATENCY: waiting.latency,
    waiting.IDLE: waiting.idle,
    memory.MEASURE: memory.measure,
    pulling.MEASURE: pulling.measure,
    fairness.MEASURE: fairness.measure,
    purging.MEASURE: purging.measure,
    reading.MEASURE: reading.measure,
    together.BATCH: together.batch,
    together.ORDER: together.order,
    log_lines.MEASURE: log_lines.measure,
    looks.METRICS: looks.metrics,
    looks.TOP: looks.top,
}
#: Measures in which a server must match the embedded one.
COMPARED = (unlimited.MEASURE, limited.MEASURE, limited.ALL_TASKS, waiting.LATENCY, looks.METRICS, looks.TOP)
_JSON = Path(tempfile.gettempdir()) / "zeke-bench.json"
_PACKAGES = ("dramatiq", "dramatiq-pg", "procrastinate", "pgqueuer", "oban", "awa-pg")


def main(arguments: list[str] | None = None) -> int:
    """Run the named measures, or all; 0 whatever they found, since a figure that falls short is a result; 1 if one broke."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("measure", nargs="*", help=f"of: {', '.join(MEASURES)}; without one, all")
    parser.add_argument("--quick", action="store_true", help="small counts, fewer rounds: some minutes")
    parser.add_argument(
        "--server",
        action="append",
        type=server.binaries,
        metavar="PATH-OF-BIN",
        help="another PostgreSQL, with its own defaults; several, embedded among them, are compared in turns, by default in: "
        f"{', '.join(COMPARED)}",
    )
    parser.add_argument("--turns", type=int, default=2, help="of each server that is compared; default: %(default)s")
    parser.add_argument("--json", type=Path, default=_JSON, help=f"where to write the figures; by default {_JSON}")
    parser.add_argument("--page", type=Path, help="a page of the documentation whose table of figures to replace")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.measure) - MEASURES.keys():
        parser.error(f"expected measures among {', '.join(MEASURES)}, got {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that server and workers end with us
    began = time.monotonic()
    about = ""
    conditions: dict[str, dict[str, float]] = {}
    failed = False
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="zeke-bench-run-")))
        servers = [stack.enter_context(server.start(one)) for one in chosen.server or [None]]
        alone = len(servers) > 1
        benches = [Bench(one, folder / str(number), chosen.quick, alone) for number, one in enumerate(servers)]
        found: dict[str, list[Row]] = {one.about: [] for one in servers}
        for name in chosen.measure or (COMPARED if len(servers) > 1 else MEASURES):
            conditions[name] = {"load": os.getloadavg()[0], "flush_ms": servers[0].flush()}
            at = time.monotonic() - began
            print(f"{name} … ({at:.0f} s, {_conditions(conditions[name])})", file=sys.stderr, flush=True)
            taken: dict[str, list[list[Row]]] = {one.about: [] for one in servers}
            order = [benches, benches[::-1]] * chosen.turns
            for bench in itertools.chain(*order[: chosen.turns]) if alone else benches:
                try:
                    taken[bench.server.about].append(MEASURES[name](bench))
                except Exception as error:  # noqa: BLE001 (the others go on; it stands in the table and in the exit status)
                    traceback.print_exc()
                    note = f"{type(error).__name__}: {str(error)[:300]}"
                    taken[bench.server.about].append([Row(name, "it failed", None, note=note, reached=False)])
                    failed = True
            for which, turns in taken.items():
                found[which] += result.together(turns)
            # After each measure, so that a run that is cut off keeps its results.
            about = f"{_machine()}, {time.monotonic() - began:.0f} s{', quick' if chosen.quick else ''}"
            _write(chosen.json, found, conditions, quick=chosen.quick)
            if chosen.page:
                page.write(chosen.page, found, f"{about}. {_bounds(conditions)}")
    for which, rows in found.items():
        result.show(rows, f"{which}; {about}")
    if len(found) > 1:
        print(page.side_by_side(found))
    print(f"figures: {chosen.json}", file=sys.stderr)
    return 1 if failed else 0


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} at the end"


def _conditions(found: dict[str, float]) -> str:
    return f"load {found['load']:.1f}, a flush {found['flush_ms']:.2f} ms"


def _bounds(conditions: dict[str, dict[str, float]]) -> str:
    """Between which bounds load and disk were."""
    loads = sorted(found["load"] for found in conditions.values())
    flushes = sorted(found["flush_ms"] for found in conditions.values())
    return f"Load {loads[0]:.1f} to {loads[-1]:.1f}, a flush of the disk {flushes[0]:.2f} to {flushes[-1]:.2f} ms."


def _write(path: Path, found: dict[str, list[Row]], conditions: dict[str, dict[str, float]], *, quick: bool) -> None:
    about = {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "quick": quick,
        "versions": _versions(),
        "conditions": conditions,
    }
    path.write_text(
        json.dumps(
            {**about, "servers": {which: result.as_json(rows) for which, rows in found.items()}},
            indent=1,
            ensure_ascii=False,
        )
        + "\n"
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main())
