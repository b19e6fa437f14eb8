"""``why`` gives the right reason, with its figures: each situation is made by the statements that make it in production."""

import json
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.cli.root import app
from zeke_jobs.cli.run import run
from zeke_jobs.control import pausing
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL

PLAIN = "  plain: {handler: 'H:echo', timeout: 1m, retry: {limit: 2}}\n"
LIMITED = "  limited: {handler: 'H:echo', concurrency: 2}\n"
POOL = "limits: {ai: {concurrency: 1}}"
POOLED = "  one: {handler: 'H:echo', uses: [ai]}\n  two: {handler: 'H:echo', uses: [ai]}\n"
BY = "ann@desk"
AT = "2026-03-10 12:00:00 UTC"


def plain(scene: Scene, **worker: Any) -> tuple[UUID, UUID]:
    """A worker that serves the plain task, and a job of it."""
    scene.use(PLAIN)
    return scene.serve(**worker), scene.add("plain")[0]


# What holds a queued job back


@pytest.mark.parametrize("target", ["task/one", "queue/default", "limit/ai"])
def test_a_pause_is_named_with_who_and_since_when_and_how_to_end_it(scene: Scene, target: str) -> None:
    scene.use(POOLED, POOL)
    scene.serve()
    (job,) = scene.add("one")
    pausing.pause(scene.conn, target, by=BY, reason="the model is down")
    scene.later(15)
    (reason,) = scene.why(job).reasons
    assert reason.sentence == f"{target} is paused by {BY} since {AT} (15s): the model is down"
    assert reason.help == f"zeke-jobs resume {target}"


@pytest.mark.parametrize(
    ("tasks", "top", "target"),
    [
        ("  one: {handler: 'H:echo', paused: true}\n", "", "task/one"),
        (POOLED, "limits: {ai: {concurrency: 1, paused: true}}", "limit/ai"),
    ],
)
def test_a_pause_of_the_file_is_told_from_one_by_hand(scene: Scene, tasks: str, top: str, target: str) -> None:
    scene.use(tasks, top)
    scene.serve()
    (job,) = scene.add("one")
    (reason,) = scene.why(job).reasons
    assert reason.sentence.startswith(f"{target} is paused by jobs.yaml since ")
    assert "apply" in reason.help


def test_a_task_at_its_limit_names_the_jobs_that_are_active(scene: Scene) -> None:
    scene.use(LIMITED)
    worker = scene.serve(pid=7)
    first, second, third = scene.add("limited", 3)
    assert len(scene.claim(worker, 3)) == 2
    scene.later(60)
    sentence = scene.reasons(third)["at-limit"]
    assert sentence.startswith("its task limited is at its limit, 2 of 2 active: ")
    for active in (first, second):
        assert f"limited {active} on box:7 since {AT} (1m)" in sentence


def test_a_chunk_says_for_how_much_company_it_waits_and_counts_as_one_in_its_limit(scene: Scene) -> None:
    scene.use("  many: {handler: 'H:echo_all', chunk: {size: 50, wait: 2s}, concurrency: 1}\n")
    worker = scene.serve(pid=7)
    *_, job = scene.add("many", 12)
    scene.later(1)
    company = scene.why(job).reasons[0]
    assert company.sentence == "it waits up to 2s for company (12 of 50)"
    assert (company.figures["until"] - company.figures["now"]).total_seconds() == 1
    scene.later(1)
    assert len(scene.claim(worker, 3)) == 12
    (other,) = scene.add("many")
    assert scene.reasons(other)["at-limit"].startswith("its task many is at its limit, 1 of 1 active: many ")
    assert "more" not in scene.reasons(other)["at-limit"]
    assert "workers-busy" not in scene.reasons(other), "a chunk takes one of eight threads"


def test_a_full_pool_names_the_job_of_another_task_that_fills_it(scene: Scene) -> None:
    scene.use(POOLED, POOL)
    worker = scene.serve()
    (active,) = scene.add("two")
    scene.claim(worker, 1)
    (job,) = scene.add("one")
    sentence = scene.reasons(job)["at-limit"]
    assert sentence == f"the shared limit ai is at its limit, 1 of 1 active: two {active} on box:1 since {AT} (0ms)"


def test_a_rate_that_is_used_up_says_when_the_next_may_start(scene: Scene) -> None:
    scene.use("  rated: {handler: 'H:echo', rate: 2/m}\n")
    worker = scene.serve()
    job = scene.add("rated", 2)[-1]
    scene.complete(worker, scene.claim(worker, 3))
    scene.later(20)
    sentence = scene.reasons(job)["at-rate"]
    assert sentence == (
        "its task rated is at its rate of 2 starts within 1m; the next may start 2026-03-10 12:00:30 UTC (in 10s)"
    )
    scene.later(11)
    scene.serve()
    assert list(scene.reasons(job)) == ["starts-next"]


def test_a_taken_key_names_the_job_that_has_it(scene: Scene) -> None:
    scene.use("  keyed: {handler: 'H:echo', concurrency: {limit: 5, per_key: 1}}\n")
    worker = scene.serve()
    first, second = scene.add("keyed", 2, options='{"key": "example.org"}')
    scene.claim(worker, 5)
    sentence = scene.reasons(second)["key-taken"]
    assert sentence.startswith(f"its key 'example.org' is taken, 1 of 1 active: keyed {first} on box:1 since ")


def test_a_job_sent_for_later_says_when_it_is_due(scene: Scene) -> None:
    scene.use(PLAIN)
    scene.serve()
    (job,) = scene.add("plain", options='{"delay": "5 min"}')
    assert scene.reasons(job) == {
        "not-due": "it was sent for later: not before 2026-03-10 12:05:00 UTC (in 5m)",
    }


def test_a_deferred_job_says_until_when_and_why(scene: Scene) -> None:
    worker, job = plain(scene)
    scene.finish(worker, scene.claim(worker, 1)[0], "deferred", delay=90.0, reason="the budget of today is spent")
    assert scene.reasons(job) == {
        "deferred": "its handler deferred it until 2026-03-10 12:01:30 UTC (in 1m30s): the budget of today is spent; "
        "the jobs that are due before then go first"
    }


def test_a_job_between_attempts_says_the_error_the_time_and_what_is_left(scene: Scene) -> None:
    worker, job = plain(scene)
    error = json.dumps({"type": "OSError", "message": "no route"})
    scene.finish(worker, scene.claim(worker, 1)[0], "retry", delay=30.0, error=error)
    assert scene.reasons(job)["waits-for-retry"] == (
        "attempt 1 failed (OSError: no route); the next one waits until 2026-03-10 12:00:30 UTC (in 30s), 2 retries left"
    )
    assert scene.history(job) == [f"attempt 1 on {AT}: failed, to be tried again, after 0ms: OSError: no route"]


def test_a_job_behind_others_says_how_many_go_first_and_why(scene: Scene) -> None:
    scene.use("  plain: {handler: 'H:echo'}\n  urgent: {handler: 'H:echo', priority: 5}\n")
    scene.serve()
    scene.add("plain", 2)
    scene.add("plain", 3, options='{"priority": 9}')
    scene.add("urgent", 1)
    scene.later(1)
    (job,) = scene.add("plain")
    assert scene.reasons(job)["ahead"] == (
        "ahead of it are 3 jobs of its task with a higher priority, 2 jobs of its task that became due earlier and "
        "1 job of other tasks in its queue with a higher priority"
    )


def test_a_job_whose_key_takes_turns_says_how_many_of_its_own_and_of_other_keys_go_first(scene: Scene) -> None:
    scene.use("  plain: {handler: 'H:echo', share: {by: key, weights: {big: 3}}}\n")
    scene.serve()
    for key, count in (("big", 90), ("other", 1), ("small", 2)):
        scene.add("plain", count, options=f'{{"key": "{key}"}}')
    (job,) = scene.add("plain", options='{"key": "small"}')
    assert scene.reasons(job) == {
        "takes-turns": "the keys of its task take turns: 10 jobs of other keys and 2 jobs of its own go before it, by estimate"
    }


def test_a_job_that_has_waited_long_is_behind_no_younger_one_of_a_higher_priority(scene: Scene) -> None:
    scene.use("  plain: {handler: 'H:echo', age: 10m}\n  urgent: {handler: 'H:echo', priority: 1}\n")
    (old,) = scene.add("plain")
    scene.later(1300)
    scene.serve()
    scene.add("urgent")
    (young,) = scene.add("plain", options='{"priority": 1}')
    assert list(scene.reasons(old)) == ["starts-next"]
    assert scene.reasons(young)["ahead"] == "ahead of it are 1 job of its task that became due earlier"


def test_busy_workers_are_counted(scene: Scene) -> None:
    scene.use(PLAIN)
    worker = scene.serve(threads=2)
    scene.add("plain", 2)
    scene.claim(worker, 2)
    (job,) = scene.add("plain")
    assert scene.reasons(job)["workers-busy"] == (
        "all 2 threads of the one process for queue default are busy (2 jobs claimed)"
    )


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"queues": ["other"]}, "1 worker process alive, but none consumes queue default"),
        ({"tasks": ["else"]}, "1 worker process alive, but none of queue default has the task plain"),
        ("stopping", "1 worker process alive, but all that consume queue default are stopping"),
        ("silent", "no worker is alive"),
    ],
)
def test_workers_that_do_not_serve_it_are_told_apart(scene: Scene, how: Any, sentence: str) -> None:
    worker, job = plain(scene, **({} if isinstance(how, str) else how))
    if how == "stopping":
        scene.beat(worker, stopping=True)
    elif how == "silent":
        scene.later(21)
    assert scene.reasons(job) == {"unserved": sentence}


def test_a_task_that_is_not_in_force_is_named(scene: Scene) -> None:
    _, job = plain(scene)
    scene.rows("DELETE FROM zeke_jobs.task")  # as a rollback of the database's owner would
    assert scene.reasons(job) == {
        "unknown-task": "no task in force is called plain, so a worker cancels it within a minute"
    }


def test_a_job_that_follows_its_task_to_another_queue_says_so(scene: Scene, other_conn: Connection) -> None:
    scene.use(PLAIN)
    (job,) = scene.add("plain")
    with transaction(other_conn), other_conn.cursor() as cursor:
        cursor.execute("SELECT 1 FROM zeke_jobs.queue FOR UPDATE")  # somebody holds it while the others are moved
        scene.use("  plain: {handler: 'H:echo', queue: slow}\n")
    scene.serve()
    assert scene.reasons(job)["moving"].startswith("its task is now plain in queue slow;")


def died(scene: Scene, times: int) -> None:
    for _ in range(times):
        assert len(scene.claim(scene.serve(), 1)) == 1
        scene.later(21)
        scene.rows("SELECT zeke_jobs.rescue()")


def test_a_job_of_which_two_workers_died_waits_to_run_alone_and_says_who_makes_room(scene: Scene) -> None:
    scene.use(PLAIN)
    (job,) = scene.add("plain")
    died(scene, 1)
    worker = scene.serve(pid=9)
    assert list(scene.reasons(job)) == ["starts-next"]
    died(scene, 1)
    worker = scene.serve(pid=9)
    assert "no worker makes room for it yet" in scene.reasons(job)["suspect"]
    scene.empty(worker)
    assert scene.reasons(job)["suspect"] == (
        "2 workers died while running it, so it waits to run alone in a process "
        "(box:9 finishes its other jobs for it); after 3 deaths it fails"
    )


def test_a_job_says_which_suspect_keeps_the_one_process_and_what_can_be_done(scene: Scene) -> None:
    scene.use(PLAIN)
    suspect = scene.suspect("plain")
    earlier, job = scene.add("plain", 2)
    worker = scene.serve(pid=9)
    assert "kept-by-suspect" not in scene.reasons(job)  # it goes on until its next claim
    scene.empty(worker)
    scene.later(3)
    found = scene.why(job).reasons
    assert [one.kind for one in found] == ["kept-by-suspect", "ahead"]
    assert found[0].sentence == (
        f"the one process for queue default claims nothing else: box:9 finishes its other jobs to run plain {suspect} alone, "
        f"which has been ready since {AT} (3s), because 2 workers died while running it"
    )
    assert scene.run_alone(worker) == suspect
    scene.later(20)
    scene.beat(worker)
    (reason,) = scene.why(earlier).reasons
    assert reason.sentence == (
        f"the one process for queue default claims nothing else: box:9 runs plain {suspect} alone "
        "since 2026-03-10 12:00:03 UTC (20s), because 2 workers died while running it"
    )
    assert reason.help == (
        f"wait until it has ended, or: zeke-jobs cancel {suspect}; "
        "with more processes, one at least goes on with the rest: dramatiq zeke_jobs.actors --processes N"
    )
    claim = {"message_id": suspect, "claim": scene.row(suspect)["claim"]}
    scene.complete(worker, [claim])
    assert list(scene.reasons(earlier)) == ["starts-next"]


def test_a_deadline_and_a_unique_key_are_said_beside_the_reason(scene: Scene) -> None:
    scene.use("  once: {handler: 'H:echo', unique: [n]}\n")
    scene.serve()
    (job,) = scene.add("once", options='{"expires": 60}')
    found = scene.reasons(job)
    assert list(found) == ["starts-next", "expires", "stands-for-others"]
    assert found["expires"] == "it is cancelled unless it starts by 2026-03-10 12:01:00 UTC (in 1m)"
    assert "with the same n makes no second job" in found["stands-for-others"]
    assert scene.add("once") == [job]


def test_all_that_hold_a_job_back_are_there(scene: Scene) -> None:
    scene.use(LIMITED)
    worker = scene.serve()
    scene.add("limited", 2)
    scene.claim(worker, 2)
    (job,) = scene.add("limited", options='{"delay": 60}')
    pausing.pause(scene.conn, "task/limited", by=BY)
    assert list(scene.reasons(job)) == ["paused", "not-due", "at-limit"]


# What an active job does


def test_an_active_job_says_where_since_when_how_far_and_whether_its_worker_lives(scene: Scene) -> None:
    worker, job = plain(scene, pid=5)
    (claim,) = scene.claim(worker, 1)
    assert scene.reasons(job)["claimed"] == f"box:5 claimed it since {AT} (0ms); its handler is about to start"
    scene.start(worker, [claim])
    progress = json.dumps({"done": 3, "total": 10, "note": "pages"})
    SQL.run(scene.conn, "job/progress", id=job, claim=claim["claim"], worker=worker, progress=progress)
    scene.later(8)
    assert scene.reasons(job) == {
        "running": f"it runs on box:5 since {AT} (8s), attempt 1; timeout in 52s; last heartbeat 8s ago; progress: 3 of 10 pages"
    }
    scene.later(7)
    assert list(scene.reasons(job)) == ["holder-silent", "running"]


def test_a_job_that_its_live_worker_does_not_start_is_said_not_to_be_held(scene: Scene) -> None:
    worker, job = plain(scene, pid=5)
    scene.claim(worker, 1)
    scene.later(20)
    scene.beat(worker)
    assert list(scene.reasons(job)) == ["claimed"]
    scene.later(1)
    scene.beat(worker)
    assert scene.reasons(job) == {
        "not-held": f"box:5 claimed it since {AT} (21s), lives, and has not started it: the process does not know of the job"
    }


def test_an_active_job_that_is_being_cancelled_says_by_whom(scene: Scene) -> None:
    worker, job = plain(scene)
    scene.start(worker, scene.claim(worker, 1))
    zeke_jobs.cancel(job, "wrong site", by=BY)
    assert scene.reasons(job)["being-cancelled"] == (
        f"it is being stopped: cancelled by {BY} since {AT} (0ms): wrong site"
    )


# How a job ended


def test_a_completed_job_says_its_times_and_what_it_sent(scene: Scene) -> None:
    worker, job = plain(scene)
    scene.later(4)
    claims = scene.claim(worker, 1)
    children = scene.add("plain", 4, options=json.dumps({"parent": str(job)}))
    scene.later(2)
    scene.complete(worker, claims)
    assert scene.reasons(job) == {
        "completed": "it completed on 2026-03-10 12:00:06 UTC at attempt 1; it waited 4s and ran 2s"
    }
    first = ", ".join(map(str, children[:3]))
    assert scene.history(job) == [f"it sent 4 jobs of plain (created: {first}, …)"]
    assert scene.history(children[0]) == [f"plain {job} sent it"]


@pytest.mark.parametrize(
    ("outcomes", "type_", "left"),
    [(("retry", "retry", "failed"), "OSError", "no retries left"), (("failed",), "Reject", "no retry could help")],
)
def test_a_failed_job_says_each_attempt(scene: Scene, outcomes: tuple[str, ...], type_: str, left: str) -> None:
    worker, job = plain(scene)
    error = json.dumps({"type": type_, "message": "no route"})
    for outcome in outcomes:
        scene.finish(worker, scene.claim(worker, 1)[0], outcome, error=error)
    (reason,) = scene.why(job).reasons
    assert reason.sentence == f"it failed on {AT} at attempt {len(outcomes)} ({left}): {type_}: no route"
    assert (reason.help or "").endswith(f"zeke-jobs retry {job}")
    assert [line.partition(" on ")[0] for line in scene.history(job)] == [
        f"attempt {n + 1}" for n in range(len(outcomes))
    ]


def test_a_quarantined_job_names_the_deaths(scene: Scene) -> None:
    scene.use(PLAIN.replace("limit: 2", "limit: 9"))
    (job,) = scene.add("plain")
    died(scene, 3)
    sentence = scene.reasons(job)["quarantined"]
    assert sentence.count("the worker process on box (pid 1) last proved life at") == 3
    assert "death 3 of this job, quarantined" in sentence


@pytest.mark.parametrize("by", [BY, None])
def test_a_cancelled_job_says_by_whom(scene: Scene, by: str | None) -> None:
    scene.use(PLAIN)
    (job,) = scene.add("plain")
    zeke_jobs.cancel(job, "wrong site", by=by)
    said = f" by {by}" if by else ""
    assert scene.reasons(job) == {"cancelled": f"it was cancelled{said} on {AT}: wrong site"}


def test_an_expired_job_says_how_long_it_had_waited(scene: Scene) -> None:
    scene.use(PLAIN)
    (job,) = scene.add("plain", options='{"expires": 60}')
    scene.later(61)
    scene.rows("SELECT zeke_jobs.expire(10)")
    assert scene.reasons(job) == {
        "expired": "it expired: it had to start by 2026-03-10 12:01:00 UTC, and had been due for 1m then"
    }


def test_a_job_that_is_too_late_to_start_does_not_start_next(scene: Scene) -> None:
    scene.use(PLAIN)
    (job,) = scene.add("plain", options='{"expires": 60}')
    scene.later(61)
    scene.serve()
    assert scene.reasons(job) == {
        "expires": "it had to start by 2026-03-10 12:01:00 UTC and did not: the next heartbeat of a worker cancels it"
    }
    assert scene.claim(scene.serve(), 1) == []


def test_a_job_of_a_schedule_names_its_tick(scene: Scene) -> None:
    scene.use(PLAIN)
    (job,) = scene.add("plain", options=json.dumps({"scheduled_for": NOON.isoformat()}))
    assert scene.history(job) == [f"its schedule sent it for the tick of {AT}"]


# The command


def test_the_command_answers_people_and_programs(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    _, job = plain(scene)
    pausing.pause(scene.conn, "task/plain", by=BY, reason="[odd]")
    assert run(app, "zeke-jobs", ["why", str(job)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{job} plain created\n  task/plain is paused by {BY} since ")
    assert "[odd]\n      zeke-jobs resume task/plain\n" in out
    assert run(app, "zeke-jobs", ["why", str(job), "--json"]) == 0
    (reason,) = json.loads(capsys.readouterr().out)["reasons"]
    assert (reason["kind"], reason["by"], reason["target"]) == ("paused", BY, "task/plain")
    assert reason["sentence"].startswith("task/plain is paused by")
