"""With these fixtures, tests set the time, the schedules and the states of jobs in a database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.sql import dicts
from zeke_jobs.scheduler import dispatch
from zeke_jobs.scheduler.rules import Tick
from zeke_jobs.testing import set_clock

NINE = datetime(2025, 6, 4, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class World:
    def __init__(self, conn: Connection, now: datetime = NINE) -> None:
        self.conn = conn
        self.at(now)

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        return dicts(self.conn, sql, *params)

    def at(self, now: datetime) -> None:
        set_clock(self.conn, now)

    def put(self, task: str = "pull", at: str | None = "*/5 * * * *", **cron: Any) -> None:
        """Put a schedule in force as the next revision of jobs.yaml; ``at=None`` removes the schedule."""
        most, fields = cron.pop("max_queued", None), cron.pop("unique_fields", None)
        made = "INSERT INTO zeke_jobs.revision (digest, source, applied_by) VALUES ('', '', 'test') RETURNING number"
        number = self.rows(made)[0]["number"]
        usual = {"timezone": "UTC", "missed": "latest", "window": 86400, "overlap": "skip", "jitter": 0, "payload": {}}
        stanza = {"at": at, "paused": False, **usual, **cron}
        self.rows(
            "INSERT INTO zeke_jobs.task (id, aliases, queue, definition, cron, revision, max_queued, unique_fields, unique_while) "
            "VALUES (%s, %s, 'default', '{}', %s, %s, %s, %s, 'queued') ON CONFLICT (id) DO UPDATE SET cron = excluded.cron, "
            "revision = excluded.revision",
            *(task, [f"old-{task}"], None if at is None else json.dumps(stanza), number, most, fields),
        )

    def beat(self, now: datetime) -> list[str]:
        """Set the clock, call ``dispatch.beat``, and return the outcome of each due tick."""
        self.at(now)
        return [shown(tick) for tick in dispatch.beat(self.conn)]

    def jobs(self, task: str = "pull") -> list[str]:
        sent = "SELECT scheduled_for FROM zeke_jobs.queue WHERE task = %s AND scheduled_for IS NOT NULL ORDER BY 1"
        return [f"{row['scheduled_for']:%H:%M}" for row in self.rows(sent, task)]

    def end_jobs(self, state: str = "done") -> None:
        self.rows("UPDATE zeke_jobs.queue SET state = %s WHERE state IN ('queued', 'consumed')", state)

    def ticks(self, task: str = "pull") -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM zeke_jobs.tick WHERE task = %s ORDER BY scheduled_for", task)

    def schedule(self, task: str = "pull") -> dict[str, Any]:
        [row] = self.rows("SELECT * FROM zeke_jobs.schedule WHERE task = %s", task)
        return row


def shown(tick: Tick) -> str:
    reason = f" {tick.reason.partition(':')[0]}" if tick.reason else ""
    return f"{tick.scheduled_for:%H:%M} {tick.outcome}{reason}"


@pytest.fixture
def world(conn: Connection) -> World:
    return World(conn)
