"""A finding of the doctor: one fault, its severity, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from psycopg2.extensions import connection as Connection


class Severity(StrEnum):
    """How bad a finding is."""

    CRITICAL = "critical"  # jobs do not run, or are about not to
    WARNING = "warning"  # it will get worse, or a promise is not kept
    NOTICE = "notice"  # it may be intended


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        id: Its name, for programs; one kind of finding has one.
        severity: How bad it is.
        subject: What it is about, such as a task; empty where it is about the whole.
        sentence: What is wrong, with the figures.
        help: What to do.
        figures: The figures again, for programs; times in seconds.
    """

    id: str
    severity: Severity
    subject: str
    sentence: str
    help: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The values from which on a state is a finding.

    Attributes:
        skew: How far this machine's clock may be from the database's.
        dead_rows: So many dead rows of a table are nothing yet, ...
        dead_share: ... nor is this share of its live ones.
        open_transaction: How long a transaction may stay open.
        window: How far back arrivals are counted.
        shortest: Arrivals since the first one are counted as those of at least this time.
        least: So many arrivals, and so many completed jobs, are too few to tell a rate by.
        backlog_wait: A backlog whose oldest job waits less than this is no sign of a limit that cannot keep up.
        kept: A job that keeps all processes of a queue for longer is a warning, not a notice.
    """

    skew: timedelta = timedelta(seconds=1)
    dead_rows: int = 20_000
    dead_share: float = 0.5
    open_transaction: timedelta = timedelta(minutes=5)
    window: timedelta = timedelta(hours=1)
    shortest: timedelta = timedelta(minutes=5)
    least: int = 5
    backlog_wait: timedelta = timedelta(minutes=1)
    kept: timedelta = timedelta(minutes=1)


def now_here() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Patient:
    """The database under examination: a connection inside a snapshot, the thresholds, and the jobs.yaml beside us, if any."""

    conn: Connection
    thresholds: Thresholds = Thresholds()
    clock: Callable[[], datetime] = now_here
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One question that the doctor asks.

    Attributes:
        name: The id that its findings have.
        fine: What is true when it finds nothing.
        look: Looks, and yields what is wrong.
    """

    name: str
    fine: str
    look: Callable[[Patient], Iterator[Finding]]
