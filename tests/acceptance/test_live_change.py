"""Changes are applied from the command line while real workers run under load. The workers follow each revision."""

import json
from datetime import timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.acceptance.test_workers import DONE, OPEN
from tests.fleet import Fleet, eventually, query, scalar

ACTIVE = "SELECT count(*) FROM zeke_jobs.queue WHERE state = 'consumed'"
#: The query returns the seconds since the last revision.
AGE = "SELECT extract(epoch FROM clock_timestamp() - max(applied_on))::float FROM zeke_jobs.revision"


def work(concurrency: int) -> str:
    return f"work: {{handler: 'H:work', concurrency: {concurrency}}}\n"


def applied(fleet: Fleet, text: str) -> None:
    fleet.configure(text)
    fleet.zeke("apply", "-m", "because")


def test_the_active_count_follows_and_never_exceeds_the_limit_in_force(fleet: Fleet, effects: Connection) -> None:
    fleet.serve(work(2), effects, commands=2, threads=8)
    zeke_jobs.send_many("work", [{"n": n, "seconds": 0.1} for n in range(200)])
    eventually(lambda: scalar(effects, ACTIVE) == 2, fleet=fleet)
    applied(fleet, work(6))
    eventually(lambda: scalar(effects, ACTIVE) == 6, max(2 - scalar(effects, AGE), 0.1), fleet)
    applied(fleet, work(1))
    eventually(lambda: scalar(effects, ACTIVE) <= 1, max(2 - scalar(effects, AGE), 0.1), fleet)
    applied(fleet, work(8))
    eventually(lambda: scalar(effects, OPEN) == 0, 60, fleet)
    assert (scalar(effects, DONE), scalar(effects, "SELECT count(*) FROM trace WHERE what = 'start'")) == (200, 200)
    ran = query(effects, "SELECT claimed_on, completed_on FROM zeke_jobs.queue")
    active = {at: sum(claimed <= at < completed for claimed, completed in ran) for at, _ in ran}
    applied_on = [at for (at,) in query(effects, "SELECT applied_on FROM zeke_jobs.revision ORDER BY number")]
    periods = zip(applied_on, [*applied_on[1:], max(active) + timedelta(1)], strict=True)
    assert [max(active[at] for at in active if begin <= at < end) for begin, end in periods] == [2, 6, 1, 8]
    assert [command.process.poll() for command in fleet.commands] == [None, None]
    assert scalar(effects, "SELECT array_agg(DISTINCT revision) FROM zeke_jobs.worker") == [4]


def test_each_setting_is_seen_in_the_next_job(fleet: Fleet, effects: Connection) -> None:
    text = """
        version: 1
        services:
          web: {use: "H:Service", url: http://old}
        tasks:
          slow: {handler: "H:query", timeout: 5m, retry: {limit: 0}}
          failing: {handler: "H:grumble", retry: {limit: 1, delay: 10ms}}
          asking: {handler: "H:ask"}
          score: {handler: "H:list_words", settings: {words: [one, two]}}
    """
    worker = fleet.serve(text, effects)

    def output(task: str) -> object:
        return zeke_jobs.wait(zeke_jobs.send(task).id, timeout=30)

    def failed(task: str) -> list[dict[str, Any]]:
        job = zeke_jobs.send(task).id
        eventually(lambda: zeke_jobs.status(job).status == "failed", 30, fleet)
        return zeke_jobs.status(job).attempts

    assert (output("score"), output("asking"), len(failed("failing"))) == (["one", "two"], "http://old", 2)
    for old, new in {
        "[one, two]": "[two, three]",
        "http://old": "http://new",
        "timeout: 5m": "timeout: 300ms",
        "{limit: 1, delay: 10ms}": "{limit: 3, delay: 5ms}",
    }.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    applied(fleet, text + "      fresh: {handler: 'H:list_words'}\n")  # The code of the handler is already loaded.
    assert output("fresh") == []
    (member,) = json.loads(fleet.zeke("fleet", "--json"))["members"]
    assert (member["file_revision"], member["drift"]) == (2, [])  # The applied file is the worker's current file.
    assert (output("score"), output("asking"), len(failed("failing"))) == (["two", "three"], "http://new", 4)
    assert failed("slow")[-1]["error"]["message"] == "it ran longer than its timeout of 0.3 s"
    seen = """SELECT extract(epoch FROM min(q.started_on) - max(r.applied_on))::float FROM zeke_jobs.queue AS q
        CROSS JOIN zeke_jobs.revision AS r WHERE q.task = 'score' AND q.result = '["two", "three"]'"""
    assert 0 < scalar(effects, seen) < 2
    assert worker.process.poll() is None
