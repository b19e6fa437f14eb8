"""These fixtures add jobs to the table, register workers, and move a clock."""

from typing import Any
from uuid import UUID

import pytest
from psycopg2.extensions import connection as Connection

from tests.zeke_jobs.worker.conftest import Jobs
from zeke_jobs.diagnosis.why import Explanation, why


class Scene(Jobs):
    """The database's clock stands at noon. Tests add jobs and workers; ``why`` says why a job does not run."""

    def serve(self, pid: int = 1, **columns: Any) -> UUID:
        """Register a worker process that serves all queues and, by default, all tasks."""
        queues = {row["queue"] for row in self.rows("SELECT queue FROM zeke_jobs.task")}
        return self.worker(**{"pid": pid, "host": "box", "queues": sorted(queues), **columns})

    def run_alone(self, worker: UUID, queue: str) -> dict[str, Any]:
        """Let an idle worker claim and start a suspect, a job that must run alone because two workers died while they ran it."""
        (claim,) = self.claim(worker, 8, queue=queue)
        self.start(worker, [claim])
        return claim

    def empty(self, worker: UUID, queue: str = "default") -> None:
        """Check that a claim by a busy worker gets no job."""
        assert not self.claim(worker, 8, queue=queue, is_empty=False)

    def suspect(self, task: str, deaths: int = 2) -> UUID:
        """Add a due job; ``deaths`` workers died while they ran it earlier."""
        (job,) = self.add(task)
        change = "UPDATE zeke_jobs.queue SET deaths = %s, attempt = %s, mtime = zeke_jobs.now() WHERE message_id = %s"
        self.rows(change, deaths, deaths, job)
        return job

    def why(self, job: UUID) -> Explanation:
        return why(self.conn, job)

    def reasons(self, job: UUID) -> dict[str, str]:
        return {reason.kind: reason.sentence for reason in self.why(job).reasons}

    def history(self, job: UUID) -> list[str]:
        return [one.sentence for one in self.why(job).history]


@pytest.fixture
def scene(conn: Connection) -> Scene:
    made = Scene(conn)
    made.at()
    return made
