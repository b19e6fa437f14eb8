"""A finding of the doctor: one fault, its severity, and the remedy."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from psycopg2.extensions import connection as Connection


class Severity(StrEnum):
    """Severity of a finding."""

    CRITICAL = "critical"  # jobs do not run, or will soon not run
    WARNING = "warning"  # it will get worse, or a promise is broken
    NOTICE = "notice"  # it may be intended


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. Its check gives it its id, and its severity unless it has another one."""

    subject: str  # the affected object, such as a task; empty for the whole system
    sentence: str  # the fault with its figures
    help: str
    severity: str = ""
    id: str = ""  # its kind, for programs


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    conn: Connection  # a connection to the database, inside a snapshot
    file: Path | None = None  # this folder's jobs.yaml, if there is one
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    dead_rows: int = 20_000
    open_transaction: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of the doctor."""

    name: str  # the id of its findings
    severity: Severity
    fine: str  # the sentence to print when the check finds nothing
    faults: Callable[[Patient], Iterator[Finding]]  # examines a patient and yields faults

    def look(self, patient: Patient) -> list[Finding]:
        """Its findings."""
        return [replace(one, id=self.name, severity=one.severity or self.severity) for one in self.faults(patient)]
