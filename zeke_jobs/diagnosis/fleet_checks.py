"""Checks the server (clock, vacuum, settings, connections) and the processes for ``zeke-jobs doctor``."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter

from psycopg2.extensions import connection as Connection

from zeke_jobs import config
from zeke_jobs.core import environment
from zeke_jobs.core.wording import MOST, count, listed, place, span, up_to_most
from zeke_jobs.diagnosis import fleet, reasons
from zeke_jobs.diagnosis.reasons import Check, Finding, Severity
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.pool import is_pooled
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler import dispatch
from zeke_jobs.scheduler.dispatch import clock

_SKEW = timedelta(seconds=1)  # allowed difference between the clocks
_DEAD_ROWS, _DEAD_SHARE = 20_000, 0.5  # allowed dead rows of a table: a number, and a share of the live rows
_OPEN = timedelta(minutes=5)  # allowed duration of a transaction
_SPARE = 4  # connections of a worker process in addition to one for each thread
_OF_A_LOOP = 12  # connections of an event loop, for single statements and for transactions
_LEAST_BUFFERS = 8_192  # pages of 8 KiB: half of PostgreSQL's default
_LEAST_JIT_COST = 10_000.0
_KEPT = timedelta(minutes=1)  # if one job keeps all processes of a queue longer than this, the notice becomes a warning
#: For these programs, the maximum number of connections counts instead of the current number.
_OURS = "^zeke-jobs (worker|handler|heartbeat|notifier|retention|boot|scheduler)$"
_here = partial(datetime.now, UTC)  # this machine's clock


def _skew(conn: Connection) -> Iterator[Finding]:
    before = _here()
    database_time = clock(conn)
    after = _here()
    ahead = database_time - (before + (after - before) / 2)
    # Equal clocks may seem to differ by half of the round trip, because the whole delay may be in one direction.
    if abs(ahead) > _SKEW + (after - before) / 2:
        side = "behind" if ahead > timedelta(0) else "ahead of"
        help_ = "jobs and schedules are right all the same, by the database's clock; logs are not. Run NTP on both"
        yield Finding("", f"this machine's clock is {span(ahead)} {side} the database's", help_)


def _vacuum(conn: Connection) -> Iterator[Finding]:
    for table in SQL.named(conn, "doctor/table"):
        name = f"zeke_jobs.{table.name}"
        if not table.server_vacuums and table.name == "queue":
            sentence = "autovacuum, or track_counts that it needs, is off for the whole server: dead rows stay for ever"
            settings = "ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf()"
            yield Finding("", sentence, settings)
        if not table.table_vacuums:
            sentence = f"autovacuum is off for {name}: its dead rows stay for ever, and claims become slower day by day"
            yield Finding(name, sentence, f"ALTER TABLE {name} RESET (autovacuum_enabled)")


def _settings(conn: Connection) -> Iterator[Finding]:
    rows = {row.name: row for row in SQL.named(conn, "doctor/settings")}
    buffers, cost = int(rows["shared_buffers"].value), rows["jit_above_cost"].value
    costly = {}
    if rows["synchronous_commit"].value == "off":
        costly["synchronous_commit"] = "is off: a crash of the server loses the jobs that were sent just before it"
    if buffers < _LEAST_BUFFERS:
        costly["shared_buffers"] = f"is {buffers // 128} MiB: the jobs that workers claim are read again and again"
    if rows["jit"].value == "on" and 0 <= float(cost) < _LEAST_JIT_COST:
        costly["jit_above_cost"] = f"is {cost}: statements of callers and through a pooler are compiled each time"
    for name, sentence in costly.items():
        then = "then restart the server" if name == "shared_buffers" else "SELECT pg_reload_conf()"
        mend = rows[name].mend
        yield Finding(name, f"{name} {sentence}", f"{mend}; {then}" if mend.startswith("ALTER SYSTEM") else mend)


def _dead_rows(conn: Connection) -> Iterator[Finding]:
    for table in SQL.named(conn, "doctor/table"):
        if table.dead > _DEAD_ROWS and table.dead > _DEAD_SHARE * table.live:
            name, last = f"zeke_jobs.{table.name}", table.vacuumed_on
            vacuumed = "never vacuumed" if last is None else f"last vacuumed {last:%Y-%m-%d %H:%M} UTC"
            size = f"{table.bytes / 2**20:,.0f} MiB; {vacuumed}"
            sentence = f"{name} has {table.dead:,} dead rows and {table.live:,} live ones ({size})"
            yield Finding(name, sentence, f"end the old transactions (see open-transaction), then: VACUUM {name}")


def _open_transactions(conn: Connection) -> Iterator[Finding]:
    for one in SQL.named(conn, "doctor/transactions", seconds=_OPEN.total_seconds()):
        who = f"{one.program or 'a program without a name'} ({one.role}, pid {one.pid})"
        sentence = f"{who} has had a transaction open for {span(timedelta(seconds=one.seconds))}, {one.state}: "
        sentence += "dead rows stay, and claims must step over them"
        yield Finding(str(one.pid), sentence, f"end it in its program, or: SELECT pg_terminate_backend({one.pid})")


def _visibility(conn: Connection) -> Iterator[Finding]:
    (row,) = SQL.named(conn, "doctor/sight")
    if not row.sees_all:
        sentence = f"the user {row.role} sees only its own sessions, so open-transaction and connections may miss some"
        yield Finding(row.role, sentence, f"GRANT pg_read_all_stats TO {row.role}")


def _connections(conn: Connection) -> Iterator[Finding]:
    if is_pooled(conn):
        return  # the pooler limits connections, and clients above the limit wait
    (row,) = SQL.named(conn, "doctor/connections", ours=_OURS)
    needed = row.threads + _SPARE * row.workers + _OF_A_LOOP * row.loops + row.schedulers
    if needed + row.others > row.available:
        workers = f"{count(row.workers, 'worker process', 'worker processes')} with {row.threads} threads"
        need = f"{workers} may need {needed}, and others use {row.others}"
        sentence = f"the server has {row.available} connections; {need}"
        yield Finding("", sentence, "raise max_connections, run fewer threads, or put PgBouncer in between")


def _scheduler(conn: Connection) -> Iterator[Finding]:
    silence = dispatch.silence(conn)
    if silence is not None:
        sentence = f"no scheduler has completed a beat for {span(silence)}; cron jobs are not sent"
        yield Finding("", sentence, "start one, better two: periodiq zeke_jobs.actors")


def _unreadable(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "schedule/list"):
        try:
            dispatch.read_line(row.schedule, {**row.options, "at": row.cron, "timezone": row.timezone})
        except dispatch.Unreadable as error:
            help_ = "put it again as it should be, or delete it: zeke_jobs.schedules, zeke_jobs.put_schedule"
            yield Finding(row.schedule, str(error), help_)


def _unserved(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "doctor/unserved", most=MOST + 1):
        waiting = up_to_most(row.queued, "job")
        yield Finding(
            f"queue/{row.queue}",
            f"no live worker runs {listed(row.tasks)} of queue {row.queue}; {waiting} queued",
            f"start workers with code that has them: dramatiq zeke_jobs.actors (for this queue alone: --queues {row.queue})",
            Severity.CRITICAL if row.queued else Severity.WARNING,
        )


def _kept(conn: Connection) -> Iterator[Finding]:
    keepers = SQL.named(conn, "doctor/keepers")
    rows = SQL.named(conn, "doctor/kept", kept=[one.worker for one in keepers], most=MOST + 1) if keepers else []
    for queue, group in groupby(rows, attrgetter("queue")):
        tasks = list(group)
        serving, now = {worker for row in tasks for worker in row.workers}, tasks[0].now
        ours = [one for one in keepers if one.worker in serving]
        is_long = now - max(one.since for one in ours) >= _KEPT
        sentence = f"no live worker claims {listed(row.task for row in tasks)} of queue {queue}"
        sentence += f": {reasons.named_keepers(ours, now)}; {up_to_most(sum(row.due for row in tasks), 'job')} due"
        severity = Severity.WARNING if is_long else Severity.NOTICE
        yield Finding(f"queue/{queue}", sentence, reasons.advice_about(ours), severity)


def _threads(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "doctor/threads"):
        if row.threads < row.concurrency:
            sentence = f"{row.name} may have {row.concurrency} active jobs, but its workers run {row.threads} at once"
            help_ = "run more processes or threads (dramatiq --processes N --threads M, or ZEKE_JOBS_ASYNC), or lower the limit"
            yield Finding(row.name, sentence, help_)


def _blocked(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "doctor/blocked"):
        who, found = place(row.host, row.pid), row.blocked
        job = f"{found['task']} {found['job']}" if found["job"] else "a task that a handler had made"
        kept = f"kept the event loop of {who} from all other async handlers for a second"
        stack = "; ".join(map(str.strip, found["stack"].splitlines()))
        help_ = f"await what waits; move the rest to a thread (await asyncio.to_thread(…)) or a plain handler. It ran: {stack}"
        yield Finding(who, f"{job} {kept}, {span(row.ago)} ago", help_)


def _not_held(conn: Connection) -> Iterator[Finding]:
    for row in SQL.named(conn, "doctor/not_held"):
        who, jobs = place(row.host, row.pid), count(row.jobs, "job")
        sentence = f"{who} claimed {jobs} of {listed(row.tasks)} up to {span(row.now - row.since)} ago"
        if row.lives:
            sentence += ", lives, and does not know of them"
            help_ = f"restart {who}: when it stops, it returns its jobs to the queue; and report this fault"
        else:
            sentence += " and is gone; no process has rescued them"
            help_ = "start a worker, which rescues them: dramatiq zeke_jobs.actors"
        yield Finding(who, sentence, help_)


def _drift(conn: Connection) -> Iterator[Finding]:
    for one in fleet.look(conn).members:
        for drift in one.drift:
            who = place(one.host, one.pid)
            help_ = "zeke-jobs fleet shows all; restart it with the code and jobs.yaml of the others, or apply its file"
            if one.silent:
                help_ = "restart it if it hangs; if it has ended, another worker takes its jobs back, and it leaves this list"
            yield Finding(who, f"the {one.kind} {who}: {drift}", help_)


def _unapplied(conn: Connection) -> Iterator[Finding]:
    if (found := fleet.unapplied(conn)) is None:
        return
    (differs, earlier), severity = found, Severity.NOTICE
    advice = "zeke-jobs plan shows the difference; zeke-jobs apply -m WHY puts the file in force"
    advice += ", and so does a process that starts" if earlier is None else ""
    try:
        config.load(file := environment.config_path(), handlers=False)
    except ConfigurationError as error:
        differs = f"{differs}. It is wrong: {str(error).splitlines()[0]}"
        severity = Severity.WARNING
        advice = "zeke-jobs check shows all faults; until they are mended, a process that starts refuses the file"
    yield Finding(str(file), differs, advice, severity)


CHECKS = (
    Check("clock-skew", Severity.WARNING, "this machine's clock is the database's", _skew),
    Check("autovacuum-off", Severity.CRITICAL, "autovacuum is on", _vacuum),
    Check("costly-setting", Severity.NOTICE, "no setting of the server costs much", _settings),
    Check("dead-rows", Severity.WARNING, "dead rows are removed in time", _dead_rows),
    Check("sessions-hidden", Severity.NOTICE, "the sessions of all users can be seen", _visibility),
    Check("open-transaction", Severity.WARNING, "no transaction is open for long", _open_transactions),
    Check("connections", Severity.WARNING, "the server has connections for all threads", _connections),
    Check("no-scheduler", Severity.CRITICAL, "a scheduler beats, or there is nothing to schedule", _scheduler),
    Check("unreadable-schedule", Severity.WARNING, "each schedule in force can be read", _unreadable),
    Check("unserved", Severity.CRITICAL, "each task has a live worker", _unserved),
    Check("kept-by-suspect", Severity.NOTICE, "no due job waits because all processes run single jobs alone", _kept),
    Check("too-few-threads", Severity.NOTICE, "no limit is above the threads that serve it", _threads),
    Check("blocked-loop", Severity.WARNING, "within an hour no async handler has blocked its event loop", _blocked),
    Check("not-held", Severity.CRITICAL, "each claimed job is held by a live worker", _not_held),
    Check("drift", Severity.WARNING, "all processes use the revision in force", _drift),
    Check("not-applied", Severity.NOTICE, "the jobs.yaml here, if there is one, is in force", _unapplied),
)
