"""These fixtures make a history of jobs step by step, with a clock that the test sets."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.worker.conftest import NOON, Jobs
from zeke_jobs.config import Config
from zeke_jobs.testing import set_clock


def echoes(**tasks: str) -> str:
    return "".join(f"  {name}: {{handler: 'H:echo', {keys}}}\n" for name, keys in tasks.items())


class Story(Jobs):
    """Times are seconds after noon."""

    def __init__(self, conn: Connection) -> None:
        super().__init__(conn)
        set_clock(conn, NOON - timedelta(minutes=1))
        self.config: Config

    def use(self, tasks: str, top: str = "") -> Config:
        self.config = super().use(tasks, top)
        self.someone = self.worker()
        return self.config

    def sent(self, at: float, task: str, options: str = "{}") -> UUID:
        self.at(at)
        return self.add(task, options=options)[0]

    def ran(self, task: str, start: float, end: float, outcome: str = "completed", **said: Any) -> UUID:
        """Claim the next job of a task, and end the attempt."""
        self.at(start)
        (claim,) = self.claim(self.someone, 1, [task])
        self.at(end)
        if outcome == "completed":
            assert self.complete(self.someone, [claim])
        else:
            assert self.finish(self.someone, claim, outcome, **said)
        job: UUID = claim["message_id"]
        return job

    def job(self, task: str, sent: float, start: float, end: float) -> UUID:
        made = self.sent(sent, task)
        assert self.ran(task, start, end) == made
        return made


@pytest.fixture
def story(conn: Connection) -> Story:
    return Story(conn)
