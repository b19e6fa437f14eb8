"""Stores the last lines that each attempt logs with its job; ``zeke-jobs logs`` shows them."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zeke_jobs.core.logs import Captured, capturing, get_logger
from zeke_jobs.postgres.pool import DISCONNECTED
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from zeke_jobs.postgres.pool import Pool
    from zeke_jobs.worker.claim.claims import Claim

_EVERY = 0.5  # seconds between writes, so that a running job's lines can be read
_MOST = 5_000  # attempts with lines that wait for the database; beyond that, the oldest are dropped


class JobLog:
    """The lines of attempts that run or have just ended, and the thread that writes them.

    Lines matter less than jobs: no job waits for them, and some are lost while the database is away.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._open: dict[int, tuple[Claim, Captured]] = {}
        self._ended: list[tuple[Claim, Captured]] = []
        self._last_jobs: list[UUID] = []  # jobs of the last write
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="job log", daemon=True)
        self._log = get_logger("zeke_jobs.job_log")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Write the waiting lines, and end the thread."""
        self._closing.set()
        self._thread.join(2.0)

    @contextmanager
    def keeping(self, claim: Claim, most: int) -> Iterator[None]:
        """Store the last ``most`` lines that this thread logs inside the block; 0 stores none."""
        if not most:
            yield
            return
        with capturing(most, lambda captured: self._begin(claim, captured)) as captured:
            try:
                yield
            finally:
                with self._lock:
                    captured.is_over = True
                    begun = self._open.pop(id(claim), None)
                    if begun is not None and captured.is_new:
                        self._ended = [*self._ended[1 - _MOST :], begun]

    def _begin(self, claim: Claim, captured: Captured) -> None:
        with self._lock:
            if not captured.is_over:  # a thread of the handler may log after its end
                self._open[id(claim)] = (claim, captured)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._closing.wait(_EVERY)
            try:
                self._write()
            except DISCONNECTED:
                pass  # the next round tries again; the oldest lines are dropped if too many wait
            except Exception:  # noqa: BLE001 (lines are lost, jobs go on; it is logged each time)
                self._log.exception("lines of jobs could not be kept")

    def _write(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, []
            found = [*ended, *(one for one in self._open.values() if one[1].is_new)]
        if not (found or self._last_jobs):
            return
        read = [(claim, captured.read()) for claim, captured in found]
        try:
            with self._pool.connection() as conn:
                SQL.run(
                    conn,
                    "job/keep_log",
                    before=self._last_jobs,
                    jobs=[claim.id for claim, _ in read],
                    claims=[claim.number for claim, _ in read],
                    attempts=[claim.attempt + 1 for claim, _ in read],
                    lines=[lines for _, (lines, _) in read],
                    dropped=[dropped for _, (_, dropped) in read],
                )
        except DISCONNECTED:
            for _, captured in found:
                captured.is_new = True
            with self._lock:
                self._ended = [*ended, *self._ended][-_MOST:]
            raise
        self._last_jobs = [claim.id for claim, _ in read]
