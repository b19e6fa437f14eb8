"""``nox -s events``: same event at 1,000 to 100,000 stories in the window, on one server or several."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.conftest import at
from tests.lab.bench import page
from tests.lab.bench.result import Row, show
from tests.lab.events import measure, workers
from tests.lab.events.texts import CORPUS
from tests.lab.events.world import World
from zeke_jobs.postgres import embedded, migrate
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

_STOCK = {"jit": "on", "shared_buffers": "128MB", "max_connections": "100"}
_ONE_BY_ONE, _AT_ONCE = 300, 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; 0 whatever came out: a figure that falls short is a result."""
    parser = argparse.ArgumentParser(prog="nox -s events --", description=__doc__)
    parser.add_argument("--stories", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument(
        "--server", type=Path, action="append", help="folder of a PostgreSQL's programs, with its own defaults"
    )
    chosen = parser.parse_args(arguments)
    rows: list[Row] = []
    first: dict[str, float] = {}
    for count in sorted(chosen.stories):
        arriving = _ONE_BY_ONE + _AT_ONCE + workers.NEEDED + workers.SPARE
        say(f"{count:,} stories: making them")
        world = World.made(count, arriving)
        for programs in [None, *(chosen.server or [])]:
            name = "embedded" if programs is None else "stock"
            found = _on(programs, world, name)
            rows += found
            first.setdefault(name, found[0].value or 0)
            rows.append(_growth(name, count, found[0].value or 0, first[name], min(chosen.stories)))
            show([*found, rows[-1]], f"{count:,} stories, {name}")
    words = "sentences of real news" if CORPUS.is_dir() else "invented words: the corpora are not beside the checkout"
    show(rows, f"same event, {words}")
    print(page.table(rows))
    return 0


def _on(programs: Path | None, world: World, name: str) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="zeke-events-"))
    try:
        url = embedded.ensure(folder, bin_dir=programs, settings=_STOCK if programs else {})
        with closing(connect(url)) as conn, conn.cursor() as cursor:
            cursor.execute("CREATE DATABASE events")
        url = at(url, "events")
        with closing(connect(url)) as conn:
            migrate.migrate(conn, ["actors.store"])
            say(f"{world.known:,} stories, {name}: loading")
            world.load(conn)
        say(f"{world.known:,} stories, {name}: measuring")
        return _figures(url, world, f"{world.known:,} stories, {name}")
    finally:
        embedded.stop(folder, mode="immediate")
        shutil.rmtree(folder)


def _figures(url: str, world: World, measure_name: str) -> list[Row]:
    places = range(world.known, world.known + _ONE_BY_ONE)
    cost, hits = measure.one_by_one(url, world, places)
    found = measure.quality(url, world, places, hits)
    waits = measure.at_once(url, world, range(places.stop, places.stop + _AT_ONCE))
    faster = workers.speedup(url, world, range(places.stop + _AT_ONCE, len(world.told)))
    recall, precision = found.together / max(found.pairs, 1), 1 - found.wrong / max(found.found, 1)

    def row(what: str, value: float, unit: str = "", **more: Any) -> Row:
        return Row(measure_name, what, value, unit, **more)

    return [
        row("a story that joins an event", cost.median(joining=True), "ms", note=f"of {len(cost.joining)}, median"),
        row("a story that stays alone", cost.median(joining=False), "ms", note=f"of {len(cost.alone)}, median"),
        row("CPU of the server a story", cost.server, "ms"),
        row("recall", recall, target="≥ .98", reached=recall >= 0.98, note=f"{found.pairs} pairs by comparison of all"),
        row("precision", precision, target="1", reached=precision == 1, note=f"{found.found} pairs found"),
        row(
            "waiting for locks, of the time of four at once",
            waits.waited / (waits.seconds * measure.WORKERS),
            note=f"{waits.stories} stories in {waits.seconds:.1f} s",
        ),
        row("waits for another event, seen", waits.unrelated, target="0", reached=waits.unrelated == 0),
        row("four workers, model of 300 ms", faster, "times one", target="≥ 3.5", reached=faster >= 3.5),
    ]


def _growth(name: str, count: int, cost: float, first: float, least: int) -> Row:
    ratio = cost / first
    return Row(
        f"{count:,} stories, {name}",
        f"joining, beside {least:,} stories",
        ratio,
        "times",
        target="≤ 5",
        reached=ratio <= 5,
    )


def say(text: str) -> None:
    """Show progress."""
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
