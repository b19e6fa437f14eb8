"""``nox -s bench``: measure, compare, print the table, write JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import result, server
from tests.bench.bench import Bench
from tests.bench.measures import framework, limited, sending, unlimited, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.result import Row

MEASURES: dict[str, Callable[[Bench], list[Row]]] = {
    framework.MEASURE: framework.measure,
    unlimited.MEASURE: unlimited.measure,
    limited.MEASURE: limited.measure,
    limited.ALL_TASKS: limited.all_tasks,
    sending.ONE: sending.one_by_one,
    sending.MANY: sending.many,
    waiting.LATENCY: waiting.latency,
    waiting.IDLE: waiting.idle,
}
_PACKAGES = ("dramatiq", "dramatiq-pg", "procrastinate", "pgqueuer", "oban")


def main(arguments: list[str] | None = None) -> int:
    """Run the named measures, or all; 0 whatever they found: a figure that falls short is a result."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("measure", nargs="*", help=f"of: {', '.join(MEASURES)}; without one, all")
    parser.add_argument("--quick", action="store_true", help="small counts, fewer rounds: about three minutes")
    parser.add_argument("--json", type=Path, help="where to write the figures; by default in a temporary folder")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.measure) - MEASURES.keys():
        parser.error(f"expected measures among {', '.join(MEASURES)}, got {', '.join(sorted(unknown))}")
    began = time.monotonic()
    rows: list[Row] = []
    with server.start() as started, tempfile.TemporaryDirectory(prefix="zeke-bench-run-") as folder:
        bench = Bench(started, Path(folder), chosen.quick)
        for name in chosen.measure or MEASURES:
            print(f"{name} …", file=sys.stderr, flush=True)
            rows += MEASURES[name](bench)
    _write(chosen.json, rows, quick=chosen.quick)
    result.show(rows, f"{_machine()}, {time.monotonic() - began:.0f} s{', quick' if chosen.quick else ''}")
    return 0


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} at the end"


def _write(path: Path | None, rows: list[Row], *, quick: bool) -> None:
    path = path or Path(tempfile.gettempdir()) / "zeke-bench.json"
    about = {"python": platform.python_version(), "cores": os.cpu_count(), "quick": quick, "versions": _versions()}
    path.write_text(json.dumps({**about, "rows": result.as_json(rows)}, indent=1, ensure_ascii=False) + "\n")
    print(f"figures: {path}", file=sys.stderr)


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
