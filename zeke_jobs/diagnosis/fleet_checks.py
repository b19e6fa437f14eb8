"""The doctor's checks of the processes: a live scheduler, workers for each task, enough threads."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from zeke_jobs import config
from zeke_jobs.core.wording import MOST, count, listed, place, span, up_to_most
from zeke_jobs.diagnosis import fleet, reasons
from zeke_jobs.diagnosis.findings import Check, Fault, Patient, Severity
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler import dispatch

_KEPT = 60.0  # seconds; if one job keeps all processes of a queue longer than this, the notice becomes a warning


def _scheduler(patient: Patient) -> Iterator[Fault]:
    silence = dispatch.silence(patient.conn)
    if silence is not None:
        sentence = f"no scheduler has completed a beat for {span(silence)}; cron jobs are not sent"
        yield Fault("", sentence, "start one, better two: periodiq zeke_jobs.actors")


def _unreadable(patient: Patient) -> Iterator[Fault]:
    for row in SQL.all(patient.conn, "doctor/schedules"):
        try:
            dispatch.read_line(row["schedule"], row["cron"])
        except dispatch.Unreadable as error:
            help_ = "put it again as it should be, or delete it: zeke_jobs.schedules, zeke_jobs.put_schedule"
            yield Fault(row["schedule"], str(error), help_)


def _unserved(patient: Patient) -> Iterator[Fault]:
    for row in SQL.all(patient.conn, "doctor/unserved", most=MOST + 1):
        queue, waiting = row["queue"], row["queued"]
        yield Fault(
            f"queue/{queue}",
            f"no live worker runs {listed(row['tasks'])} of queue {queue}; {up_to_most(waiting, 'job')} queued",
            f"start workers with code that has them: dramatiq zeke_jobs.actors (for this queue alone: --queues {queue})",
            Severity.CRITICAL if waiting else Severity.WARNING,
        )


def _kept(patient: Patient) -> Iterator[Fault]:
    kept = {keeper["worker"]: keeper for keeper in SQL.all(patient.conn, "doctor/keepers")}
    rows = SQL.all(patient.conn, "doctor/kept", kept=list(kept), most=MOST + 1) if kept else []
    for queue, group in groupby(rows, itemgetter("queue")):
        tasks = list(group)
        names, now, waiting = [row["task"] for row in tasks], tasks[0]["now"], sum(row["due"] for row in tasks)
        serving = {worker for row in tasks for worker in row["workers"]}
        ours = [keeper for worker, keeper in kept.items() if worker in serving]
        seconds = (now - max(keeper["since"] for keeper in ours)).total_seconds()
        yield Fault(
            f"queue/{queue}",
            f"no live worker claims {listed(names)} of queue {queue}: {reasons.named_keepers(ours, now)}; "
            f"{up_to_most(waiting, 'job')} due",
            reasons.advice_about(ours),
            Severity.WARNING if seconds >= _KEPT else Severity.NOTICE,
        )


def _threads(patient: Patient) -> Iterator[Fault]:
    for row in SQL.all(patient.conn, "doctor/threads"):
        name, limit, threads = row["name"], row["concurrency"], row["threads"]
        if threads < limit:
            sentence = f"{name} may have {limit} active jobs, but its workers run {threads} at once"
            help_ = "run more processes or threads (dramatiq --processes N --threads M, or ZEKE_JOBS_ASYNC), or lower the limit"
            yield Fault(name, sentence, help_)


def _blocked(patient: Patient) -> Iterator[Fault]:
    for row in SQL.all(patient.conn, "doctor/blocked"):
        who, found = place(row["host"], row["pid"]), row["blocked"]
        job = f"{found['task']} {found['job']}" if found["job"] else "a task that a handler had made"
        sentence = (
            f"{job} kept the event loop of {who} from all other async handlers for a second, {span(row['ago'])} ago"
        )
        stack = "; ".join(map(str.strip, found["stack"].splitlines()))
        help_ = f"await what waits; move the rest to a thread (await asyncio.to_thread(…)) or a plain handler. It ran: {stack}"
        yield Fault(who, sentence, help_)


def _not_held(patient: Patient) -> Iterator[Fault]:
    for row in SQL.all(patient.conn, "doctor/not_held"):
        who, jobs = place(row["host"], row["pid"]), count(row["jobs"], "job")
        claimed = f"{who} claimed {jobs} of {listed(row['tasks'])} up to {span(row['now'] - row['since'])} ago"
        if row["lives"]:
            sentence = f"{claimed}, lives, and does not know of them"
            help_ = f"restart {who}: when it stops, it returns its jobs to the queue; and report this fault"
        else:
            sentence = f"{claimed} and is gone; no process has rescued them"
            help_ = "start a worker, which rescues them: dramatiq zeke_jobs.actors"
        yield Fault(who, sentence, help_)


def _drift(patient: Patient) -> Iterator[Fault]:
    for one in fleet.look(patient.conn).members:
        for drift in one.drift:
            who = place(one.host, one.pid)
            help_ = "zeke-jobs fleet shows all of them; restart it with the code and the jobs.yaml of the others"
            if one.silent:
                help_ = "restart it if it hangs; if it has ended, another worker takes its jobs back, and it leaves this list"
            yield Fault(who, f"the {one.kind} {who}: {drift}", help_)


def _unapplied(patient: Patient) -> Iterator[Fault]:
    file = patient.file
    differs = None if file is None else fleet.unapplied(patient.conn, file)
    if file is None or differs is None:
        return
    try:
        config.load(file, handlers=False)
    except ConfigurationError as error:
        advice = "zeke-jobs check shows all faults; until they are mended, a process that starts refuses the file"
        sentence = f"{differs}. It is wrong: {str(error).splitlines()[0]}"
        yield Fault(str(file), sentence, advice, Severity.WARNING)
        return
    advice = "zeke-jobs plan shows the difference; "
    advice += "zeke-jobs apply -m WHY puts the file in force, and so does a process that starts"
    yield Fault(str(file), differs, advice)


CHECKS = (
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
