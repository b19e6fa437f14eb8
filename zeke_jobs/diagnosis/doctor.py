"""Examines an installation. Each check reads the same snapshot of the database, and returns faults with their remedies."""

from contextlib import closing
from dataclasses import dataclass, replace

import psycopg2
from psycopg2.extensions import connection as Connection

from zeke_jobs.core.wording import one_line
from zeke_jobs.diagnosis import fleet_checks, work_checks
from zeke_jobs.diagnosis.reasons import Finding, Severity
from zeke_jobs.errors import MigrationError
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import AddressError, connect
from zeke_jobs.postgres.queries import snapshot

CHECKS = (*fleet_checks.CHECKS, *work_checks.CHECKS)
_ORDER: list[str] = list(Severity)


@dataclass(frozen=True, slots=True)
class Report:
    """Holds the findings of all checks, the worst first."""

    findings: tuple[Finding, ...]
    fine: tuple[str, ...] = ()  # names of the checks without findings
    skipped: tuple[str, ...] = ()  # checks that did not run, because the database does not answer or is not migrated

    @property
    def is_healthy(self) -> bool:
        """Return whether all findings are notices."""
        return all(one.severity == Severity.NOTICE for one in self.findings)


def examine(url: str) -> Report:
    """Examine a database, its processes and jobs, and compare this folder's jobs.yaml with the revision in force."""
    try:
        conn = connect(url, application_name="zeke-jobs doctor")
    except psycopg2.OperationalError as error:
        said = one_line(str(error))
        if isinstance(error, AddressError):
            return _stopped("wrong-address", said, "correct DATABASE_URL")
        return _stopped("unreachable", f"the database does not answer: {said}", "start it, or correct DATABASE_URL")
    with closing(conn):
        try:
            migrate.verify(conn)
        except MigrationError as error:
            sentence, _, help_ = str(error).partition("\n  help: ")
            return _stopped("not-migrated", sentence, help_ or "zeke-jobs migrate")
        with snapshot(conn):
            return look(conn)


def look(conn: Connection) -> Report:
    """Run all checks on a database that answers and is migrated."""
    findings = [
        replace(one, id=check.name, severity=one.severity or check.severity)
        for check in CHECKS
        for one in check.faults(conn)
    ]
    faulty = {one.id for one in findings}
    findings.sort(key=lambda one: _ORDER.index(one.severity))
    return Report(tuple(findings), tuple(check.name for check in CHECKS if check.name not in faulty))


def _stopped(name: str, sentence: str, help_: str) -> Report:
    finding = Finding("", sentence, help_, Severity.CRITICAL, name)
    return Report((finding,), skipped=tuple(check.name for check in CHECKS))
