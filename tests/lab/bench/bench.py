"""The bench starts job queues with their workers, and measures how fast the workers finish a burst of jobs.

Rates come from recorded times; the boot, the warm-up and the last jobs do not count.
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count as numbers
from pathlib import Path
from typing import Any

from psycopg2.errors import LockNotAvailable
from psycopg2.extensions import connection as Connection

from tests.fleet import Fleet, fleet, query, scalar
from tests.lab.bench import ours
from tests.lab.server import Row, Server, middle
from zeke_jobs.postgres.pool import connect

_TRIM = 0.05  # Rates leave out the share _TRIM of the jobs at either end.
_MOST = 400_000  # A burst has at most _MOST jobs.


@dataclass(frozen=True)
class Drain:
    """Workers finished a burst at ``rate`` jobs a second, measured without its first and its last twentieth."""

    rate: float
    client: float  # The workers' CPU is in microseconds per job.
    server: float  # The server's CPU is in microseconds per job.
    took: float  # ``took`` is the seconds from the burst until its last end.


@dataclass
class Running:
    """A system with running workers: ``system`` is an ``ours.Installation``, or another queue with the same methods."""

    system: Any
    fleet: Fleet
    conn: Connection
    server: Server

    def drain(self, count: int, **kind: Any) -> Drain:
        """Vacuum, so that all rounds start in the same state, and measure how idle workers finish a burst of ``count`` jobs."""
        with suppress(LockNotAvailable):
            query(self.conn, "VACUUM (ANALYZE)")
        since = float(scalar(self.conn, "SELECT extract(epoch FROM clock_timestamp())"))
        self.system.seed(self.conn, count, **kind)
        client, served, begin = self.fleet.cpu(), self.server.cpu(), time.monotonic()
        self.fleet.until(lambda: not self.system.left(self.conn, **kind))
        client, served = self.fleet.cpu() - client, self.server.cpu() - served
        took = time.monotonic() - begin
        times = self.system.completions(self.conn, since)
        return Drain(rate(times), client / count * 1e6, served / count * 1e6, took)

    def sized(self, seconds: float, least: int = 500, **kind: Any) -> int:
        """Warm up, and return how many jobs end in about ``seconds``; at least ``least``, at most ``_MOST``."""
        # Elapsed time is used, because a few jobs may all have the same recorded end time.
        count = least
        for _ in range(3):
            per_second = count / self.drain(count, **kind).took
            count = max(least, min(_MOST, int(per_second * seconds), count * 8))
        return count


@dataclass
class Bench:
    """All measurements share this server; if ``quick`` is true, they take less time."""

    server: Server
    quick: bool
    _numbers: Iterator[int] = field(default_factory=numbers)

    def __post_init__(self) -> None:
        self.rounds, self.seconds = (3, 1.0) if self.quick else (5, 5.0)

    def database(self, name: str) -> str:
        return self.server.create(f"{name}_{next(self._numbers)}")

    def installation(self, changed: Mapping[str, Mapping[str, Any]], text: str = "") -> ours.Installation:
        """Install zeke_jobs on a new database with the jobs.yaml ``text``, or else with ``ours.jobs_yaml(changed)``."""
        folder = self.server.files / f"config-{next(self._numbers)}"
        return ours.Installation(self.database("ours"), folder, text or ours.jobs_yaml(changed))

    @contextmanager
    def running(self, system: Any, *, keep: bool = False, **start: Any) -> Iterator[Running]:
        """Start the workers of a system; drop its database afterwards unless ``keep`` is true."""
        with working(system, self.server.files / f"fleet-{next(self._numbers)}", **start) as (up, conn):
            yield Running(system, up, conn, self.server)
        if not keep:
            self.server.drop(system.url)

    def in_turns(self, up: Running, kinds: Mapping[str, dict[str, Any]], least: int = 200) -> dict[str, list[Drain]]:
        counts = {name: up.sized(self.seconds, least, **kind) for name, kind in kinds.items()}
        drains: dict[str, list[Drain]] = {name: [] for name in kinds}
        for _ in range(self.rounds):
            for name, kind in kinds.items():
                drains[name].append(up.drain(counts[name], **kind))
        return drains


@contextmanager
def working(system: Any, folder: Path, **start: Any) -> Iterator[tuple[Fleet, Connection]]:
    """Start a system's workers with the default heartbeat of 5 seconds, and open a connection for queries."""
    with fleet(folder, system.url, ZEKE_JOBS_HEARTBEAT="5") as up, closing(connect(system.url)) as conn:
        system.start(up, **start)
        up.until(lambda: system.ready(conn, **start), 120)
        yield up, conn


def rate(times: list[float]) -> float:
    """Return the number of events a second; leave out the first and the last events."""
    skip = int(len(times) * _TRIM)
    first, last = times[skip], times[len(times) - 1 - skip]
    return (len(times) - 2 * skip - 1) / max(last - first, 1e-9)


def row(
    what: str, drains: list[Drain], others: list[Drain] | None = None, against: str = "", least: float | None = None
) -> Row:
    """Make a row with the median rate and CPU times of drains, and the ratio of their rate to that of ``others``."""
    client, served = (statistics.median(getattr(one, part) for one in drains) for part in ("client", "server"))
    note = f"CPU per job: workers {client:.0f} µs, server {served:.0f} µs"
    beside = None if others is None else [one.rate for one in others]
    return middle(what, [one.rate for one in drains], beside, against=against, least=least, note=note)
