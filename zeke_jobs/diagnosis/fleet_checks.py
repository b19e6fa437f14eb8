"""The doctor's checks of the server (clock, vacuum, settings, connections) and of the processes (scheduler, workers)."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import groupby
from operator import itemgetter

from zeke_jobs import config
from zeke_jobs.core.wording import MOST, count, listed, place, span, up_to_most
from zeke_jobs.diagnosis import fleet, reasons
from zeke_jobs.diagnosis.reasons import Check, Finding, Patient, Severity
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.pool import is_pooled
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler import dispatch
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


def _skew(patient: Patient) -> Iterator[Finding]:
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
        yield Finding("", sentence, help_)


def _vacuum(patient: Patient) -> Iterator[Finding]:
    for table in SQL.all(patient.conn, "doctor/table"):
        name = f"zeke_jobs.{table['name']}"
        if not table["server_vacuums"] and table["name"] == "queue":
            sentence = "autovacuum, or track_counts that it needs, is off for the whole server: dead rows stay for ever"
            settings = "ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf()"
            yield Finding("", sentence, settings)
        if not table["table_vacuums"]:
            sentence = f"autovacuum is off for {name}: its dead rows stay for ever, and claims become slower day by day"
            yield Finding(name, sentence, f"ALTER TABLE {name} RESET (autovacuum_enabled)")


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
            yield Finding(name, sentence, f"{mend}; {then}" if mend.startswith("ALTER SYSTEM") else mend)


def _dead_rows(patient: Patient) -> Iterator[Finding]:
    for table in SQL.all(patient.conn, "doctor/table"):
        name, live, dead = f"zeke_jobs.{table['name']}", table["live"], table["dead"]
        if dead > patient.dead_rows and dead > _DEAD_SHARE * live:
            last = table["vacuumed_on"]
            vacuumed = "never vacuumed" if last is None else f"last vacuumed {last:%Y-%m-%d %H:%M} UTC"
            size = f"{table['bytes'] / 2**20:,.0f} MiB; {vacuumed}"
            sentence = f"{name} has {dead:,} dead rows beside {live:,} live ones ({size})"
            yield Finding(name, sentence, f"end the old transactions (see open-transaction), then: VACUUM {name}")


def _open_transactions(patient: Patient) -> Iterator[Finding]:
    longest = patient.open_transaction.total_seconds()
    for one in SQL.all(patient.conn, "doctor/transactions", seconds=longest):
        pid, passed = one["pid"], span(timedelta(seconds=one["seconds"]))
        who = f"{one['program'] or 'a program without a name'} ({one['role']}, pid {pid})"
        sentence = f"{who} has had a transaction open for {passed}, {one['state']}: "
        sentence += "dead rows stay, and claims must step over them"
        yield Finding(str(pid), sentence, f"end it in its program, or: SELECT pg_terminate_backend({pid})")


def _visibility(patient: Patient) -> Iterator[Finding]:
    row = SQL.only(patient.conn, "doctor/sight")
    if not row["sees_all"]:
        role = row["role"]
        sentence = f"the user {role} sees only its own sessions, so open-transaction and connections may miss some"
        yield Finding(role, sentence, f"GRANT pg_read_all_stats TO {role}")


def _connections(patient: Patient) -> Iterator[Finding]:
    if is_pooled(patient.conn):
        return  # the pooler limits them, and later clients wait
    row = SQL.only(patient.conn, "doctor/connections", ours=_OURS)
    available, others = row["available"], row["others"]
    needed = row["threads"] + _SPARE * row["workers"] + _OF_A_LOOP * row["loops"] + row["schedulers"]
    if needed + others > available:
        workers = f"{count(row['workers'], 'worker process', 'worker processes')} with {row['threads']} threads"
        sentence = f"the server has {available} connections; {workers} may need {needed}, and others use {others}"
        yield Finding("", sentence, "raise max_connections, run fewer threads, or put PgBouncer in between")


_KEPT = 60.0  # seconds; if one job keeps all processes of a queue longer than this, the notice becomes a warning


def _scheduler(patient: Patient) -> Iterator[Finding]:
    silence = dispatch.silence(patient.conn)
    if silence is not None:
        sentence = f"no scheduler has completed a beat for {span(silence)}; cron jobs are not sent"
        yield Finding("", sentence, "start one, better two: periodiq zeke_jobs.actors")


def _unreadable(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/schedules"):
        try:
            dispatch.read_line(row["schedule"], row["cron"])
        except dispatch.Unreadable as error:
            help_ = "put it again as it should be, or delete it: zeke_jobs.schedules, zeke_jobs.put_schedule"
            yield Finding(row["schedule"], str(error), help_)


def _unserved(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/unserved", most=MOST + 1):
        queue, waiting = row["queue"], row["queued"]
        yield Finding(
            f"queue/{queue}",
            f"no live worker runs {listed(row['tasks'])} of queue {queue}; {up_to_most(waiting, 'job')} queued",
            f"start workers with code that has them: dramatiq zeke_jobs.actors (for this queue alone: --queues {queue})",
            Severity.CRITICAL if waiting else Severity.WARNING,
        )


def _kept(patient: Patient) -> Iterator[Finding]:
    kept = {keeper["worker"]: keeper for keeper in SQL.all(patient.conn, "doctor/keepers")}
    rows = SQL.all(patient.conn, "doctor/kept", kept=list(kept), most=MOST + 1) if kept else []
    for queue, group in groupby(rows, itemgetter("queue")):
        tasks = list(group)
        names, now, waiting = [row["task"] for row in tasks], tasks[0]["now"], sum(row["due"] for row in tasks)
        serving = {worker for row in tasks for worker in row["workers"]}
        ours = [keeper for worker, keeper in kept.items() if worker in serving]
        seconds = (now - max(keeper["since"] for keeper in ours)).total_seconds()
        yield Finding(
            f"queue/{queue}",
            f"no live worker claims {listed(names)} of queue {queue}: {reasons.named_keepers(ours, now)}; "
            f"{up_to_most(waiting, 'job')} due",
            reasons.advice_about(ours),
            Severity.WARNING if seconds >= _KEPT else Severity.NOTICE,
        )


def _threads(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/threads"):
        name, limit, threads = row["name"], row["concurrency"], row["threads"]
        if threads < limit:
            sentence = f"{name} may have {limit} active jobs, but its workers run {threads} at once"
            help_ = "run more processes or threads (dramatiq --processes N --threads M, or ZEKE_JOBS_ASYNC), or lower the limit"
            yield Finding(name, sentence, help_)


def _blocked(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/blocked"):
        who, found = place(row["host"], row["pid"]), row["blocked"]
        job = f"{found['task']} {found['job']}" if found["job"] else "a task that a handler had made"
        sentence = (
            f"{job} kept the event loop of {who} from all other async handlers for a second, {span(row['ago'])} ago"
        )
        stack = "; ".join(map(str.strip, found["stack"].splitlines()))
        help_ = f"await what waits; move the rest to a thread (await asyncio.to_thread(…)) or a plain handler. It ran: {stack}"
        yield Finding(who, sentence, help_)


def _not_held(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/not_held"):
        who, jobs = place(row["host"], row["pid"]), count(row["jobs"], "job")
        claimed = f"{who} claimed {jobs} of {listed(row['tasks'])} up to {span(row['now'] - row['since'])} ago"
        if row["lives"]:
            sentence = f"{claimed}, lives, and does not know of them"
            help_ = f"restart {who}: when it stops, it returns its jobs to the queue; and report this fault"
        else:
            sentence = f"{claimed} and is gone; no process has rescued them"
            help_ = "start a worker, which rescues them: dramatiq zeke_jobs.actors"
        yield Finding(who, sentence, help_)


def _drift(patient: Patient) -> Iterator[Finding]:
    for one in fleet.look(patient.conn).members:
        for drift in one.drift:
            who = place(one.host, one.pid)
            help_ = "zeke-jobs fleet shows all of them; restart it with the code and the jobs.yaml of the others"
            if one.silent:
                help_ = "restart it if it hangs; if it has ended, another worker takes its jobs back, and it leaves this list"
            yield Finding(who, f"the {one.kind} {who}: {drift}", help_)


def _unapplied(patient: Patient) -> Iterator[Finding]:
    file = patient.file
    differs = None if file is None else fleet.unapplied(patient.conn, file)
    if file is None or differs is None:
        return
    try:
        config.load(file, handlers=False)
    except ConfigurationError as error:
        advice = "zeke-jobs check shows all faults; until they are mended, a process that starts refuses the file"
        sentence = f"{differs}. It is wrong: {str(error).splitlines()[0]}"
        yield Finding(str(file), sentence, advice, Severity.WARNING)
        return
    advice = "zeke-jobs plan shows the difference; "
    advice += "zeke-jobs apply -m WHY puts the file in force, and so does a process that starts"
    yield Finding(str(file), differs, advice)


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
