"""The doctor's checks of the server: clock, vacuum, settings, transactions, connections."""

from collections.abc import Iterator
from datetime import timedelta

from zeke_jobs.core.wording import count, span
from zeke_jobs.diagnosis.findings import Check, Fault, Patient, Severity
from zeke_jobs.postgres.pool import is_pooled
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler.dispatch import clock

_SKEW = timedelta(seconds=1)  # allowed difference between the clocks
_DEAD_SHARE = 0.5  # allowed dead rows of a table, relative to live ones
#: Connections of a worker process besides one for each thread.
_SPARE = 4
_OF_A_LOOP = 12  # for statements beside it, and transactions on it
#: Pages of 8 KiB: half of PostgreSQL's default.
_LEAST_BUFFERS = 8_192
_LEAST_JIT_COST = 10_000.0
#: Programs whose connections are counted by their maximum instead of their present number.
_OURS = "^zeke-jobs (worker|handler|heartbeat|notifier|retention|boot|scheduler)$"


def _skew(patient: Patient) -> Iterator[Fault]:
    before = patient.clock()
    database_time = clock(patient.conn)
    after = patient.clock()
    ahead = database_time - (before + (after - before) / 2)
    # All of the network's delay may be on one way, so allow half of the round trip.
    if abs(ahead) > _SKEW + (after - before) / 2:
        side = "behind" if ahead > timedelta(0) else "ahead of"
        help_ = (
            "jobs and schedules go by the database's clock and are right all the same; logs are not. Run NTP on both"
        )
        sentence = f"this machine's clock is {span(ahead)} {side} the database's"
        yield Fault("", sentence, help_)


def _vacuum(patient: Patient) -> Iterator[Fault]:
    for table in SQL.all(patient.conn, "doctor/table"):
        name = f"zeke_jobs.{table['name']}"
        if not table["server_vacuums"] and table["name"] == "queue":
            sentence = "autovacuum, or track_counts that it needs, is off for the whole server: dead rows stay for ever"
            settings = "ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf()"
            yield Fault("", sentence, settings)
        if not table["table_vacuums"]:
            sentence = f"autovacuum is off for {name}: its dead rows stay for ever, and claims become slower day by day"
            yield Fault(name, sentence, f"ALTER TABLE {name} RESET (autovacuum_enabled)")


def _settings(patient: Patient) -> Iterator[Fault]:
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
            yield Fault(name, sentence, f"{mend}; {then}" if mend.startswith("ALTER SYSTEM") else mend)


def _dead_rows(patient: Patient) -> Iterator[Fault]:
    for table in SQL.all(patient.conn, "doctor/table"):
        name, live, dead = f"zeke_jobs.{table['name']}", table["live"], table["dead"]
        if dead > patient.dead_rows and dead > _DEAD_SHARE * live:
            last = table["vacuumed_on"]
            vacuumed = "never vacuumed" if last is None else f"last vacuumed {last:%Y-%m-%d %H:%M} UTC"
            size = f"{table['bytes'] / 2**20:,.0f} MiB; {vacuumed}"
            sentence = f"{name} has {dead:,} dead rows beside {live:,} live ones ({size})"
            yield Fault(name, sentence, f"end the old transactions (see open-transaction), then: VACUUM {name}")


def _open_transactions(patient: Patient) -> Iterator[Fault]:
    longest = patient.open_transaction.total_seconds()
    for one in SQL.all(patient.conn, "doctor/transactions", seconds=longest):
        pid, passed = one["pid"], span(timedelta(seconds=one["seconds"]))
        who = f"{one['program'] or 'a program without a name'} ({one['role']}, pid {pid})"
        sentence = f"{who} has had a transaction open for {passed}, {one['state']}: "
        sentence += "dead rows stay, and claims must step over them"
        yield Fault(str(pid), sentence, f"end it in its program, or: SELECT pg_terminate_backend({pid})")


def _visibility(patient: Patient) -> Iterator[Fault]:
    row = SQL.only(patient.conn, "doctor/sight")
    if not row["sees_all"]:
        role = row["role"]
        sentence = f"the user {role} sees only its own sessions, so open-transaction and connections may miss some"
        yield Fault(role, sentence, f"GRANT pg_read_all_stats TO {role}")


def _connections(patient: Patient) -> Iterator[Fault]:
    if is_pooled(patient.conn):
        return  # the pooler limits them, and later clients wait
    row = SQL.only(patient.conn, "doctor/connections", ours=_OURS)
    available, others = row["available"], row["others"]
    needed = row["threads"] + _SPARE * row["workers"] + _OF_A_LOOP * row["loops"] + row["schedulers"]
    if needed + others > available:
        workers = f"{count(row['workers'], 'worker process', 'worker processes')} with {row['threads']} threads"
        sentence = f"the server has {available} connections; {workers} may need {needed}, and others use {others}"
        yield Fault("", sentence, "raise max_connections, run fewer threads, or put PgBouncer in between")


CHECKS = (
    Check("clock-skew", Severity.WARNING, "this machine's clock is the database's", _skew),
    Check("autovacuum-off", Severity.CRITICAL, "autovacuum is on", _vacuum),
    Check("costly-setting", Severity.NOTICE, "no setting of the server costs much", _settings),
    Check("dead-rows", Severity.WARNING, "dead rows are removed in time", _dead_rows),
    Check("sessions-hidden", Severity.NOTICE, "the sessions of all users can be seen", _visibility),
    Check("open-transaction", Severity.WARNING, "no transaction is open for long", _open_transactions),
    Check("connections", Severity.WARNING, "the server has connections for all threads", _connections),
)
