"""A finding of the doctor: one fault, its severity, and the remedy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

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
        subject: The affected object, such as a task; empty for the whole system.
        sentence: The fault with its figures.
    """

    id: str
    severity: Severity
    subject: str
    sentence: str
    help: str


class Fault(NamedTuple):
    """A finding without its kind. ``severity``, if given, replaces that of the check."""

    subject: str
    sentence: str
    help: str
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined.

    Attributes:
        conn: A connection to the database, inside a snapshot.
        file: This folder's jobs.yaml, if there is one.
    """

    conn: Connection
    file: Path | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    dead_rows: int = 20_000
    open_transaction: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the doctor.

    Attributes:
        name: The id of its findings.
        fine: The sentence to print when the check finds nothing.
        faults: Examines a patient and yields faults.
    """

    name: str
    severity: Severity
    fine: str
    faults: Callable[[Patient], Iterator[Fault]]

    def look(self, patient: Patient) -> list[Finding]:
        """Its findings."""
        return [Finding(self.name, one.severity or self.severity, *one[:3]) for one in self.faults(patient)]
