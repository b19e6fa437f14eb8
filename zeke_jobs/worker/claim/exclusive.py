"""Who of a process's consumers may claim now: all beside each other, or one where jobs must run apart from all others."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zeke_jobs.worker.claim.claims import HeldClaims


class Turns:
    """Counts the claims that are on their way to the database and back: nobody sees yet what they will bring."""

    def __init__(self, held: HeldClaims) -> None:
        self._held = held
        self._under_way = 0
        self._one_is_alone = False
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, room: int, *, alone: bool) -> Iterator[int]:
        """How many jobs to claim within the block, which ends when they are held; 0 is no turn.

        Args:
            room: How many the process has room for.
            alone: Jobs that must run apart from all others: while nothing is held, and no other claim is under way.
        """
        with self._lock:
            if self._one_is_alone or (alone and (self._under_way or len(self._held))):
                room = 0
            if room > 0:
                self._under_way += 1
                self._one_is_alone = alone
        try:
            yield room
        finally:
            if room > 0:
                with self._lock:
                    self._under_way -= 1
                    self._one_is_alone = False
