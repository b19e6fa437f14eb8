"""``nox -s events`` measures the search for the same event with 1,000 to 100,000 stories in the window."""

import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from statistics import median

from tests.lab import server
from tests.lab.bench import result
from tests.lab.bench.result import Row
from tests.lab.events import measure
from tests.lab.events.world import World
from tests.lab.quality.corpora import CORPUS
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

_ARRIVING = 300


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and return 0 even for a low figure."""
    chosen = server.command("events", __doc__, arguments, stories=100_000)
    found: dict[str, Iterable[Row]] = {}
    first = 0.0
    with server.start(chosen.server) as started:
        for count in (count for count in (1_000, 10_000, 100_000) if count <= chosen.stories):
            say(f"{count:,} stories: making them")
            world = World.made(count, _ARRIVING)
            url = started.create(f"events_{count}")
            with closing(connect(url)) as conn:
                migrate.migrate(conn, ["actors.store"])
                say("loading")
                world.load(conn)
            say("measuring")
            rows = _figures(url, world)
            started.drop(url)
            cost = rows[0].value or 0.0
            first = first or cost
            found[f"{count:,} stories"] = [*rows, Row("joining, times the least stories'", cost / first, "", most=5)]
    words = "sentences of real news" if CORPUS.is_dir() else "invented words: the corpora are not beside the checkout"
    print(result.table(found, f"Same event, {words}; {started.about}"))
    return 0


def _figures(url: str, world: World) -> list[Row]:
    places = range(world.known, world.known + _ARRIVING)
    cost, hits = measure.one_by_one(url, world, places)
    found = measure.quality(url, world, places, hits)
    recall, precision = found.together / max(found.pairs, 1), 1 - found.wrong / max(found.found, 1)
    return [
        Row("a story that joins an event", median(cost.joining), "ms", note=f"of {len(cost.joining)}, median"),
        Row("a story that stays alone", median(cost.alone), "ms", note=f"of {len(cost.alone)}, median"),
        Row("CPU of the server a story", cost.server, "ms"),
        Row("recall", recall, "", note=f"aimed at .98; {found.pairs} pairs by comparison of all"),
        Row("precision", precision, "", note=f"aimed at 1; {found.found} pairs found"),
    ]


def say(text: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
