"""The doctor's checks of the server: clock, vacuum, settings, transactions, connections."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from zeke_jobs.core.wording import count, span
from zeke_jobs.diagnosis.findings import Check, Finding, Patient, Severity
from zeke_jobs.postgres.pool import is_pooled
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler.dispatch import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Connections of a worker process besides one for each thread.
_SPARE = 4
#: Pages of 8 KiB: half of PostgreSQL's default.
_LEAST_BUFFERS = 8_192
_LEAST_JIT_COST = 10_000.0
#: Programs whose connections are counted by their maximum instead of their present number.
_OURS = "^zeke-jobs (worker|handler|heartbeat|notifier|retention|boot|scheduler)$"


def _skew(patient: Patient) -> Iterator[Finding]:
    before = patient.clock()
    database_time = clock(patient.conn)
    after = patient.clock()
    ahead = database_time - (before + (after - before) / 2)
    # All of the network's delay may be on one way, so allow half of the round trip.
    if abs(ahead) > patient.thresholds.skew + (after - before) / 2:
        side = "behind" if ahead > timedelta(0) else "ahead of"
        yield Finding(
            "clock-skew",
            Severity.WARNING,
            "",
            f"this machine's clock is {span(ahead)} {side} the database's",
            "jobs and schedules go by the database's clock and are right all the same; logs are not. Run NTP on both",
            {"seconds": round(ahead.total_seconds(), 3)},
        )


def _vacuum(patient: Patient) -> Iterator[Finding]:
    for table in SQL.all(patient.conn, "doctor/table"):
        name = f"zeke_jobs.{table['name']}"
        if not table["server_vacuums"] and table["name"] == "queue":
            yield Finding(
                "autovacuum-off",
                Severity.CRITICAL,
                "",
                "autovacuum, or track_counts that it needs, is off for the whole server: dead rows stay for ever",
                "ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf()",
            )
        if not table["table_vacuums"]:
            yield Finding(
                "autovacuum-off",
                Severity.CRITICAL,
                name,
                f"autovacuum is off for {name}: its dead rows stay for ever, and claims become slower day by day",
                f"ALTER TABLE {name} RESET (autovacuum_enabled)",
            )


def _settings(patient: Patient) -> Iterator[Finding]:
    rows = {row["name"]: row for row in SQL.all(patient.conn, "doctor/settings")}
    value = {name: row["value"] for name, row in rows.items()}
    costly = {
        "synchronous_commit": (
            value["synchronous_commit"] == "off",
            "synchronous_commit is off: a crash of the server loses the jobs that were sent just before it",
        ),
        "shared_buffers": (
            int(value["shared_buffers"]) < _LEAST_BUFFERS,
            f"shared_buffers is {int(value['shared_buffers']) // 128} MiB: the jobs that workers claim are read again and again",
        ),
        "jit_above_cost": (
            value["jit"] == "on" and 0 <= float(value["jit_above_cost"]) < _LEAST_JIT_COST,
            f"jit_above_cost is {value['jit_above_cost']}: statements of callers and through a pooler are compiled each time",
        ),
    }
    for name, (is_costly, sentence) in costly.items():
        if is_costly:
            then = "then restart the server" if name == "shared_buffers" else "SELECT pg_reload_conf()"
            mend = rows[name]["mend"]
            help_ = f"{mend}; {then}" if mend.startswith("ALTER SYSTEM") else mend
            yield Finding("costly-setting", Severity.NOTICE, name, sentence, help_, {"value": value[name]})


def _dead_rows(patient: Patient) -> Iterator[Finding]:
    for table in SQL.all(patient.conn, "doctor/table"):
        live, dead = table["live"], table["dead"]
        if dead <= patient.thresholds.dead_rows or dead <= patient.thresholds.dead_share * live:
            continue
        name = f"zeke_jobs.{table['name']}"
        vacuumed = (
            "never vacuumed"
            if table["vacuumed_on"] is None
            else f"last vacuumed {table['vacuumed_on']:%Y-%m-%d %H:%M} UTC"
        )
        yield Finding(
            "dead-rows",
            Severity.WARNING,
            name,
            f"{name} has {dead:,} dead rows beside {live:,} live ones ({table['bytes'] / 2**20:,.0f} MiB; {vacuumed})",
            f"end the old transactions (see open-transaction), then: VACUUM {name}",
            {"live": live, "dead": dead, "bytes": table["bytes"]},
        )


def _open_transactions(patient: Patient) -> Iterator[Finding]:
    seconds = patient.thresholds.open_transaction.total_seconds()
    for one in SQL.all(patient.conn, "doctor/transactions", seconds=seconds):
        who = f"{one['program'] or 'a program without a name'} ({one['role']}, pid {one['pid']})"
        yield Finding(
            "open-transaction",
            Severity.WARNING,
            str(one["pid"]),
            f"{who} has had a transaction open for {span(timedelta(seconds=one['seconds']))}, {one['state']}: "
            "dead rows stay, and claims must step over them",
            f"end it in its program, or: SELECT pg_terminate_backend({one['pid']})",
            {"pid": one["pid"], "seconds": round(one["seconds"])},
        )


def _visibility(patient: Patient) -> Iterator[Finding]:
    row = SQL.one(patient.conn, "doctor/sight")
    assert row is not None
    if not row["sees_all"]:
        yield Finding(
            "sessions-hidden",
            Severity.NOTICE,
            row["role"],
            f"the user {row['role']} sees only its own sessions, so open-transaction and connections may miss some",
            f"GRANT pg_read_all_stats TO {row['role']}",
        )


def _connections(patient: Patient) -> Iterator[Finding]:
    if is_pooled(patient.conn):
        return  # the pooler limits them, and later clients wait
    row = SQL.one(patient.conn, "doctor/connections", ours=_OURS)
    assert row is not None
    needed = row["threads"] + _SPARE * row["workers"] + row["schedulers"]
    if needed + row["others"] > row["available"]:
        yield Finding(
            "connections",
            Severity.WARNING,
            "",
            f"the server has {row['available']} connections; {count(row['workers'], 'worker process', 'worker processes')} with "
            f"{row['threads']} threads may need {needed}, and others use {row['others']}",
            "raise max_connections, run fewer threads, or put PgBouncer in between",
            {"available": row["available"], "needed": needed, "others": row["others"]},
        )


CHECKS = (
    Check("clock-skew", "this machine's clock is the database's", _skew),
    Check("autovacuum-off", "autovacuum is on", _vacuum),
    Check("costly-setting", "no setting of the server costs much", _settings),
    Check("dead-rows", "dead rows are removed in time", _dead_rows),
    Check("sessions-hidden", "the sessions of all users can be seen", _visibility),
    Check("open-transaction", "no transaction is open for long", _open_transactions),
    Check("connections", "the server has connections for all threads", _connections),
)
