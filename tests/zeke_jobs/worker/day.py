"""One worker claims at given times to test limits, and no test sleeps."""

from datetime import timedelta
from typing import Any

from psycopg2.extras import Json

from tests.zeke_jobs.backtest.witness import CLOCK
from tests.zeke_jobs.worker.conftest import NOON, Jobs


class Day:
    """One worker claims at given seconds after noon."""

    def __init__(self, jobs: Jobs, tasks: str, top: str = "") -> None:
        self.jobs = jobs
        jobs.use(tasks, top)
        jobs.rows(CLOCK)
        self.at(0)
        self.worker = jobs.worker()

    def at(self, seconds: float) -> None:
        moment = (NOON + timedelta(seconds=seconds)).isoformat()
        self.jobs.rows("SELECT set_config('zeke_test.now', %s, false)", moment)

    def claim(self, seconds: float, want: int = 100) -> list[dict[str, Any]]:
        self.at(seconds)
        return self.jobs.claim(self.worker, want)

    def end(self, claims: list[dict[str, Any]]) -> None:
        assert len(self.jobs.complete(self.worker, claims)) == len(claims)

    def used(self, claim: dict[str, Any], **units: float) -> None:
        self.jobs.rows("SELECT zeke_jobs.report(%s, %s, %s)", claim["message_id"], claim["claim"], Json(units))

    def opens(self, task: str) -> float | None:
        """Return when the task's closed limit opens, in seconds after noon, or None if it opens when a job ends."""
        (held,) = [row for row in self.jobs.look(self.worker, 100) if row["kind"] == "held" and row["task"] == task]
        now = self.jobs.rows("SELECT extract(epoch FROM zeke_jobs.now() - %s)::float8 AS s", NOON)[0]["s"]
        return None if held["wait"] is None else now + held["wait"]

    def limit(self, name: str) -> dict[str, Any]:
        return self.jobs.rows("SELECT * FROM zeke_jobs.limit_use WHERE name = %s", name)[0]

    def fail(self, claim: dict[str, Any]) -> None:
        assert self.jobs.finish(self.worker, claim, "retry", breaks=True)
