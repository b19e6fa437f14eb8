"""Measures how fast a system works off a burst, from recorded times, without boot, warm-up and tail."""

import statistics
import time
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection

from tests import fleet
from tests.fleet import Fleet, scalar
from tests.lab import server
from tests.lab.bench import result
from tests.lab.bench.result import Row
from tests.lab.server import Server

_TRIM = 0.05  # of the jobs, at either end
_LOOK = 0.05
_RAMP = 0.5  # seconds until a burst is in full flow
_PATIENCE = 300.0
_MOST = 400_000  # jobs of a burst


@dataclass(frozen=True)
class Drain:
    """One burst, worked off.

    Attributes:
        jobs: How many.
        rate: Jobs a second, between the first and the last twentieth of them.
        client: Microseconds of CPU of the workers per job.
        server: Microseconds of CPU of the server per job.
        took: Seconds from the burst until all of it had ended.
    """

    jobs: int
    rate: float
    client: float
    server: float
    took: float


def eventually(condition: Any, up: Fleet | None = None, patience: float = _PATIENCE, look: float = _LOOK) -> None:
    """Poll what other processes bring about, as long as the commands run."""

    def is_so() -> Any:
        if up:
            up.check()
        return condition()

    fleet.eventually(is_so, patience, up, every=look)


@dataclass
class Running:
    """A system whose workers are up: an ``ours.Installation`` or a peer that has the same methods."""

    system: Any
    fleet: Fleet
    conn: Connection
    server: Server

    def drain(self, count: int, **kind: Any) -> Drain:
        """Let idle workers work off a burst of ``count`` jobs."""
        server.vacuum(self.conn)
        since = self._now()
        self.system.seed(self.conn, count, **kind)
        client, served, begin = self.fleet.cpu(), self.server.cpu(), time.monotonic()
        self._emptied(**kind)
        client, served = self.fleet.cpu() - client, self.server.cpu() - served
        took = time.monotonic() - begin
        times = self.system.completions(self.conn, since)
        return Drain(len(times), rate(times), client / count * 1e6, served / count * 1e6, took)

    def window(self, count: int, seconds: float) -> Drain:
        """Look at ``seconds`` of working on a backlog too large to be worked off, and throw the rest of it away."""
        server.vacuum(self.conn)
        self.system.seed(self.conn, count)
        time.sleep(_RAMP)
        begin, client, served = self._now(), self.fleet.cpu(), self.server.cpu()
        time.sleep(seconds)
        client, served, end = self.fleet.cpu() - client, self.server.cpu() - served, self._now()
        done = sum(at < end for at in self.system.completions(self.conn, begin))
        self.system.clear(self.conn)
        self._emptied()
        return Drain(done, done / (end - begin), client / max(done, 1) * 1e6, served / max(done, 1) * 1e6, end - begin)

    def sized(self, seconds: float, least: int = 500, **kind: Any) -> int:
        """Warm up, and answer how many jobs take about ``seconds``, of at most ``_MOST``."""
        # By the clock, not by the recorded times: few jobs may all end in one batch, at one time.
        count = least
        for _ in range(3):
            per_second = count / self.drain(count, **kind).took
            count = max(least, min(_MOST, int(per_second * seconds), count * 8))
        return count

    def _emptied(self, **kind: Any) -> None:
        eventually(lambda: not self.system.left(self.conn, **kind), self.fleet)

    def _now(self) -> float:
        return float(scalar(self.conn, "SELECT extract(epoch FROM clock_timestamp())"))


def rate(times: list[float]) -> float:
    """Events a second in the middle part of them."""
    skip = int(len(times) * _TRIM)
    first, last = times[skip], times[len(times) - 1 - skip]
    return (len(times) - 2 * skip - 1) / max(last - first, 1e-9)


def row(
    what: str, drains: list[Drain], others: list[Drain] | None = None, against: str = "", least: float | None = None
) -> Row:
    """The medians of several drains as a row, beside those of others."""
    client, served = (statistics.median(getattr(one, part) for one in drains) for part in ("client", "server"))
    return result.middle(
        what,
        [one.rate for one in drains],
        None if others is None else [one.rate for one in others],
        against=against,
        least=least,
        note=f"CPU per job: workers {client:.0f} µs, server {served:.0f} µs",
    )
