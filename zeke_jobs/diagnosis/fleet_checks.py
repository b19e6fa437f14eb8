"""The doctor's checks of the processes: a live scheduler, workers for each task, enough threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zeke_jobs import config
from zeke_jobs.core.wording import MOST, count, listed, place, span, up_to_most
from zeke_jobs.diagnosis import fleet, keepers
from zeke_jobs.diagnosis.findings import Check, Finding, Patient, Severity
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.scheduler import dispatch

if TYPE_CHECKING:
    from collections.abc import Iterator


def _scheduler(patient: Patient) -> Iterator[Finding]:
    silence = dispatch.silence(patient.conn)
    if silence is not None:
        yield Finding(
            "no-scheduler",
            Severity.CRITICAL,
            "",
            f"no scheduler has completed a beat for {span(silence)}; cron jobs are not sent",
            "start one, better two: periodiq zeke_jobs.actors",
            {"seconds": round(silence.total_seconds())},
        )


def _unreadable(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/schedules"):
        try:
            dispatch.read_line(row["schedule"], row["cron"])
        except dispatch.Unreadable as error:
            yield Finding(
                "unreadable-schedule",
                Severity.WARNING,
                row["schedule"],
                str(error),
                "put it again as it should be, or delete it: zeke_jobs.schedules, zeke_jobs.put_schedule",
            )


def _unserved(patient: Patient) -> Iterator[Finding]:
    queues: dict[str, list[dict[str, Any]]] = {}
    for row in SQL.all(patient.conn, "doctor/unserved", most=MOST + 1):
        queues.setdefault(row["queue"], []).append(row)
    for queue, tasks in queues.items():
        names = [row["task"] for row in tasks]
        waiting = sum(row["queued"] for row in tasks)
        yield Finding(
            "unserved",
            Severity.CRITICAL if waiting else Severity.WARNING,
            f"queue/{queue}",
            f"no live worker runs {listed(names)} of queue {queue}; {up_to_most(waiting, 'job')} queued",
            f"start workers with code that has them: dramatiq zeke_jobs.actors (for this queue alone: --queues {queue})",
            {"queue": queue, "tasks": names, "queued": waiting},
        )


def _kept(patient: Patient) -> Iterator[Finding]:
    kept = {keeper.worker: keeper for keeper in keepers.read(patient.conn)}
    if not kept:
        return
    queues: dict[str, list[dict[str, Any]]] = {}
    for row in SQL.all(patient.conn, "doctor/kept", kept=list(kept), most=MOST + 1):
        queues.setdefault(row["queue"], []).append(row)
    for queue, tasks in queues.items():
        names, now = [row["task"] for row in tasks], tasks[0]["now"]
        waiting = sum(row["due"] for row in tasks)
        serving = {worker for row in tasks for worker in row["workers"]}
        ours = [keeper for worker, keeper in kept.items() if worker in serving]
        length = now - max(keeper.since for keeper in ours)
        yield Finding(
            "kept-by-suspect",
            Severity.WARNING if length >= patient.thresholds.kept else Severity.NOTICE,
            f"queue/{queue}",
            f"no live worker claims {listed(names)} of queue {queue}: {keepers.named(ours, now)}; "
            f"{up_to_most(waiting, 'job')} due",
            keepers.advice(ours),
            {
                "queue": queue,
                "tasks": names,
                "due": waiting,
                "jobs": sorted({str(keeper.job) for keeper in ours}),
                "seconds": round(length.total_seconds(), 1),
            },
        )


def _threads(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/threads"):
        if row["threads"] < row["concurrency"]:
            yield Finding(
                "too-few-threads",
                Severity.NOTICE,
                row["name"],
                f"{row['name']} may have {row['concurrency']} active jobs, but its workers have {row['threads']} threads in all",
                "run more processes or threads (dramatiq --processes N --threads M), or lower the limit",
                {"limit": row["concurrency"], "threads": row["threads"]},
            )


def _not_held(patient: Patient) -> Iterator[Finding]:
    for row in SQL.all(patient.conn, "doctor/not_held"):
        who, jobs = place(row["host"], row["pid"]), count(row["jobs"], "job")
        claimed = f"{who} claimed {jobs} of {listed(row['tasks'])} up to {span(row['now'] - row['since'])} ago"
        yield Finding(
            "not-held",
            Severity.CRITICAL,
            who,
            f"{claimed}, lives, and does not know of them"
            if row["lives"]
            else f"{claimed} and is gone; no process has rescued them",
            f"restart {who}: when it stops, it returns its jobs to the queue; and report this fault"
            if row["lives"]
            else "start a worker, which rescues them: dramatiq zeke_jobs.actors",
            {"jobs": row["jobs"], "tasks": row["tasks"], "first": sorted(map(str, row["first"]))},
        )


def _drift(patient: Patient) -> Iterator[Finding]:
    for one in fleet.look(patient.conn).members:
        for drift in one.drift:
            yield Finding(
                "drift",
                Severity.WARNING,
                place(one.host, one.pid),
                f"the {one.kind} {place(one.host, one.pid)}: {drift}",
                "restart it if it hangs; if it has ended, another worker takes its jobs back, and it leaves this list"
                if one.silent
                else "zeke-jobs fleet shows all of them; restart it with the code and the jobs.yaml of the others",
                {"kind": one.kind, "revision": one.revision},
            )


def _unapplied(patient: Patient) -> Iterator[Finding]:
    file = patient.file
    differs = None if file is None else fleet.unapplied(patient.conn, file)
    if file is None or differs is None:
        return
    severity = Severity.NOTICE
    advice = "zeke-jobs plan shows the difference; "
    advice += "zeke-jobs apply -m WHY puts the file in force, and so does a process that starts"
    try:
        config.load(file, handlers=False)
    except ConfigurationError as error:
        severity = Severity.WARNING
        differs += f". It is wrong: {str(error).splitlines()[0]}"
        advice = "zeke-jobs check shows all faults; until they are mended, a process that starts refuses the file"
    yield Finding("not-applied", severity, str(file), differs, advice)


CHECKS = (
    Check("no-scheduler", "a scheduler beats, or there is nothing to schedule", _scheduler),
    Check("unreadable-schedule", "each schedule in force can be read", _unreadable),
    Check("unserved", "each task has a live worker", _unserved),
    Check("kept-by-suspect", "no due job waits because all processes run single jobs alone", _kept),
    Check("too-few-threads", "no limit is above the threads that serve it", _threads),
    Check("not-held", "each claimed job is held by a live worker", _not_held),
    Check("drift", "all processes use the revision in force", _drift),
    Check("not-applied", "the jobs.yaml here, if there is one, is in force", _unapplied),
)
