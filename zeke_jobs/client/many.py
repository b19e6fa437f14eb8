"""Changes many jobs in parts of up to 1000, each in its own transaction, so that locks are held only briefly."""

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from zeke_jobs.client import drivers, task_cache
from zeke_jobs.client.options import as_id, as_limit, checked
from zeke_jobs.client.plans import Database, Rows
from zeke_jobs.payload.json_text import encode

Verb = Literal["cancel", "retry", "prioritise", "reschedule"]
_AT_ONCE = 1000  # maximum number of jobs to change in one transaction


@dataclass(frozen=True, slots=True)
class Count:
    """Holds the number of jobs that a change would affect, for one task and one status."""

    task_id: str
    status: str
    jobs: int


@dataclass
class Change:
    """Describes a change of all jobs that match the filters. The fields have the meaning of ``cancel``'s arguments.

    ``value`` has the new ``priority``, ``run_at`` (ISO 8601 text) or ``delay`` (seconds). Jobs are changed in the order
    in which they were sent (the order of ids), in parts: each in its own transaction, or all in a ``connection``'s.
    """

    verb: Verb
    filters: Mapping[str, Any]
    _: KW_ONLY
    value: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    reason: str | None = None
    by: str | None = None
    connection: Any = None
    until: datetime | None = field(init=False, default=None)  # the time of ``count``

    def __post_init__(self) -> None:
        self.filters = checked(self.filters)
        as_limit(self.limit)

    def count(self) -> list[Count]:
        """Return the number of jobs that the change would affect now. ``parts`` does not change jobs sent later.

        Raises UnknownTask if no job matches and the task in the filter ``task`` does not exist.
        """
        rows = drivers.perform(self.connection, self._count)
        if rows:
            self.until = rows[0][3]
            if "delay" in self.value:
                self.value = {"run_at": (self.until + timedelta(seconds=self.value["delay"])).isoformat()}
        return [Count(*row[:3]) for row in rows]

    async def _count(self, database: Database) -> Rows:
        rows = await database.ask("change/count", **self._params(self.filters), limit=self.limit)
        if not rows and "task" in self.filters:
            # Raise UnknownTask only if no job matches, because a task that jobs.yaml no longer has may still have jobs.
            await task_cache.refresh(database, self.filters["task"])
        return rows

    def parts(self) -> Iterator[list[UUID]]:
        """Change the jobs part by part. Yields for each part the ids of the jobs that it changed."""
        if self.until is None and not self.count():
            return
        assert self.until is not None
        within = {**self.filters, "until": self.until.isoformat()}
        left, after, passed = as_limit(self.limit), None, list[str]()
        while left > 0:
            changed, locked, after = self._change(within, after, min(left, _AT_ONCE))
            passed += locked
            left -= len(changed)
            yield changed
            if after is None:
                break
        # Change the jobs that other sessions had locked, one by one, waiting for each lock.
        for job_id in passed:
            if left > 0 and (changed := self._change({**within, "id": job_id}, None, 1)[0]):
                left -= 1
                yield changed

    def all(self) -> list[UUID]:
        """Change all jobs. Returns the ids of the changed jobs."""
        return [job_id for part in self.parts() for job_id in part]

    def _change(
        self, within: dict[str, Any], after: str | None, most: float
    ) -> tuple[list[UUID], list[str], str | None]:
        params = {**self._params(within), "reason": self.reason, "by": self.by, "after": after, "most": most}
        ((changed, passed, last),) = drivers.perform(self.connection, Database.ask, "change/jobs", **params)
        return [as_id("id", one) for one in changed], passed, last

    def _params(self, filters: Mapping[str, Any]) -> dict[str, Any]:
        return {"change": self.verb, "filter": encode(filters), "value": encode(self.value)}
