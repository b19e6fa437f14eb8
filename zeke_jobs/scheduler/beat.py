"""The scheduler's beat, once a minute, driven by periodiq. The database's clock and tables decide which ticks are due."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg2

import zeke_jobs
from zeke_jobs.core.logs import get_logger
from zeke_jobs.errors import ConfigurationError, MigrationError
from zeke_jobs.postgres.pool import DISCONNECTED, AddressError, connect
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import applying
from zeke_jobs.scheduler import dispatch, lateness
from zeke_jobs.scheduler.dispatch import silence as scheduler_silence

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from pendulum import DateTime
    from psycopg2.extensions import connection as Connection

__all__ = ["NAME", "Beat", "Shown", "beat", "obey_signals", "scheduler_silence"]

#: The one actor that periodiq sends.
NAME = "zeke-metronome"
_PATIENCE = 50.0  # seconds that a beat may take before periodiq is let go on to the next minute
_AGAIN = 5  # seconds to the next try when the database is away
_NOISE = timedelta(milliseconds=500)  # clocks this close count as one
_LOST_AFTER = timedelta(minutes=3)  # a scheduler beats once a minute
_GOODBYE = 0.8  # seconds that leaving the fleet may take at the end
_WIDTH = 24  # of periodiq's column of crons


class Beat:
    """The ``periodic`` option of the metronome's actor: due at each start of a minute of the database's clock."""

    def __str__(self) -> str:
        return "* * * * *"

    def validate(self, _now: DateTime) -> bool:
        """Whether to beat: whenever periodiq wakes."""
        return True

    def next_valid_date(self, last: DateTime) -> DateTime:
        """When to beat next, by this machine's clock; soon where the database was away."""
        if _PROCESS.away:
            return last.add(seconds=_AGAIN)
        return (last + _PROCESS.skew).start_of("minute").add(minutes=1) - _PROCESS.skew


class Shown:
    """The ``periodic`` option of a task's actor: never due, it only shows people the cron in periodiq's list.

    Args:
        at: The cron line.
        zone: Name of its zone.
        more: How many more the task has.
    """

    def __init__(self, at: str, zone: str, *, more: int = 0) -> None:
        self._text = (at if zone == "UTC" else f"{at} {zone}") + (f" +{more}" if more else "")

    def __str__(self) -> str:
        return self._text

    def validate(self, _now: DateTime) -> bool:
        """Whether to send: never."""
        return False

    def next_valid_date(self, last: DateTime) -> DateTime:
        """So late that the metronome is always before it."""
        return last.add(days=1)


class _Process:
    """This scheduler process: its identity, the beat under way, and how far the database's clock is ahead of ours."""

    def __init__(self) -> None:
        self.id: UUID = uuid4()
        self.skew = timedelta(0)
        self.beating: threading.Thread | None = None
        self.beginning = threading.Lock()
        self.away = False
        self.refusal: AddressError | ConfigurationError | MigrationError | None = None
        self.ending = threading.Event()
        self.goodbye: threading.Thread | None = None


_PROCESS = _Process()


def beat(url: str | None, prepare: Callable[[Connection], int | None] = lambda _: None) -> None:
    """One beat: send what is due, then prove that a scheduler lives. Returns within a minute.

    The work is done in a thread, so that a signal ends the process even while the database does not answer. An open
    transaction is then rolled back, and the next beat of any scheduler does what this one left undone.

    Args:
        url: The database; by default what the environment names.
        prepare: Called with the connection before anything else, as for the checks of a start; answers the revision of our file.

    Raises:
        ConfigurationError, MigrationError: what ``prepare`` refused.
        AddressError: the address is wrong, and this process never reached the database.
    """
    obey_signals()
    with _PROCESS.beginning:
        beating = _PROCESS.beating
        if beating is None or not beating.is_alive():
            beating = _PROCESS.beating = threading.Thread(target=_beat, args=(url, prepare), name="beat", daemon=True)
            beating.start()
    beating.join(_PATIENCE)
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
            applying.revert_and_say(conn, log)  # workers do it sooner, where there are any
            dispatch.beat(conn)
            if not _PROCESS.ending.is_set():
                _prove_life(conn, file_revision)
                lateness.note(conn)
                _prepare_goodbye(url)
    except (ConfigurationError, MigrationError) as error:
        _PROCESS.refusal = error
    except DISCONNECTED as error:
        if isinstance(error, AddressError) and _PROCESS.goodbye is None:  # it never reached the database
            _PROCESS.refusal = error
            return
        _PROCESS.away = True
        log.warning("the database is away; trying again soon", error=str(error).strip())
    except Exception:  # the scheduler goes on; schedule_beat stands still, which workers and the command line report
        log.exception("this beat failed; the next one tries again")
    else:
        if _PROCESS.away:
            log.info("the database is back")
        _PROCESS.away = False


def _measure_skew(theirs: datetime) -> None:
    skew = theirs - datetime.now(UTC)
    _PROCESS.skew = skew if abs(skew) > _NOISE else timedelta(0)
    if _PROCESS.skew:
        seconds = round(skew.total_seconds(), 1)
        get_logger(__name__).warning(
            "this machine's clock is not the database's; beating by the database's", ahead=seconds
        )


def _prove_life(conn: Any, file_revision: int | None) -> None:
    state = SQL.one(conn, "revision/latest")
    revision = 0 if state is None else state["number"]
    if not revision:
        get_logger(__name__).warning("nothing to schedule: the catalogue is empty until a worker has started")
    SQL.run(
        conn,
        "worker/register",
        id=_PROCESS.id,
        kind="scheduler",
        host=socket.gethostname(),
        pid=os.getpid(),
        version=zeke_jobs.__version__,
        queues=[],
        tasks=[],
        threads=0,
        revision=revision,
        file_revision=file_revision,
        lost_after=_LOST_AFTER,
    )
    SQL.run(conn, "schedule/beaten", scheduler=_PROCESS.id)


def _prepare_goodbye(url: str | None) -> None:
    """Have a thread wait for the end: none can be started while the interpreter shuts down."""
    if _PROCESS.goodbye is None:
        _PROCESS.goodbye = threading.Thread(target=_leave, args=(_PROCESS, url), name="goodbye", daemon=True)
        _PROCESS.goodbye.start()


def _leave(process: _Process, url: str | None) -> None:
    """At the end, take the scheduler out of the fleet; where that fails, others do it when its heartbeat stays out."""
    process.ending.wait()
    if process.beating is not None:
        process.beating.join()
    try:
        with closing(connect(url, application_name="zeke-jobs scheduler")) as conn:
            SQL.run(conn, "worker/leave", worker=process.id)
    except (psycopg2.Error, ConfigurationError) as error:
        get_logger(__name__).warning("could not say goodbye; others will notice", error=str(error).strip())


def _say_goodbye() -> None:
    _PROCESS.ending.set()
    if _PROCESS.goodbye is not None:
        _PROCESS.goodbye.join(_GOODBYE)


def obey_signals() -> None:
    """End at once on SIGTERM (status 0) and SIGINT (130), also as PID 1; let SIGHUP pass, for each beat reads all anew.

    The process then leaves the fleet, within a second or not at all.

    Where this is not the main thread, which alone gets signals, it does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGHUP, _let_pass)
    atexit.unregister(_say_goodbye)
    atexit.register(_say_goodbye)


def _stop(number: int, _frame: FrameType | None) -> None:
    status = 0 if number == signal.SIGTERM else 130
    if _PROCESS.beating is None:
        os._exit(status)  # it still imports code, which may turn a SystemExit into an error of its own
    raise SystemExit(status)


def _let_pass(_number: int, _frame: FrameType | None) -> None:
    get_logger(__name__).info("nothing to reload: every beat reads the schedules in force")
