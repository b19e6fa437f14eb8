"""jobs.yaml changes on a database with jobs: these tests cover plans, refusals and effects."""

import select
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import each
from tests.fleet import query
from tests.zeke_jobs.revisions.world import BASE, TOP, apply, load, planned
from zeke_jobs.cli.configuration.plan import change_lines
from zeke_jobs.config import Config
from zeke_jobs.errors import Contended
from zeke_jobs.postgres import lock_waits
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.revisions import applying, diff, store
from zeke_jobs.revisions.proposal import Orders, Request


def said(config: Config, conn: Connection, **options: Any) -> list[str]:
    """Summarise the changes and the touched jobs of a plan."""
    plan = planned(conn, config, **options)
    return [
        *(f"{c.how} {c.kind} {c.name}" + (f" {c.key} {c.before} → {c.after}" if c.key else "") for c in plan.changes),
        *(f"{t.why} {t.name} {t.queued}+{t.active}" for t in plan.touched),
    ]


@each(
    ("old", "new", "expected"),
    [
        ("concurrency: 5", "concurrency: 8", ["changed task analyze concurrency 5 → 8"]),
        ("retry: {limit: 3}", "retry: {limit: 5, delay: 2s}", ["changed task analyze retry.limit 3 → 5", "changed task analyze retry.delay 1s → 2s"]),
        ("uses: [ai]", "uses: [ai], rate: 60/m", ["changed task analyze rate None → 60/m"]),
        ("uses: [ai], ", "", ["changed task analyze uses ['ai'] → None"]),
        ("uses: [ai]", "uses: [ai], priority: 7", ["changed task analyze priority 0 → 7", "priority analyze 3+0"]),
        ("uses: [ai]", "uses: [ai], queue: slow", ["changed task analyze queue default → slow", "moved analyze 3+0"]),
        ('"*/5 * * * *"', '"0 * * * *"', ["changed task pull cron */5 * * * * → 0 * * * *"]),
        (', cron: "*/5 * * * *"', "", ["changed task pull cron.timezone UTC → None", "changed task pull cron */5 * * * * → None"]),
        ("words: [one, two]", "words: [one, three]", ["changed task score settings.words ['one', 'two'] → ['one', 'three']"]),
        ("  score:", "  extra: {handler: 'H:work'}\n  score:", ["added task extra"]),
        ("  pull: {", "  fetch: {aliases: [pull], ", ["renamed task fetch"]),
        ("  analyze: {", "  analyse: {aliases: [analyze], ", ["renamed task analyse", "renamed analyse 3+1"]),
        ('analyze: {handler: "H:work"', 'analyze: {handler: "H:strict"', ["changed task analyze handler H:work → H:strict", "unfit analyze 3+0"]),
        ('  pull: {handler: "H:work", concurrency: 2, cron: "*/5 * * * *"}\n', "", ["removed task pull"]),
        ('  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}\n', "", ["removed task analyze", "stranded analyze 3+1"]),
        ('  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}\n  score: {', "  score: {aliases: [analyze], ", ["removed task analyze", "changed task score aliases None → ['analyze']", "renamed score 3+1"]),
        ("  score:", "  # a remark\n  score:", []),
        (TOP, "limits: {ai: {concurrency: 4}}", ["changed limit ai concurrency 8 → 4"]),
        (TOP, "limits: {ai: {concurrency: 8}, hosts: {rate: 2/s}}", ["added limit hosts"]),
        (TOP, TOP + "\nservices: {web: {use: 'H:Address', url: http://a}}", ["added service web"]),
        (TOP, TOP + "\ndefaults: {timeout: 1m}", [f"changed task {name} timeout 5m → 1m" for name in ("analyze", "pull", "score")]),
    ],
)  # fmt: skip
def test_a_plan_says_each_edit_and_the_jobs_that_it_touches(
    base: Config, conn: Connection, old: str, new: str, expected: list[str]
) -> None:
    assert old in BASE + TOP
    found = said(load(BASE.replace(old, new, 1), TOP.replace(old, new)), conn)
    found = [one.replace("tests.zeke_jobs.revisions.world:", "H:") for one in found]
    assert sorted(found) == sorted(expected)


def test_a_plan_changes_nothing_and_the_file_in_force_makes_no_revision(base: Config, conn: Connection) -> None:
    before = query(conn, "SELECT * FROM zeke_jobs.task"), query(conn, "SELECT * FROM zeke_jobs.revision")
    assert planned(conn, load("  other: {handler: 'H:work'}"), orders=Orders(cancel=frozenset({"analyze"}))).is_pending
    assert not planned(conn, base).is_pending
    assert not apply(conn, base).is_new
    assert before == (query(conn, "SELECT * FROM zeke_jobs.task"), query(conn, "SELECT * FROM zeke_jobs.revision"))


def test_what_needs_a_restart_and_a_limit_below_what_is_active_is_said(base: Config, conn: Connection) -> None:
    plan = planned(conn, load(BASE + "  extra: {handler: 'H:strict', queue: slow}\n"))
    assert [one.partition(":")[0] for one in plan.restarts] == ["queue slow", "extra"]
    # A worker has already loaded the code of the handler.
    assert planned(conn, load(BASE + "  extra: {handler: 'H:work'}\n")).restarts == ()
    query(conn, "UPDATE zeke_jobs.queue SET state = 'consumed'")
    found = said(load(BASE.replace("concurrency: 5", "concurrency: 1"), "limits: {ai: {concurrency: 3}}"), conn)
    assert {"above analyze 0+4", "above limits.ai 0+4"} <= {*found}


# ── effects outside the table of tasks


def test_queued_jobs_follow_and_the_revision_is_announced(
    base: Config, conn: Connection, other_conn: Connection
) -> None:
    zeke_jobs.send("analyze", {"n": 5}, priority=50)
    query(other_conn, 'LISTEN "zeke_jobs.revision"')
    apply(conn, load(BASE.replace("uses: [ai]", "uses: [ai], priority: 7, queue: slow")))
    rows = query(conn, "SELECT DISTINCT priority, queue_name FROM zeke_jobs.queue WHERE state = 'queued' ORDER BY 1")
    assert rows == [(7, "slow"), (50, "slow")]
    select.select([other_conn], [], [], 5)
    other_conn.poll()
    assert [notify.payload for notify in other_conn.notifies] == ["2"]


@pytest.mark.parametrize(
    ("task", "edit", "expected"),
    [
        ("analyze", ("uses: [ai]", "uses: [ai, few]"), 1),
        ("score", ("[one, two]}", "[one, two]}, concurrency: 1"), 1),
        ("score", ("[one, two]}", "[one, two]}, rate: 1/h"), 1),
        ("score", ("[one, two]}", "[one, two]}, concurrency: {per_key: 1}"), 2),
        ("analyze", ("uses: [ai]", "uses: [ai], paused: true"), 0),
        ("analyze", ("uses: [ai]", "uses: []"), 3),
    ],
)
def test_no_claim_passes_a_revision_and_one_that_began_before_obeys_it(
    base: Config, conn: Connection, other_conn: Connection, task: str, edit: tuple[str, str], expected: int
) -> None:
    top = TOP.replace("{ai:", "{few: {concurrency: 1}, ai:")
    apply(conn, load(top=top))
    query(conn, "UPDATE zeke_jobs.queue SET state = 'queued'")
    query(conn, "DELETE FROM zeke_jobs.queue WHERE message #>> '{kwargs,n}' = '0'")
    zeke_jobs.send_many("score", [{}] * 3, keys=["a", "a", "b"])
    claimed: list[Any] = []

    def claim() -> None:
        look = "SELECT kind, reason FROM zeke_jobs.claim(gen_random_uuid(), 'default', %s, 9)"
        if (found := query(other_conn, look, [task])) == [("held", "revision")]:
            found = query(other_conn, look, [task])
        claimed.extend(kind for kind, _ in found if kind == "job")

    worker = threading.Thread(target=claim)
    with transaction(conn):
        applying.apply_locked(conn, Request(load(BASE.replace(*edit), top), "me"))
        worker.start()
        pid = other_conn.info.backend_pid
        while not query(conn, "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", pid):
            assert worker.is_alive()
    worker.join(30)
    assert len(claimed) == expected


# ── conflicts with workers


def test_a_change_waits_for_no_job_that_is_locked(base: Config, conn: Connection, other_conn: Connection) -> None:
    strict = "concurrency: {limit: 5, per_key: 1}, order: strict, uses: [ai], priority: 7"
    new = load(BASE.replace("concurrency: 5, uses: [ai]", strict))
    assert new.tasks["analyze"].priority == 7
    query(conn, "SET lock_timeout = '2s'")
    with transaction(other_conn):
        locked = query(other_conn, "SELECT message_id FROM zeke_jobs.queue WHERE state = 'queued' LIMIT 1 FOR UPDATE")
        state = applying.sync(conn, new)
        assert (state.revision, state.is_file) == (2, True)
    rows = query(conn, "SELECT message_id FROM zeke_jobs.queue WHERE state = 'queued' AND priority <> 7")
    assert rows == locked


@pytest.mark.parametrize(
    "lock", ["SELECT zeke_jobs.lock_catalogue()", "SELECT FROM zeke_jobs.bucket WHERE name = 'limit/ai' FOR UPDATE"]
)
def test_a_change_that_somebody_holds_up_gives_up_and_names_that_session(
    base: Config, conn: Connection, other_conn: Connection, monkeypatch: pytest.MonkeyPatch, lock: str
) -> None:
    monkeypatch.setattr(lock_waits, "PATIENCE", 0)
    monkeypatch.setattr(applying, "_TURN", 0.1)
    monkeypatch.setattr(applying, "_PATIENCE", 0.1)
    other = load(BASE + "  more: {handler: 'H:work'}\n")
    with transaction(other_conn):
        query(other_conn, lock)
        for change in (lambda: apply(conn, other), lambda: applying.sync(conn, other)):
            with pytest.raises(Contended, match=f"a transaction of session {other_conn.info.backend_pid} "):
                change()
    assert apply(conn, other).revision == 2


def test_a_restart_puts_a_first_file_in_force_and_no_changed_one(
    conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, draft = load(), load(BASE.replace("concurrency: 5", "concurrency: 1"))
    monkeypatch.setenv("ZEKE_JOBS_RESTART", "1")
    assert applying.sync(conn, base).revision == 1
    again = applying.sync(conn, draft)
    assert (again.revision, again.config.digest, again.is_file, again.file_revision) == (1, base.digest, False, None)
    assert store.latest_number(conn) == 1
    assert applying.sync(conn, base).is_file
    monkeypatch.delenv("ZEKE_JOBS_RESTART")
    assert applying.sync(conn, draft).revision == 2
    older = applying.sync(conn, base)  # A process with an older file does not roll back the others.
    assert (older.revision, older.is_file, older.file_revision) == (2, False, 1)


SCORE = "  score: {{handler: 'H:say'{}}}\n"
#: The values of a mapping stand in these places of a file of tasks and a file of other keys, under these names.
PLACES = {
    "settings.": "  score: {{handler: 'H:say', settings: {{{}}}}}\n",
    "cron.payload.": "  pull: {{handler: 'H:work', cron: {{at: '0 9 * * *', payload: {{{}}}}}}}\n",
    "": "services: {{web: {{use: 'H:Address', {}}}}}",
}


def loaded(tasks: str, top: str = "") -> Config:
    return load(tasks, top, handlers=False)


def lines(before: Config, after: Config) -> list[str]:
    """Return the changed values as text lines."""
    found = [line.strip() for line in change_lines(diff.changes(before, after)) if line.startswith("    ")]
    return [line.replace("\\[", "[") for line in found]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("", "words: []", "words: [dim]none[/] → []"),
        ("words: []", "", "words: [] → [dim]none[/]"),
        ("words: [a]", "words: []", "words: [a] → []"),
        ("", "name: ''", "name: [dim]none[/] → ''"),
        ("", "name: null", "name: [dim]none[/] → null"),
        ("name: null", "name: 'null'", "name: null → 'null'"),
        ("", "deep: {}", "deep: [dim]none[/] → {}"),
        ("x: 1", "x: true", "x: 1 → true"),
        ("x: 0", "x: false", "x: 0 → false"),
        ("x: 1", "x: 1.0", "x: 1 → 1.0"),
        ("x: 1", "x: '1'", "x: 1 → '1'"),
        ("x: [1]", "x: [true]", "x: [red]-1[/] [green]+true[/]"),
        ("x: [a, a]", "x: [a]", "x: [a, a] → [a]"),
        ("x: [{y: 1}]", "x: [{y: true}]", "x: [red]-{y: 1}[/] [green]+{y: true}[/]"),
    ],
)
def test_every_value_counts_with_its_type(place: str, before: str, after: str, said: str) -> None:
    texts = [PLACES[place].format(values) for values in (before, after)]
    assert lines(*(loaded(text) if place else loaded(SCORE.format(""), text) for text in texts)) == [f"{place}{said}"]


def test_a_key_that_says_what_its_absence_says_is_no_change_and_a_sensitive_field_of_a_payload_is_masked() -> None:
    for key in ("description: ''", "aliases: []", "uses: []", "sensitive: []", "settings: {}", "retry: {factor: 2}"):
        assert lines(loaded(SCORE.format("")), loaded(SCORE.format(f", {key}"))) == [], key
    pull = "  pull: {{handler: 'H:work', sensitive: [n], cron: {}}}\n"
    for cron in ("{{at: '0 9 * * *', payload: {}}}", "[{{name: payload, at: '0 9 * * *', payload: {}}}]"):
        both = [loaded(pull.format(cron.format(f"{{n: {n}, m: {n}}}"))) for n in (1, 2)]
        assert [line.rpartition(".")[2] for line in lines(*both)] == ["n: '***' → '***'", "m: 1 → 2"]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        # The name of the removed task becomes an alias of another task that exists.
        ("  two: {handler: 'H:work', aliases: [one]}\n", {"one": 0}),
        ("  two: {handler: 'H:work'}\n  new: {handler: 'H:work', aliases: [one]}\n", {"new": 0}),
        ("  two: {handler: 'H:work'}\n  new: {handler: 'H:work', aliases: [one], cron: '0 9 * * *'}\n", {}),
        ("  two: {handler: 'H:work', aliases: [one], cron: '0 9 * * *'}\n", {"one": 0, "two": 3}),
        ("  new: {handler: 'H:work', aliases: [one, two]}\n", {"one": 0}),  # Two tasks become one.
        ("  two: {handler: 'H:work'}\n", {"one": 0}),
    ],
)
def test_a_schedule_that_ends_with_its_tasks_name_is_said(after: str, said: dict[str, int]) -> None:
    before = loaded("  one: {handler: 'H:work', cron: '0 9 * * *'}\n  two: {handler: 'H:work'}\n")
    found = diff.fires(before, loaded(after), datetime(2026, 3, 10, tzinfo=UTC))
    assert {one.task: len(one.after) for one in found} == said
