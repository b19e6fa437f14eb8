"""``why`` says why a job does not run, with the right figures; docs/looking.md describes every reason, finding and view."""

import inspect
import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.worker.conftest import NOON
from zeke_jobs.control import actions
from zeke_jobs.diagnosis import ends, reasons, why
from zeke_jobs.diagnosis.doctor import CHECKS
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL

PLAIN = "  plain: {handler: 'H:echo', timeout: 1m, retry: {limit: 2}}\n"
POOL = "limits: {ai: {concurrency: 1}}"
POOLED = "  one: {handler: 'H:echo', uses: [ai]}\n  two: {handler: 'H:echo', uses: [ai]}\n"
BY = "ann@desk"
AT = "2026-03-10 12:00:00 UTC"


def plain(scene: Scene, **worker: Any) -> tuple[UUID, UUID]:
    scene.use(PLAIN)
    return scene.serve(**worker), scene.add("plain")[0]


def test_a_pause_is_named_with_who_and_since_when_and_how_to_end_it(scene: Scene) -> None:
    scene.use(POOLED, POOL)
    (job,) = scene.add("one")
    for target in ("task/one", "queue/default", "limit/ai"):
        actions.pause(scene.conn, target, by=BY, reason="the model is down")
    scene.later(15)
    assert [(one.sentence, one.help) for one in scene.why(job).reasons][:3] == [
        (f"{target} is paused by {BY} since {AT} (15s): the model is down", f"zeke-jobs resume {target}")
        for target in ("limit/ai", "queue/default", "task/one")
    ]
    for tasks, top, target in (
        ("  one: {handler: 'H:echo', paused: true}\n", "", "task/one"),
        (POOLED, "limits: {ai: {concurrency: 1, paused: true}}", "limit/ai"),
    ):
        scene.use(tasks, top)
        actions.resume(scene.conn, target)
        said = {one.sentence.partition(" since ")[0]: one.help or "" for one in scene.why(job).reasons}
        assert "apply" in said[f"{target} is paused by jobs.yaml"]


@each(
    ("stanza", "others", "kind", "said"),
    [
        ("concurrency: 2", ("one", 2), "at-limit", "its task one is at its limit, 2 of 2 active: "),
        ("uses: [ai]", ("two", 1), "at-limit", "the shared limit ai is at its limit, 1 of 1 active: "),
        ("concurrency: {limit: 5, per_key: 1}", ("one", 1), "key-taken", "its key 'k' is taken, 1 of 1 active: "),
        ("queue: small", ("one", 8), "workers-busy", "all 8 threads of the one process for queue small are busy (8 jobs claimed)"),
    ],
)  # fmt: skip
def test_a_full_limit_names_its_jobs(scene: Scene, stanza: str, others: tuple[str, int], kind: str, said: str) -> None:
    scene.rows("DELETE FROM zeke_jobs.queue; DELETE FROM zeke_jobs.worker")
    scene.use(f"  one: {{handler: 'H:echo', {stanza}}}\n  two: {{handler: 'H:echo', uses: [ai]}}\n", POOL)
    worker = scene.serve(pid=7)
    active = scene.add(*others, options='{"key": "k"}')
    assert len(scene.claim(worker, 9, queue="small" if "small" in stanza else "default")) == len(active)
    (job,) = scene.add("one", options='{"key": "k"}')
    sentence = scene.reasons(job)[kind]
    assert sentence.startswith(said)
    if kind != "workers-busy":
        assert [one for one in active if f"{others[0]} {one} on box:7 since " not in sentence] == []


def test_a_chunk_says_for_how_much_company_it_waits_and_counts_as_one_in_its_limit(scene: Scene) -> None:
    scene.use("  many: {handler: 'H:echo_all', chunk: {size: 50, wait: 2s}, concurrency: 1}\n")
    worker = scene.serve(pid=7)
    *_, job = scene.add("many", 12)
    scene.later(1)
    company = scene.why(job).reasons[0]
    assert company.sentence.startswith("it waits up to 2s for company (12 of 50), until ")
    assert company.sentence.endswith(" (in 1s)")
    scene.later(1)
    assert len(scene.claim(worker, 3)) == 12
    (other,) = scene.add("many")
    assert scene.reasons(other)["at-limit"].startswith("its task many is at its limit, 1 of 1 active: many ")
    assert "more" not in scene.reasons(other)["at-limit"]
    assert "workers-busy" not in scene.reasons(other), "a chunk takes one of eight threads"


def test_a_rate_that_is_used_up_says_when_the_next_may_start(scene: Scene) -> None:
    scene.use("  rated: {handler: 'H:echo', rate: 2/m}\n")
    worker = scene.serve()
    job = scene.add("rated", 2)[-1]
    scene.complete(worker, scene.claim(worker, 3))
    (held,) = scene.add("rated", options='{"delay": 60}')
    actions.pause(scene.conn, "task/rated", by=BY)
    assert list(scene.reasons(held)) == ["paused", "not-due", "at-rate"], "all that holds a job back is there"
    actions.resume(scene.conn, "task/rated")
    scene.later(20)
    words = "its task rated is at its rate of 2 starts within 1m; the next may start 2026-03-10 12:00:30 UTC (in 10s)"
    assert scene.reasons(job)["at-rate"] == words
    scene.later(11)
    scene.serve()
    assert list(scene.reasons(job)) == ["starts-next"]


def test_a_deadline_and_a_unique_key_are_said_beside_the_reason(scene: Scene) -> None:
    scene.use("  once: {handler: 'H:echo', unique: [n]}\n")
    scene.serve()
    (job,) = scene.add("once", options='{"expires": 60}')
    found = scene.reasons(job)
    assert list(found) == ["starts-next", "expires", "stands-for-others"]
    assert found["expires"] == "it is cancelled unless it starts by 2026-03-10 12:01:00 UTC (in 1m)"
    assert "with the same n makes no second job" in found["stands-for-others"]
    assert scene.add("once") == [job]
    scene.later(61)
    worker = scene.serve()
    words = "it had to start by 2026-03-10 12:01:00 UTC and did not: the next heartbeat of a worker cancels it"
    assert scene.reasons(job)["expires"] == words
    assert "starts-next" not in scene.reasons(job)
    assert scene.claim(worker, 1) == []


def test_a_job_whose_time_has_not_come_says_why_it_waits_until_when(scene: Scene) -> None:
    worker, deferred = plain(scene)
    reason = "the budget of today is spent"
    scene.finish(worker, scene.claim(worker, 1)[0], "deferred", delay=90.0, reason=reason)
    (failed,) = scene.add("plain")
    error = json.dumps({"type": "OSError", "message": "no route"})
    scene.finish(worker, scene.claim(worker, 1)[0], "retry", delay=30.0, error=error)
    (later,) = scene.add("plain", options='{"delay": "5 min"}')
    assert scene.reasons(later) == {"not-due": "it was sent for later: not before 2026-03-10 12:05:00 UTC (in 5m)"}
    words = f"its handler deferred it until 2026-03-10 12:01:30 UTC (in 1m30s): {reason}; the jobs that are due before then go first"
    assert scene.reasons(deferred) == {"deferred": words}
    words = "attempt 1 failed (OSError: no route); the next one waits until 2026-03-10 12:00:30 UTC (in 30s), 2 retries left"
    assert scene.reasons(failed)["waits-for-retry"] == words
    assert scene.history(failed) == [f"attempt 1 on {AT}: failed, to be tried again, after 0ms: OSError: no route"]
    died = {"attempt": 1, "outcome": "died", "started_on": "2026-03-10 12:00+00", "ended_on": "2026-03-10 12:00:23+00"}
    assert ends.attempted(died).sentence == f"attempt 1 on {AT}: its worker died, noticed 23s later"


def test_a_job_behind_others_says_how_many_go_first_and_why(scene: Scene) -> None:
    shared = "  shared: {handler: 'H:echo', queue: shared, share: {by: key, weights: {big: 3}}}"
    scene.use(f"  plain: {{handler: 'H:echo', age: 10m}}\n  urgent: {{handler: 'H:echo', priority: 5}}\n{shared}")
    scene.serve()
    scene.add("plain", 2)
    scene.add("plain", 3, options='{"priority": 9}')
    scene.add("urgent", 1)
    scene.later(1)
    (job,) = scene.add("plain")
    higher, earlier = "3 jobs of its task with a higher priority", "2 jobs of its task that became due earlier"
    others = "1 job of other tasks in its queue with a higher priority"
    assert scene.reasons(job)["ahead"] == f"ahead of it are {higher}, {earlier} and {others}"
    scene.later(6001)  # By its age the job has passed those of a higher priority that were sent now.
    scene.serve()
    (young,) = scene.add("plain", options='{"priority": 9}')
    assert scene.reasons(job)["ahead"] == f"ahead of it are {higher} and {earlier}"
    assert scene.reasons(young)["ahead"] == "ahead of it are 6 jobs of its task that became due earlier"
    for key, count in (("big", 90), ("other", 1), ("small", 2)):
        scene.add("shared", count, options=f'{{"key": "{key}"}}')
    (job,) = scene.add("shared", options='{"key": "small"}')
    words = "the keys of its task take turns: 10 jobs of other keys and 2 jobs of its own go before it, by estimate"
    assert scene.reasons(job) == {"takes-turns": words}


def test_workers_that_do_not_serve_it_are_told_apart(scene: Scene) -> None:
    worker, job = plain(scene, queues=["other"])

    def said() -> list[str]:
        return list(scene.reasons(job).values())

    assert said() == ["1 worker process alive, but none consumes queue default"]
    scene.rows("UPDATE zeke_jobs.worker SET queues = '{default}', tasks = '{else}'")
    assert said() == ["1 worker process alive, but none of queue default has the task plain"]
    scene.rows("UPDATE zeke_jobs.worker SET tasks = '{plain}'")
    scene.beat(worker, stopping=True)
    assert said() == ["1 worker process alive, but all that consume queue default are stopping"]
    scene.later(21)
    assert scene.reasons(job) == {"unserved": "no worker is alive"}
    scene.rows("DELETE FROM zeke_jobs.task")  # A rollback by the database's owner would also remove the task.
    unknown = "no task in force is called plain, so a worker cancels it within a minute"
    assert scene.reasons(job) == {"unknown-task": unknown}


def test_a_job_that_follows_its_task_to_another_queue_says_so(scene: Scene, other_conn: Connection) -> None:
    scene.use(PLAIN)
    (job,) = scene.add("plain")
    with transaction(other_conn), other_conn.cursor() as cursor:
        # The new jobs.yaml moves the task to another queue. Because of this row lock, the job stays in the old queue.
        cursor.execute("SELECT 1 FROM zeke_jobs.queue FOR UPDATE")
        scene.use("  plain: {handler: 'H:echo', queue: slow}\n")
    scene.serve()
    assert scene.reasons(job)["moving"].startswith("its task is now plain in queue slow;")


def died(scene: Scene, times: int = 1) -> None:
    for _ in range(times):
        assert len(scene.claim(scene.serve(), 1)) == 1
        scene.later(21)
        scene.rows("SELECT zeke_jobs.rescue()")


def test_a_job_of_which_workers_died_waits_to_run_alone_says_who_makes_room_and_is_quarantined(scene: Scene) -> None:
    scene.use(PLAIN.replace("limit: 2", "limit: 9"))
    (job,) = scene.add("plain")
    died(scene)
    scene.serve(pid=9)
    assert list(scene.reasons(job)) == ["starts-next"]
    died(scene)
    worker = scene.serve(pid=9)
    assert "no worker makes room for it yet" in scene.reasons(job)["suspect"]
    scene.empty(worker)
    words = (
        "2 workers died while running it, so it waits to run alone in a process (box:9 finishes its other jobs for it)"
    )
    assert scene.reasons(job)["suspect"] == f"{words}; after 3 deaths it fails"
    died(scene)
    sentence = scene.reasons(job)["quarantined"]
    assert sentence.count("the worker process on box (pid 1) last proved life at") == 3
    assert "death 3 of this job, quarantined" in sentence
    _, other = scene.suspect("plain"), scene.suspect("plain")
    scene.run_alone(scene.serve(pid=9), "default")
    assert "(box:9 runs such jobs one after another)" in scene.reasons(other)["suspect"]


def test_an_active_job_says_where_since_when_how_far_and_whether_its_worker_lives(scene: Scene) -> None:
    worker, job = plain(scene, pid=5)
    (claim,) = scene.claim(worker, 1)
    assert scene.reasons(job)["claimed"] == f"box:5 claimed it since {AT} (0ms); its handler is about to start"
    scene.later(20)
    scene.beat(worker)
    assert list(scene.reasons(job)) == ["claimed"]
    scene.later(1)
    scene.beat(worker)
    words = f"box:5 claimed it since {AT} (21s), lives, and has not started it: the process does not know of the job"
    assert scene.reasons(job) == {"not-held": words}
    scene.start(worker, [claim])
    progress = json.dumps({"done": 3, "total": 10, "note": "pages"})
    SQL.run(scene.conn, "job/progress", id=job, claim=claim["claim"], worker=worker, progress=progress)
    scene.later(8)
    words = f"it runs on box:5 since {AT} (29s), attempt 1; timeout in 31s; last heartbeat 8s ago"
    assert scene.reasons(job) == {"running": f"{words}; progress: 3 of 10 pages"}
    scene.later(7)
    assert list(scene.reasons(job)) == ["holder-silent", "running"]
    zeke_jobs.cancel(job, "wrong site", by=BY)
    stopped = f"it is being stopped: cancelled by {BY} since 2026-03-10 12:00:36 UTC (0ms): wrong site"
    assert scene.reasons(job)["being-cancelled"] == stopped


def test_a_completed_job_says_its_times_and_what_it_sent_and_a_failed_one_each_attempt(scene: Scene) -> None:
    worker, job = plain(scene)
    scene.later(4)
    claims = scene.claim(worker, 1)
    children = scene.add("plain", 4, options=json.dumps({"parent": str(job)}))
    scene.later(2)
    scene.complete(worker, claims)
    words = "it completed on 2026-03-10 12:00:06 UTC at attempt 1; it waited 4s and ran 2s"
    assert scene.reasons(job) == {"completed": words}
    first = ", ".join(map(str, children[:3]))
    assert scene.history(job) == [f"it sent 4 jobs of plain (created: {first}, …)"]
    assert scene.history(children[0]) == [f"plain {job} sent it"]
    for attempts, type_, left in ((3, "OSError", "no retries left"), (1, "Reject", "no retry could help")):
        (failed,), error = scene.add("plain", options='{"priority": 9}'), json.dumps({"type": type_, "message": "no"})
        for attempt in range(attempts):
            outcome = "failed" if attempt == attempts - 1 else "retry"
            scene.finish(worker, scene.claim(worker, 1)[0], outcome, error=error)
        (reason,) = scene.why(failed).reasons
        assert reason.sentence == f"it failed on 2026-03-10 12:00:06 UTC at attempt {attempts} ({left}): {type_}: no"
        assert (reason.help or "").endswith(f"zeke-jobs retry {failed}")
        assert [line[:9] for line in scene.history(failed)] == [f"attempt {n + 1}" for n in range(attempts)]


def test_a_job_that_never_ran_says_who_cancelled_it_or_how_long_it_had_waited(scene: Scene) -> None:
    scene.use(PLAIN)
    tick = json.dumps({"scheduled_for": NOON.isoformat()})
    by_ann, by_nobody, expired = (scene.add("plain", options=said)[0] for said in (tick, "{}", '{"expires": 60}'))
    zeke_jobs.cancel(by_ann, "wrong site", by=BY)
    zeke_jobs.cancel(by_nobody, "wrong site", by=None)
    assert scene.reasons(by_ann) == {"cancelled": f"it was cancelled by {BY} on {AT}: wrong site"}
    assert scene.reasons(by_nobody) == {"cancelled": f"it was cancelled on {AT}: wrong site"}
    assert scene.history(by_ann) == [f"its schedule sent it for the tick of {AT}"]
    scene.later(61)
    scene.rows("SELECT zeke_jobs.expire(10)")
    words = "it expired: it had to start by 2026-03-10 12:01:00 UTC, and had been due for 1m then"
    assert scene.reasons(expired) == {"expired": words}


def test_the_command_answers_people_and_programs(scene: Scene, cli: Cli) -> None:
    _, job = plain(scene)
    actions.pause(scene.conn, "task/plain", by=BY, reason="[odd]")
    out = cli("why", job).out
    assert out.startswith(f"{job} plain created\n  task/plain is paused by {BY} since ")
    assert "[odd]\n      zeke-jobs resume task/plain\n" in out
    (reason,) = cli("why", job, "--json").json["reasons"]
    assert (reason["kind"], reason["help"]) == ("paused", "zeke-jobs resume task/plain")
    assert reason["sentence"].startswith("task/plain is paused by")


PAGE = (Path(__file__).parents[3] / "docs/looking.md").read_text(encoding="utf-8")


def test_every_kind_of_reason_and_every_finding_is_explained() -> None:
    source = "".join(inspect.getsource(module) for module in (why, reasons, ends))
    kinds = sorted(re.findall(r'\bReason\(\s*"([a-z-]+)"', source))
    assert len(kinds) == len(set(kinds)) >= 40
    assert [kind for kind in kinds if not re.search(rf"^\| .*`{kind}`", PAGE, re.MULTILINE)] == []
    explained = set(re.findall(r"^\| `([a-z-]+)` \| (?:critical|warning|notice)", PAGE, re.MULTILINE))
    assert {"unreachable", "wrong-address", "not-migrated", *(check.name for check in CHECKS)} - explained == set()


def test_the_views_that_are_named_can_be_read(scene: Scene) -> None:
    named = set(re.findall(r"`(zeke_jobs\.\w+)`", PAGE.partition("## Views")[2]))
    assert len(named) >= 5
    for view in named:
        assert scene.rows(f"SELECT count(*) FROM {view}")
