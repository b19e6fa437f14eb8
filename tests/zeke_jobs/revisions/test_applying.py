"""A changed jobs.yaml is planned, refused or applied while jobs exist. A timed override hides a permanent one."""

import select
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.each import cases, each
from tests.fleet import HANDLERS, query
from tests.zeke_jobs.commands import Cli, Patch
from tests.zeke_jobs.revisions.conftest import BASE, TOP, apply, latest, load, planned
from zeke_jobs.cli.configuration.plan import change_lines
from zeke_jobs.config import Config, Schedule
from zeke_jobs.config.limits import Concurrency
from zeke_jobs.control import actions
from zeke_jobs.errors import ConfigurationError, Contended
from zeke_jobs.postgres import lock_waits
from zeke_jobs.revisions import applying, diff, store
from zeke_jobs.revisions.overrides import after, carried, lasting, read_path, read_value, with_overrides
from zeke_jobs.revisions.proposal import Orders, Request
from zeke_jobs.scheduler import beat
from zeke_jobs.worker.life import chores

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
LIMIT, PER_KEY, BOTH = "analyze.concurrency.limit", "analyze.concurrency.per_key", "analyze.concurrency"


def said(config: Config, conn: Connection, **options: Any) -> list[str]:
    """Summarise a plan: its changes, and the jobs that it touches."""
    plan = planned(conn, config, **options)
    return [
        *(f"{c.how} {c.kind} {c.name}" + (f" {c.key} {c.before} → {c.after}" if c.key else "") for c in plan.changes),
        *(f"{t.why} {t.name} {t.queued}+{t.active}" for t in plan.touched),
    ]


@each(
    "old new expected",
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
    ('analyze: {handler: "H:work"', 'analyze: {handler: "H:fork"', ["changed task analyze handler H:work → H:fork", "unfit analyze 3+0"]),
    ('  pull: {handler: "H:work", concurrency: 2, cron: "*/5 * * * *"}\n', "", ["removed task pull"]),
    ('  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}\n', "", ["removed task analyze", "stranded analyze 3+1"]),
    ('  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}\n  score: {', "  score: {aliases: [analyze], ", ["removed task analyze", "changed task score aliases None → ['analyze']", "renamed score 3+1"]),
    ("  score:", "  # a remark\n  score:", []),
    (TOP, "limits: {ai: {concurrency: 8}, hosts: {rate: 2/s}}", ["added limit hosts"]),
    (TOP, TOP + "\nservices: {web: {use: 'H:Service', url: http://a}}", ["added service web"]),
    (TOP, TOP + "\ndefaults: {timeout: 1m}", [f"changed task {name} timeout 5m → 1m" for name in ("analyze", "pull", "score")]),
)  # fmt: skip
def test_a_plan_says_edits_and_jobs(base: Config, conn: Connection, old: str, new: str, expected: list[str]) -> None:
    assert old in BASE + TOP
    found = said(load(BASE.replace(old, new, 1), TOP.replace(old, new)), conn)
    found = [one.replace(f"{HANDLERS}:", "H:") for one in found]
    assert sorted(found) == sorted(expected)


def test_a_plan_changes_nothing_and_says_what_needs_a_restart(base: Config, conn: Connection) -> None:
    before = query(conn, "SELECT * FROM zeke_jobs.task"), query(conn, "SELECT * FROM zeke_jobs.revision")
    assert planned(conn, load("  other: {handler: 'H:work'}"), orders=Orders(cancel=frozenset({"analyze"}))).is_pending
    assert not planned(conn, base).is_pending
    assert not apply(conn, base).is_new
    assert before == (query(conn, "SELECT * FROM zeke_jobs.task"), query(conn, "SELECT * FROM zeke_jobs.revision"))
    plan = planned(conn, load(BASE + "  extra: {handler: 'H:fork', queue: slow}\n"))
    assert [one.partition(":")[0] for one in plan.restarts] == ["queue slow", "extra"]
    # A worker has already loaded this handler, so it needs no restart.
    assert planned(conn, load(BASE + "  extra: {handler: 'H:work'}\n")).restarts == ()
    query(conn, "UPDATE zeke_jobs.queue SET state = 'consumed'")
    found = said(load(BASE.replace("concurrency: 5", "concurrency: 1"), "limits: {ai: {concurrency: 3}}"), conn)
    assert {"above analyze 0+4", "above limits.ai 0+4"} <= {*found}


def test_jobs_follow_and_the_revision_is_announced(base: Config, conn: Connection, other_conn: Connection) -> None:
    zeke_jobs.send("analyze", {"n": 5}, priority=50)
    query(other_conn, 'LISTEN "zeke_jobs.revision"')
    apply(conn, load(BASE.replace("uses: [ai]", "uses: [ai], priority: 7, queue: slow")))
    rows = query(conn, "SELECT DISTINCT priority, queue_name FROM zeke_jobs.queue WHERE state = 'queued' ORDER BY 1")
    assert rows == [(7, "slow"), (50, "slow")]
    select.select([other_conn], [], [], 5)
    other_conn.poll()
    assert [notify.payload for notify in other_conn.notifies] == ["2"]


@cases(
    "task edit expected",
    ("analyze", ("uses: [ai]", "uses: [ai, few]"), 1),
    ("score", ("[one, two]}", "[one, two]}, concurrency: 1"), 1),
    ("score", ("[one, two]}", "[one, two]}, rate: 1/h"), 1),
    ("score", ("[one, two]}", "[one, two]}, concurrency: {per_key: 1}"), 2),
    ("analyze", ("uses: [ai]", "uses: [ai], paused: true"), 0),
    ("analyze", ("uses: [ai]", "uses: []"), 3),
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
    with zeke_jobs.transaction(conn):
        applying.apply_locked(conn, Request(load(BASE.replace(*edit), top), "me"))
        worker.start()
        pid = other_conn.info.backend_pid
        while not query(conn, "SELECT 1 FROM pg_locks WHERE pid = %s AND NOT granted", pid):
            assert worker.is_alive()
    worker.join(30)
    assert len(claimed) == expected


def test_a_change_waits_for_no_job_that_is_locked(base: Config, conn: Connection, other_conn: Connection) -> None:
    strict = "concurrency: {limit: 5, per_key: 1}, order: strict, uses: [ai], priority: 7"
    new = load(BASE.replace("concurrency: 5, uses: [ai]", strict))
    assert new.tasks["analyze"].priority == 7
    query(conn, "SET lock_timeout = '2s'")
    with zeke_jobs.transaction(other_conn):
        locked = query(other_conn, "SELECT message_id FROM zeke_jobs.queue WHERE state = 'queued' LIMIT 1 FOR UPDATE")
        state = applying.sync(conn, new)
        assert (state.revision, state.is_file) == (2, True)
    assert query(conn, "SELECT message_id FROM zeke_jobs.queue WHERE state = 'queued' AND priority <> 7") == locked


@pytest.mark.parametrize(
    "lock", ["SELECT zeke_jobs.lock_catalogue()", "SELECT FROM zeke_jobs.bucket WHERE name = 'limit/ai' FOR UPDATE"]
)
def test_a_change_that_somebody_holds_up_gives_up_and_names_that_session(
    base: Config, conn: Connection, other_conn: Connection, monkeypatch: Patch, lock: str
) -> None:
    monkeypatch.setattr(lock_waits, "PATIENCE", 0)
    monkeypatch.setattr(applying, "_TURN", 0.1)
    monkeypatch.setattr(applying, "_PATIENCE", 0.1)
    other = load(BASE + "  more: {handler: 'H:work'}\n")
    with zeke_jobs.transaction(other_conn):
        query(other_conn, lock)
        for change in (lambda: apply(conn, other), lambda: applying.sync(conn, other)):
            with pytest.raises(Contended, match=f"a transaction of session {other_conn.info.backend_pid} "):
                change()
    assert apply(conn, other).revision == 2


def test_a_restart_puts_a_first_file_in_force_and_no_changed_one(conn: Connection, monkeypatch: Patch) -> None:
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


SCORE = "  score: {{handler: 'H:list_words'{}}}\n"
#: The values of a mapping stand in these places of a file of tasks and a file of other keys, under these names.
PLACES = {
    "settings.": "  score: {{handler: 'H:list_words', settings: {{{}}}}}\n",
    "cron.payload.": "  pull: {{handler: 'H:work', cron: {{at: '0 9 * * *', payload: {{{}}}}}}}\n",
    "": "services: {{web: {{use: 'H:Service', {}}}}}",
}


def loaded(tasks: str, top: str = "") -> Config:
    return load(tasks, top, handlers=False)


def lines(before: Config, after: Config) -> list[str]:
    found = [line.strip() for line in change_lines(diff.changes(before, after)) if line.startswith("    ")]
    return [line.replace("\\[", "[") for line in found]


@pytest.mark.parametrize("place", PLACES)
@cases(
    "before after said",
    ("", "words: []", "words: [dim]none[/] → []"),
    ("words: []", "", "words: [] → [dim]none[/]"),
    ("", "name: ''", "name: [dim]none[/] → ''"),
    ("", "name: null", "name: [dim]none[/] → null"),
    ("name: null", "name: 'null'", "name: null → 'null'"),
    ("", "deep: {}", "deep: [dim]none[/] → {}"),
    ("x: 1", "x: true", "x: 1 → true"),
    ("x: 1", "x: 1.0", "x: 1 → 1.0"),
    ("x: 1", "x: '1'", "x: 1 → '1'"),
    ("x: [1]", "x: [true]", "x: [red]-1[/] [green]+true[/]"),
    ("x: [a, a]", "x: [a]", "x: [a, a] → [a]"),
    ("x: [{y: 1}]", "x: [{y: true}]", "x: [red]-{y: 1}[/] [green]+{y: true}[/]"),
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


@cases(
    "after said",
    # The name of the removed task becomes an alias of another task that exists.
    ("  two: {handler: 'H:work', aliases: [one]}\n", {"one": 0}),
    ("  two: {handler: 'H:work'}\n  new: {handler: 'H:work', aliases: [one]}\n", {"new": 0}),
    ("  two: {handler: 'H:work'}\n  new: {handler: 'H:work', aliases: [one], cron: '0 9 * * *'}\n", {}),
    ("  two: {handler: 'H:work', aliases: [one], cron: '0 9 * * *'}\n", {"one": 0, "two": 3}),
    ("  new: {handler: 'H:work', aliases: [one, two]}\n", {"one": 0}),  # Two tasks become one.
    ("  two: {handler: 'H:work'}\n", {"one": 0}),
)
def test_a_schedule_that_ends_with_its_tasks_name_is_said(after: str, said: dict[str, int]) -> None:
    before = loaded("  one: {handler: 'H:work', cron: '0 9 * * *'}\n  two: {handler: 'H:work'}\n")
    found = diff.fires(before, loaded(after), datetime(2026, 3, 10, tzinfo=UTC))
    assert {one.task: len(one.after) for one in found} == said


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def override(key: str, value: Any, until: float | None = None, why: str = "why") -> store.Override:
    """Make an override of a key of jobs.yaml; if ``until`` is given, it ends so many hours after NOON."""
    return store.Override(tuple(key.split(".")), value, "me", why, NOON, None if until is None else at(until))


def one(key: str, *said: Any, **more: Any) -> store.Override:
    return override(f"tasks.{key}", *said, **more)


def values(overrides: Any) -> dict[str, Any]:
    return {override.label: override.value for override in store.visible(overrides)}


def put(conn: Connection, *new: store.Override) -> applying.Applied:
    return applying.set_by_hand(conn, lambda _, before: with_overrides(before, new), by="me", message="why")


def limit(conn: Connection) -> int | None:
    return latest(conn).config().tasks["analyze"].concurrency.limit


def test_what_was_set_for_good_comes_back_when_a_time_ends(conn: Connection, other_conn: Connection) -> None:
    applying.sync(conn, load())
    put(conn, one(BOTH, 3, why="slow"))
    put(conn, one(BOTH, 1, until=1, why="incident"))
    last = latest(conn)
    assert one(BOTH, 1, until=1, why="incident") in last.overrides
    assert (limit(conn), last.config().digest) == (1, load().digest)
    # Only the first of two callers reverts the override that has ended.
    assert [done is None for done in (applying.revert_due(conn), applying.revert_due(other_conn))] == [False, True]
    last = latest(conn)
    assert (last.number, last.origin, last.overrides) == (4, "revert", (one(BOTH, 3, why="slow"),))
    assert last.message == "analyze.concurrency was set until now (incident), back to 3 (slow)"


@cases(
    "sets then",
    ([(BOTH, 3), (BOTH, 1, 1)], [{BOTH: 1}, {BOTH: 3}]),
    ([(LIMIT, 3), (PER_KEY, 2), (BOTH, 1, 1)], [{BOTH: 1}, {LIMIT: 3, PER_KEY: 2}]),
    ([(LIMIT, 3), (BOTH, 1, 1), (PER_KEY, 1)], [{BOTH: 1, PER_KEY: 1}, {LIMIT: 3, PER_KEY: 1}]),
    ([(LIMIT, 3), (BOTH, 1, 1), (LIMIT, 2)], [{BOTH: 1, LIMIT: 2}, {LIMIT: 2}]),
    # A permanent override that is set later replaces the timed override.
    ([(BOTH, 3), (BOTH, 1, 1), (BOTH, 2)], [{BOTH: 2}, {BOTH: 2}]),
    # Of two timed overrides, the one that ends later applies again after the other has ended.
    ([(BOTH, 3), (BOTH, 1, 2), (BOTH, 2, 1)], [{BOTH: 2}, {BOTH: 1}, {BOTH: 3}]),
    ([(BOTH, 3), (BOTH, 1, 1), (BOTH, 2, 2)], [{BOTH: 2}, {BOTH: 2}, {BOTH: 3}]),
    ([(BOTH, 1, 1)], [{BOTH: 1}, {}]),
)
def test_each_end_leaves_what_was_set_for_longer(sets: list[tuple[Any, ...]], then: list[dict[str, Any]]) -> None:
    overrides: list[store.Override] = []
    for said in sets:
        overrides = with_overrides(overrides, [one(*said)])
    assert [values(after(overrides, at(hour))) for hour in range(len(then))] == then
    assert values(lasting(overrides)) == then[-1]
    assert values(after(after(overrides, at(1)), at(9))) == then[-1]


def test_values_must_fit_together_also_when_a_time_is_over_and_beside_a_new_file(conn: Connection) -> None:
    applying.sync(conn, load())
    put(conn, one(PER_KEY, 15), one(LIMIT, 20))
    assert limit(conn) == 20
    apply(conn, load(), overrides=[])
    put(conn, one(LIMIT, 20, until=1))
    with pytest.raises(ConfigurationError, match=r"when analyze\.concurrency\.limit ends at 2026-03-10 13:00:00 UTC"):
        put(conn, one(PER_KEY, 15))
    assert limit(conn) == 20
    put(conn, one(PER_KEY, 15, until=0.5))
    assert applying.revert_due(conn) is not None
    assert limit(conn) == 5
    apply(conn, load(), overrides=[])
    put(conn, one(PER_KEY, 4), one(LIMIT, 20, until=1))
    lower = load(BASE.replace("concurrency: 5", "concurrency: 3"))
    for change in (planned, apply):
        with pytest.raises(ConfigurationError, match="ends at"):
            change(conn, lower)
    assert applying.revert_due(conn) is not None


def test_a_pause_for_a_time_is_shown_with_its_end_and_resume_says_what_ends_it(conn: Connection, cli: Cli) -> None:
    applying.sync(conn, load())
    put(conn, one("analyze.paused", True, until=1, why="lunch"))
    (pause,) = actions.paused(conn)
    assert (pause.paused_by, pause.reason, pause.ends_on, pause.set_key) == ("me", "lunch", at(1), "analyze.paused")
    said = "task/analyze stays paused by me; zeke-jobs set --clear analyze.paused ends it\n"
    assert cli("resume", "task/analyze").out == said


CONCURRENCY = override("tasks.analyze.concurrency", 3)


def test_a_name_means_a_place_of_the_file_where_a_value_goes_also_inside_a_short_form() -> None:
    tasks = BASE + "  dotted: {handler: 'H:work', aliases: [old.name]}\n"
    file = load(tasks, TOP + "\nservices: {web: {use: 'H:Service'}}")
    same = ["tasks.analyze.retry.limit", "limits.ai.rate", "services.web.url", "defaults.retry.limit", "timezone"]
    places = dict(zip(same, same, strict=True))
    places |= {"analyze.concurrency": "tasks.analyze.concurrency", "old.name.timeout": "tasks.dotted.timeout"}
    assert {text: ".".join(read_path(text, file)) for text in places} == places
    values = {"3": 3, "5m": "5m", "[a, b]": ["a", "b"], "{limit: 2}": {"limit": 2}, "true": True, '"3"': "3"}
    values |= {"*/5 * * * *": "*/5 * * * *", "@daily": "@daily"}
    assert {text: read_value(text) for text in values} == values
    keys: dict[str, Any] = {"tasks.analyze.concurrency.per_key": 2, "tasks.analyze.paused": True}
    keys |= {"tasks.pull.cron.timezone": "Europe/Paris", "tasks.score.settings.words": ["x"], "limits.ai.rate": "30/m"}
    found = load(edits=store.edits([override(key, value) for key, value in keys.items()]))
    analyze, pull = found.tasks["analyze"], found.tasks["pull"]
    assert (analyze.concurrency, analyze.paused) == (Concurrency(limit=5, per_key=2), True)
    assert pull.cron == Schedule(at="*/5 * * * *", timezone="Europe/Paris")
    assert (found.tasks["score"].settings, str(found.limits["ai"].rate)) == ({"words": ["x"]}, "30/m")


def test_a_new_file_keeps_what_is_set_unless_it_says_the_same_for_good_or_lacks_the_task() -> None:
    assert carried(load(), [CONCURRENCY]) == ([CONCURRENCY], [])
    same = carried(load(BASE.replace("concurrency: 5", "concurrency: 3")), [CONCURRENCY])
    assert same == ([], ["analyze.concurrency is no longer set by hand: the file has the same value"])
    gone = carried(load("  other: {handler: 'H:work'}"), [CONCURRENCY])
    assert gone[1] == ["analyze.concurrency is no longer set by hand: analyze left the file"]
    overrides = with_overrides([one(BOTH, 3)], [one(BOTH, 1, until=1)])
    for_now = load(BASE.replace("concurrency: 5", "concurrency: 1"))
    assert carried(for_now, overrides)[0] == overrides
    assert values(carried(for_now, lasting(overrides))[0]) == {BOTH: 3}


def test_what_the_file_says_sets_nothing_and_a_booting_file_in_force_turns_back_nothing(conn: Connection) -> None:
    applying.sync(conn, load())
    assert not apply(conn, load(), origin="set", overrides=[override("tasks.analyze.concurrency", 5)]).is_new
    apply(conn, load(), by="me", message="slow", origin="set", overrides=[CONCURRENCY])
    booted = applying.sync(conn, load())
    assert (booted.revision, booted.is_file) == (2, True)
    assert booted.config.tasks["analyze"].concurrency.limit == 3
    assert query(conn, "SELECT concurrency FROM zeke_jobs.bucket WHERE name = 'task/analyze'") == [(3,)]


def over(conn: Connection, key: str, value: Any) -> None:
    applying.sync(conn, load())
    apply(conn, load(), by="me", message="slow", origin="set", overrides=[override(key, value, until=-24 * 999)])


def test_a_scheduler_and_a_worker_take_back_what_is_over(conn: Connection, monkeypatch: Patch) -> None:
    over(conn, "tasks.pull.cron.timezone", "Asia/Tokyo")
    monkeypatch.setattr(beat, "obey_signals", lambda: None)
    monkeypatch.setattr(beat, "_PROCESS", beat._Process())
    beat.beat(None, lambda _: 1)
    said = query(conn, "SELECT cron ->> 'timezone', w.revision, w.file_revision FROM zeke_jobs.task, zeke_jobs.worker AS w WHERE cron IS NOT NULL")  # fmt: skip
    assert said == [("UTC", 3, 1)]
    over(conn, "tasks.analyze.concurrency", 3)
    ((due,),) = query(conn, "SELECT zeke_jobs.chores()")
    chores.do(conn, due)
    assert query(conn, "SELECT concurrency FROM zeke_jobs.bucket WHERE name = 'task/analyze'") == [(5,)]


def test_a_file_is_looked_up_as_it_is_on_the_disk(conn: Connection, tmp_path: Path, monkeypatch: Patch) -> None:
    file = tmp_path / "jobs.yaml"
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", str(file))
    configs = load(), load(BASE.replace("concurrency: 5", "concurrency: 8"))
    for number, config in enumerate(configs, 1):
        assert applying.sync(conn, config).revision == number
    for content, number in ((configs[1].text, 2), (configs[0].text, 1), ("never in force", 7)):
        file.write_text(content)
        assert applying.file_revision(conn, 7) == number
    file.unlink()
    assert applying.file_revision(conn, 7) == 7
