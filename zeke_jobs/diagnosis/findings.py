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
    """Severity of a finding."""

    CRITICAL = "critical"  # jobs do not run, or will soon not run
    WARNING = "warning"  # it will get worse, or a promise is broken
    NOTICE = "notice"  # it may be intended


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault.

    Attributes:
        id: Its kind, for programs.
        severity: Its severity.
        subject: The affected object, such as a task; empty for the whole system.
        sentence: The fault with its figures.
        help: The remedy.
        figures: The figures for programs; times in seconds.
    """

    id: str
    severity: Severity
    subject: str
    sentence: str
    help: str
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits above which a state is a finding.

    Attributes:
        skew: Allowed difference between this machine's clock and the database's.
        dead_rows: Allowed dead rows of a table. A finding must exceed this and ``dead_share``.
        dead_share: Allowed ratio of dead rows to live ones.
        open_transaction: Allowed duration of a transaction.
        window: The period in which arrivals are counted.
        shortest: The shortest period assumed for counted arrivals.
        least: Least number of arrivals, and of completed jobs, from which a rate is computed.
        backlog_wait: If the oldest job waits for a shorter time, a limit counts as keeping up.
        kept: If one job keeps all processes of a queue longer than this, the notice becomes a warning.
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
    """The database under examination: a connection inside a snapshot, the thresholds, and this folder's jobs.yaml, if any."""

    conn: Connection
    thresholds: Thresholds = Thresholds()
    clock: Callable[[], datetime] = now_here
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the doctor.

    Attributes:
        name: The id of its findings.
        fine: The sentence to print when the check finds nothing.
        look: Runs the check and yields findings.
    """

    name: str
    fine: str
    look: Callable[[Patient], Iterator[Finding]]
