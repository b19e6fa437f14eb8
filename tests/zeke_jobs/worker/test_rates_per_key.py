"""Rates per key: over any order of events each claim finds all that may start, and it is quick however many keys wait."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.zeke_jobs.backtest.witness import CLOCK
from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.postgres.queries import SQL

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

DEEP = bool(os.environ.get("ZEKE_TEST_DEEP"))
KINDS = {"plain": "", "narrow": ", concurrency: {per_key: 1}", "strict": ", order: strict", "slow": ", concurrency: 3"}
RATES = [
    "rate: {per_key: 2/m}",
    "rate: {per_key: 1/m}",
    "rate: {per_key: 3/m}",
    "rate: {per_key: 2/s}",
    "max_queued: 9999",
]
_ALL = """
  SELECT q.message_id AS id, q.task, q.key, q.state::text, q.priority, q.run_at, q.seq, q.claim, q.deaths, q.cancelled_on, q.order_hold
  FROM zeke_jobs.queue AS q"""


class Keys(RuleBasedStateMachine):
    """Jobs of a few keys. The model says of each job, by all rows and all starts that count, whether it may start."""

    uses = 0

    def __init__(self, sql: Jobs, kind: str) -> None:
        super().__init__()
        self.sql, self.kind, self.rate, self.name = sql, kind, RATES[0], "a"
        sql.rows("TRUNCATE zeke_jobs.queue, zeke_jobs.worker, zeke_jobs.meter_use, zeke_jobs.key_wait CASCADE")
        sql.rows("SELECT setseed(0.5)")
        self.now = NOON
        self.passes(0)
        self.use()
        self.worker = sql.worker(tasks=["a", "b"])
        self.held: list[dict[str, Any]] = []

    def use(self) -> None:
        Keys.uses += 1  # a file that was in force before is not put in force again
        aliases = ", aliases: [a]" if self.name == "b" else ""
        self.sql.use(
            f"  {self.name}: {{handler: 'H:echo', description: '{self.uses}', retry: {{limit: 99}}, {self.rate}{KINDS[self.kind]}{aliases}}}"
        )

    def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.sql.rows("SELECT set_config('zeke_test.now', %s, false)", self.now.isoformat())

    # ── the model ──

    def room(self, key: str, rows: list[dict[str, Any]]) -> tuple[int, list[datetime]]:
        """How many jobs of a key may start, and when the starts that count stop to."""
        active = sum(row["key"] == key and row["state"] == "consumed" for row in rows)
        if "per_key" not in self.rate:
            return (1 if self.kind in ("narrow", "strict") else 99) - active, []
        ends = self.sql.rows(
            "SELECT least(u.ends_on, CASE WHEN NOT u.settled AND u.taken_on + u.lasts > %s THEN u.taken_on + u.lasts END) AS ends "
            "FROM zeke_jobs.meter_use AS u WHERE u.gate = %s AND u.key = %s AND u.ends_on > %s ORDER BY 1",
            self.now, f"task/{self.name}", key, self.now,
        )  # fmt: skip
        room = int(self.rate.partition("per_key: ")[2][0]) - len(ends)
        if self.kind in ("narrow", "strict"):
            room = min(room, 1 - active)
        return room, [row["ends"] for row in ends]

    def startable(self) -> list[dict[str, Any]]:
        """The jobs that may start now."""
        rows = self.sql.rows(_ALL)
        if self.kind == "slow" and sum(row["state"] == "consumed" for row in rows) >= 3:
            return []
        due = [
            row for row in rows if row["state"] == "queued" and row["run_at"] <= self.now and row["task"] == self.name
        ]
        found = []
        for row in due:
            line = [one for one in rows if one["key"] == row["key"] and one["seq"] < row["seq"]]
            behind = self.kind == "strict" and any(
                one["state"] in ("queued", "consumed") or (one["state"] == "rejected" and one["cancelled_on"] is None)
                for one in line
            )
            if not behind and self.room(row["key"], rows)[0] > 0:
                found.append(row)
        return found

    # ── events ──

    @rule(
        keys=st.lists(st.sampled_from("abcd"), min_size=1, max_size=4),
        priority=st.sampled_from([0, 0, 5]),
        delay=st.sampled_from([0, 0, 20]),
    )
    def send(self, keys: list[str], priority: int, delay: int) -> None:
        for key in keys:
            self.sql.add(self.name, options=f'{{"key": "{key}", "priority": {priority}, "delay": "{delay}s"}}')

    @rule(want=st.integers(1, 5))
    def claim(self, want: int) -> None:
        for _ in range(40):
            may = {row["id"]: row for row in self.startable()}
            before = self.sql.rows(_ALL)
            header, rows = self.sql.look(self.worker, [self.name], want)
            assert {row["message_id"] for row in rows} <= set(may)
            self.obeys(rows, may, before)
            self.held += rows
            opens = header["looks_on"] and self.sql.rows("SELECT %s::timestamptz AS t", header["looks_on"])[0]["t"]
            if len(rows) == want:
                return  # it looks again at once
            if opens is None or opens > self.now:
                break
        left = self.startable()
        if left and self.kind == "strict":  # what stands behind others is looked at each second
            assert opens is not None
            assert opens <= self.now + timedelta(seconds=1)
            return
        assert not left
        self.knows_when(opens)

    def obeys(self, rows: list[dict[str, Any]], may: dict[UUID, dict[str, Any]], before: list[dict[str, Any]]) -> None:
        for key in {may[row["message_id"]]["key"] for row in rows}:
            ours = [may[row["message_id"]] for row in rows if may[row["message_id"]]["key"] == key]
            assert len(ours) <= self.room_before(key, before, len(rows))
            if "per_key" in self.rate:
                left = [row for row in may.values() if row["key"] == key and row not in ours]
                order = [(-row["priority"], row["run_at"], row["seq"]) for row in ours]
                assert not left or max(order) < min((-row["priority"], row["run_at"], row["seq"]) for row in left)

    def room_before(self, key: str, before: list[dict[str, Any]], claimed: int) -> int:
        # The starts of this claim are noted by now.
        noted = sum(row["key"] == key for row in self.sql.rows(_ALL + " WHERE q.state = 'consumed'")) - sum(
            row["key"] == key and row["state"] == "consumed" for row in before
        )
        rated = noted if "per_key" in self.rate else 0
        return self.room(key, before)[0] + rated

    def knows_when(self, opens: datetime | None) -> None:
        """The answer names a time to look again no later than the rate of a key that waits lets a job through."""
        rows = self.sql.rows(_ALL)
        if "per_key" not in self.rate or self.kind == "slow":
            return
        for key in {
            row["key"]
            for row in rows
            if row["state"] == "queued" and row["run_at"] <= self.now and row["task"] == self.name
        }:
            _, ends = self.room(key, rows)
            most = int(self.rate.partition("per_key: ")[2][0])
            busy = self.kind != "plain" and any(row["key"] == key and row["state"] == "consumed" for row in rows)
            if len(ends) >= most and not busy:  # the end of its job calls for a look
                assert opens is not None, key
                assert opens <= ends[len(ends) - most], key

    @precondition(lambda self: self.held)
    @rule(
        data=st.data(),
        how=st.sampled_from(["complete", "retry", "later", "failed", "returned", "given back", "cancelled", "never"]),
    )
    def ends(self, data: st.DataObject, how: str) -> None:
        one = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        claim = {"message_id": one["message_id"], "claim": one["claim"]}
        match how:
            case "complete":
                assert self.sql.complete(self.worker, [claim])
            case "retry" | "later":
                assert self.sql.finish(self.worker, claim, "retry", delay=0.0 if how == "retry" else 30.0)
            case "failed" | "returned":
                assert self.sql.finish(self.worker, claim, how, after=0.0 if how == "failed" else None)
            case "given back":
                given = "SELECT zeke_jobs.give_back(%s, %s::uuid[], %s::bigint[]) AS id"
                assert self.sql.rows(given, self.worker, [claim["message_id"]], [claim["claim"]])
            case _:  # before it has started
                assert self.sql.finish(self.worker, claim, "cancelled" if how == "cancelled" else "failed", after=None)

    @rule(data=st.data(), how=st.sampled_from(["cancel", "retry", "prioritise", "postpone", "hasten"]))
    def changes(self, data: st.DataObject, how: str) -> None:
        states = ("rejected",) if how == "retry" else ("queued", "rejected") if how == "cancel" else ("queued",)
        rows = [row for row in self.sql.rows(_ALL + " ORDER BY q.seq") if row["state"] in states]
        if not rows:
            return
        one = data.draw(st.sampled_from(rows))["id"]
        match how:
            case "cancel":
                self.sql.rows("SELECT * FROM zeke_jobs.cancel(%s, 'why', 'me')", one)
            case "retry":
                self.sql.rows("SELECT * FROM zeke_jobs.retry_unnoted(%s::uuid[])", [one])
                self.sql.rows("SELECT * FROM zeke_jobs.gather(100)")  # it may have its task's former name
            case "prioritise":
                self.sql.rows("UPDATE zeke_jobs.queue SET priority = 5 - priority WHERE message_id = %s", one)
            case _:
                at = self.now + timedelta(seconds=25 if how == "postpone" else -25)
                self.sql.rows("UPDATE zeke_jobs.queue SET run_at = %s WHERE message_id = %s", at, one)

    @rule(seconds=st.sampled_from([0.1, 1, 10, 61]))
    def time_passes(self, seconds: float) -> None:
        self.passes(seconds)

    @rule(rate=st.sampled_from(RATES))
    def another_rate(self, rate: str) -> None:
        self.rate = rate
        self.use()

    @precondition(lambda self: self.name == "a")
    @rule()
    def another_name(self) -> None:
        self.name = "b"
        self.use()
        self.sql.rows("SELECT * FROM zeke_jobs.gather(100)")


@pytest.mark.parametrize("kind", KINDS)
def test_no_job_that_may_start_is_missed_over_any_order_of_events(conn: Connection, kind: str) -> None:
    jobs = Jobs(conn)
    jobs.rows(CLOCK)

    class KeysHere(Keys):
        def __init__(self) -> None:
            super().__init__(jobs, kind)

    run_state_machine_as_test(
        KeysHere,
        settings=settings(
            max_examples=300 if DEEP else 8,
            stateful_step_count=60 if DEEP else 40,
            deadline=None,
            derandomize=not DEEP,
            database=None,
            phases=(Phase.generate, Phase.shrink) if DEEP else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


class Crowd:
    """Many keys that have used up their rate, each with one more job."""

    def __init__(self, jobs: Jobs, many: int, task: str = "{handler: 'H:echo', rate: {per_key: 1/h}}") -> None:
        self.jobs = jobs
        jobs.use(f"  a: {task}")
        jobs.rows(CLOCK)
        self.at(0)
        self.worker = jobs.worker()
        for _ in range(2):
            self.send("old", many)
            self.drain()

    def at(self, seconds: float) -> None:
        self.jobs.rows("SELECT set_config('zeke_test.now', %s, false)", (NOON + timedelta(seconds=seconds)).isoformat())

    def send(self, name: str, count: int, priority: int = 0) -> None:
        self.jobs.rows(
            "SELECT count(zeke_jobs.send('a', '{}', jsonb_build_object('key', %s || n, 'priority', %s))) FROM generate_series(1, %s) AS n",
            name, priority, count,
        )  # fmt: skip

    def look(self, want: int = 200) -> tuple[float | None, list[dict[str, Any]]]:
        """When it should look again, in seconds from now, and what it claimed and completed."""
        header, rows = self.jobs.look(self.worker, ["a"], want)
        if rows:
            self.jobs.complete(self.worker, rows)
        seconds = self.jobs.rows(
            "SELECT extract(epoch FROM %s::timestamptz - zeke_jobs.now())::float AS s", header["looks_on"]
        )
        return seconds[0]["s"], rows

    def drain(self) -> int:
        """Look until nothing is left that may start; answers how many jobs that were."""
        done = 0
        for _ in range(500):
            opens, rows = self.look()
            done += len(rows)
            if not rows and opens != 0:
                return done
        raise AssertionError("it never ends")

    def waiting(self) -> int:
        return int(self.jobs.rows("SELECT count(*) AS n FROM zeke_jobs.key_wait")[0]["n"])


def test_new_keys_start_at_once_past_thousands_that_wait(jobs: Jobs) -> None:
    many = 3000 if DEEP else 1500
    crowd = Crowd(jobs, many)
    assert crowd.waiting() == many
    crowd.send("new", 150)
    opens, rows = crowd.look()
    assert {jobs.row(row["message_id"])["key"] for row in rows} == {f"new{n}" for n in range(1, 151)}
    assert opens is not None
    assert opens > 3600, "nothing else may start before"
    crowd.at(3700)
    assert crowd.drain() == many
    assert crowd.waiting() == 0, "keys without jobs are forgotten"


def test_a_claim_looks_at_some_hundred_keys_and_says_that_there_are_more(jobs: Jobs) -> None:
    crowd = Crowd(jobs, 1200)
    crowd.at(1800)
    crowd.send("old", 1200)
    crowd.send("new", 1)
    found = [crowd.look() for _ in range(4)]
    assert [opens == 0 for opens, _ in found] == [True, False, False, False]
    assert sum(len(rows) for _, rows in found) == 1
    assert 1800 < (found[-1][0] or 0) < 1840


def test_a_claim_past_keys_that_wait_reads_none_of_them(jobs: Jobs) -> None:
    crowd = Crowd(jobs, 2000)
    crowd.send("new", 1)
    jobs.rows("ANALYZE zeke_jobs.queue")
    crowd.look()  # past entries of the index that are dead by now
    crowd.send("newer", 1)
    before = scanned(jobs)
    assert len(crowd.look()[1]) == 1
    read = {name: count - before[name] for name, count in scanned(jobs).items() if count > before[name]}
    assert sum(read.values()) < 100, list(read.items())


def scanned(jobs: Jobs) -> dict[str, int]:
    """Entries that were read of each index of the queue, the uses and the waiting keys."""
    jobs.rows("SELECT pg_stat_force_next_flush()")
    sql = (
        "SELECT i.indexrelid::regclass::text AS name, pg_stat_get_tuples_returned(i.indexrelid) AS n FROM pg_index AS i "
        "WHERE i.indrelid IN ('zeke_jobs.queue'::regclass, 'zeke_jobs.key_wait'::regclass, 'zeke_jobs.meter_use'::regclass)"
    )
    return {row["name"]: row["n"] for row in jobs.rows(sql)}


def test_a_key_with_many_jobs_and_new_keys_take_turns(jobs: Jobs) -> None:
    crowd = Crowd(jobs, 0, "{handler: 'H:echo', rate: {per_key: 1/s}}")
    for key in ("busy", "other"):
        jobs.add("a", 30, options=f'{{"key": "{key}"}}')
    crowd.look()
    got: list[str] = []
    for second in range(1, 9):
        crowd.at(second * 2)
        crowd.send(f"new{second}.", 2)
        for _ in range(2):  # fewer than wait
            got += [jobs.row(row["message_id"])["key"].partition(".")[0] for row in crowd.look(want=1)[1]]
    assert len(set(got)) >= 6
    assert got.count("busy") >= 2
    assert got.count("other") >= 2


def test_keys_whose_jobs_were_cancelled_are_forgotten(jobs: Jobs) -> None:
    crowd = Crowd(jobs, 30)
    jobs.rows(
        "SELECT count(zeke_jobs.cancel(q.message_id, 'why', 'me')) FROM zeke_jobs.queue AS q WHERE q.state = 'queued'"
    )
    crowd.at(3 * 3600)
    SQL.run(jobs.conn, "retention/forget_keys")
    assert crowd.waiting() == 0


def test_a_start_that_was_given_back_is_not_forgotten_while_its_key_waits(jobs: Jobs) -> None:
    crowd = Crowd(jobs, 2)
    (waiting, *_) = jobs.rows("SELECT w.key FROM zeke_jobs.key_wait AS w ORDER BY w.key")
    jobs.rows(
        "INSERT INTO zeke_jobs.key_wait (task, key, due_on) SELECT 'a', k.key, zeke_jobs.now() - interval '2 hours' "
        "FROM unnest(%s) AS k (key) RETURNING key",
        [waiting["key"], "gone"],
    )
    SQL.run(jobs.conn, "retention/forget_keys")
    left = jobs.rows("SELECT w.key FROM zeke_jobs.key_wait AS w WHERE w.priority IS NULL")
    assert [row["key"] for row in left] == [waiting["key"]]
    assert crowd.waiting() == 3
