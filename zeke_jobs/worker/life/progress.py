"""The answer of a worker process to a container's probes: whether it makes progress, and whether it can do work now."""

import sys
import time
from pathlib import Path
from threading import Thread

from zeke_jobs.postgres import pool
from zeke_jobs.worker.claim.producer import Producer
from zeke_jobs.worker.life.heartbeat import Heartbeat

_STUCK_AFTER = 30.0  # seconds; each turn of either loop takes at most 3, unless it waits for the database
_DATABASE = str(Path(pool.__file__).parent)


def faults(producer: Producer, heartbeat: Heartbeat) -> tuple[str, str]:
    """Why the process makes no progress, and why it can do no work now; each text is empty if it does.

    A database that is away, or a lock that a claim waits for, is no lack of progress: a restart would not help.
    """
    process = producer.process
    if not process.is_booted:
        return "", "waits for the database"
    if process.stopping:
        return "", "is stopping"
    loops = (
        ("heartbeat", heartbeat.thread, heartbeat.turned),
        ("producer", producer.thread, producer.turned),
    )
    stuck = "; ".join(why for name, thread, turned in loops if (why := _stuck(name, thread, turned)))
    if heartbeat.is_away:
        return stuck, "waits for the database"
    return stuck, "" if process.proof.is_fresh() else "no heartbeat has reached the database for too long"


def _stuck(name: str, thread: Thread, turned: float) -> str:
    if not thread.is_alive():
        return f"its thread {name} has ended"
    still = time.monotonic() - turned
    return f"its thread {name} has stood still for {still:.0f} s" if still > _STUCK_AFTER and not _asks(thread) else ""


def _asks(thread: Thread) -> bool:
    """Whether the thread is inside a call to the database."""
    frame = sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 (made for finding deadlocks)
    while frame is not None and not frame.f_code.co_filename.startswith(_DATABASE):
        frame = frame.f_back
    return frame is not None
