"""Runs the scheduler's beat: periodiq calls it once a minute to send the due jobs. The database's clock decides what is due."""

from __future__ import annotations

import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg2
from psycopg2.extensions import connection as Connection

import zeke_jobs
from zeke_jobs.core.logs import get_logger
from zeke_jobs.core.wording import span
from zeke_jobs.errors import ConfigurationError, MigrationError
from zeke_jobs.postgres.pool import DISCONNECTED, AddressError, connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.scheduler import dispatch

if TYPE_CHECKING:
    from pendulum import DateTime

NAME = "zeke-metronome"  # the only actor to which periodiq sends messages
_SIGNALS = 0.5  # seconds; the maximum time that a wait delays a signal
_BEAT_WITHIN = 50.0  # seconds to wait for a beat; a slower beat goes on in its thread while periodiq goes on
_AGAIN = 5  # seconds before the next try when the database is unreachable
_TOLERANCE = timedelta(milliseconds=500)  # a smaller difference of two clocks is ignored
_LOST_AFTER = timedelta(minutes=3)  # a scheduler beats once a minute
_BEATS_EACH = 130.0  # maximum number of seconds between the ends of two beats while the database answers
_STUCK_AFTER = 180.0  # seconds; periodiq begins a beat each minute
_UNREGISTER_WITHIN = 0.8  # maximum number of seconds for leaving the fleet at the end


class Beat:
    """Is passed as the actor option ``periodic``: a beat is due at each full minute of the database's clock."""

    def __str__(self) -> str:
        return "* * * * *"

    def validate(self, _now: DateTime) -> bool:
        """Return True, so that periodiq starts a beat each time it wakes up."""
        return True

    def next_valid_date(self, last: DateTime) -> DateTime:
        """Return the next beat's time by this machine's clock: in a few seconds if the database was unreachable."""
        if _PROCESS.away:
            return last.add(seconds=_AGAIN)
        return (last + _PROCESS.skew).start_of("minute").add(minutes=1) - _PROCESS.skew


@dataclass
class _Process:
    """Holds the state of this scheduler process."""

    id: UUID = field(default_factory=uuid4)
    skew: timedelta = timedelta(0)  # how far the database's clock is ahead of this machine's clock
    beating: threading.Thread | None = None
    away: bool = False
    turned: float = field(default_factory=time.monotonic)  # when periodiq began the last beat
    beaten: float = -math.inf  # when the last successful beat ended
    late: AbstractSet[str] = frozenset()  # the tasks whose jobs waited too long at the last beat
    refusal: AddressError | ConfigurationError | MigrationError | None = None
    is_ending: bool = False
    url: str | None = None


_PROCESS = _Process()


def beat(url: str | None, prepare: Callable[[Connection], int | None] = lambda _: None) -> None:
    """Run one beat: send the due jobs, then record that a scheduler is alive. ``beat`` returns within a minute.

    The work runs in a thread, so that a signal ends the process even if the database does not answer. The next beat of
    any scheduler process continues interrupted work. ``url`` is by default ``DATABASE_URL``. ``prepare`` checks the
    database, and returns the revision of this process's jobs.yaml.

    Raises:
        ConfigurationError, MigrationError: raised by ``prepare``.
        AddressError: the database's address is wrong, and this process has never reached the database.
    """
    obey_signals()
    _PROCESS.turned, _PROCESS.url = time.monotonic(), url
    beating = _PROCESS.beating
    if beating is None or not beating.is_alive():
        beating = _PROCESS.beating = threading.Thread(target=_beat, args=(url, prepare), name="beat", daemon=True)
        beating.start()
    # Wait with a short timeout: a signal that arrives just before a call of join() is handled when that call ends.
    end = time.monotonic() + _BEAT_WITHIN
    while beating.is_alive() and time.monotonic() < end:
        beating.join(_SIGNALS)
    if _PROCESS.refusal is not None:
        raise _PROCESS.refusal
    if beating.is_alive():
        get_logger(__name__).warning("the beat takes longer than a minute; the next one waits for it")


def _beat(url: str | None, prepare: Callable[[Connection], int | None]) -> None:
    log = get_logger(__name__)
    try:
        with closing(connect(url, application_name="zeke-jobs scheduler")) as conn:
            file_revision = prepare(conn)
            _measure_skew(dispatch.clock(conn))
            applying.revert_and_log(conn, log)  # running workers end overrides sooner
            dispatch.beat(conn)
            if not _PROCESS.is_ending:
                if not (revision := SQL.value(conn, "revision/number")):
                    log.warning("nothing to schedule: the catalogue is empty until a worker has started")
                row = {"revision": revision, "file_revision": file_revision, "lost_after": _LOST_AFTER}
                register(conn, _PROCESS.id, "scheduler", queues=[], tasks=[], threads=0, **row)
                SQL.run(conn, "schedule/beaten", scheduler=_PROCESS.id)
                _PROCESS.late = log_lateness(conn, _PROCESS.late)
    except (ConfigurationError, MigrationError) as error:
        _PROCESS.refusal = error
    except DISCONNECTED as error:
        if isinstance(error, AddressError) and _PROCESS.beaten == -math.inf:  # no connection has succeeded yet
            _PROCESS.refusal = error
            return
        _PROCESS.away = True
        log.warning("the database is unreachable; trying again soon", error=str(error).strip())
    except Exception:  # the scheduler goes on; workers and the command line report that schedule_beat is not updated
        log.exception("this beat failed; the next one tries again")
    else:
        if _PROCESS.away:
            log.info("the database is back")
        elif _PROCESS.beaten == -math.inf:
            log.info("the scheduler is ready; it beats once a minute")
        _PROCESS.away, _PROCESS.beaten = False, time.monotonic()


def faults() -> tuple[str, str]:
    """Return two texts for probes: why this process is stuck and why it sends no jobs. An empty text means no fault."""
    still = time.monotonic() - _PROCESS.turned
    stuck = f"has begun no beat for {still:.0f} s" if still > _STUCK_AFTER else ""
    if _PROCESS.away:
        return stuck, "waits for the database"
    return stuck, "" if time.monotonic() - _PROCESS.beaten < _BEATS_EACH else "no recent beat has reached the database"


def _measure_skew(database_time: datetime) -> None:
    skew = database_time - datetime.now(UTC)
    _PROCESS.skew = skew if abs(skew) > _TOLERANCE else timedelta(0)
    if _PROCESS.skew:
        event = "this machine's clock is not the database's; beating by the database's"
        get_logger(__name__).warning(event, ahead=round(skew.total_seconds(), 1))


def register(conn: Connection, process: UUID, kind: str, **row: Any) -> None:
    """Write the row of a worker or scheduler process to the table of processes."""
    us = {"host": socket.gethostname(), "pid": os.getpid(), "version": zeke_jobs.__version__}
    SQL.run(conn, "worker/register", id=process, kind=kind, **us, **row)


def leave(url: str | None, process: UUID, before: Callable[[Connection], object] = lambda _: None) -> None:
    """Remove a process from the table of processes. If this fails, others do it once its heartbeats are missing."""
    try:
        with closing(connect(url, application_name="zeke-jobs end")) as conn:
            before(conn)
            SQL.run(conn, "worker/leave", worker=process)
    except (psycopg2.Error, ConfigurationError) as error:
        event = "could not unregister; others will notice its missing heartbeats"
        get_logger(__name__).warning(event, error=str(error).strip())


def _leave() -> None:
    if _PROCESS.beating is not None:
        _PROCESS.beating.join()
    leave(_PROCESS.url, _PROCESS.id)


def obey_signals() -> None:
    """Make SIGTERM and SIGINT end the process (status 0 and 130), even as PID 1.

    The process first tries for up to a second to remove its row from the table of processes. SIGHUP does nothing,
    because each beat reads the configuration again. Outside the main thread, this function does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    said = "nothing to reload: every beat reads the schedules in force"
    signal.signal(signal.SIGHUP, lambda _number, _frame: get_logger(__name__).info(said))


def _stop(number: int, _frame: FrameType | None) -> None:
    status = 0 if number == signal.SIGTERM else 130
    if _PROCESS.beating is None:
        os._exit(status)  # the process still imports code, which may turn a SystemExit into another error
    _PROCESS.is_ending = True
    (leaving := threading.Thread(target=_leave, name="unregister", daemon=True)).start()
    leaving.join(_UNREGISTER_WITHIN)
    signal.alarm(0)  # periodiq's alarm would kill the process while the interpreter ends, with another status
    raise SystemExit(status)


def log_lateness(conn: Connection, known: AbstractSet[str]) -> AbstractSet[str]:
    """Log the tasks that are newly late (not in ``known``), and tasks that are no longer late. Returns all late tasks."""
    late = {row["task"]: row for row in SQL.all(conn, "schedule/late")}
    log = get_logger("zeke_jobs.max_wait")
    for task in late.keys() - known:
        waits = {"max_wait": span(late[task]["max_wait"]), "oldest_waits": span(late[task]["wait"])}
        log.warning("jobs wait longer than max_wait", task=task, **waits)
    for task in known - late.keys():
        log.info("jobs no longer wait longer than max_wait", task=task)
    return late.keys()
