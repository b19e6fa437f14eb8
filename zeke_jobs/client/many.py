"""Changes many jobs: counts them, then changes them in parts, each in its own transaction, so that locks are short."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from zeke_jobs.client import drivers, task_cache
from zeke_jobs.client.filters import checked
from zeke_jobs.client.options import as_id, as_limit
from zeke_jobs.client.plans import Database, Rows
from zeke_jobs.payload.json_text import encode

Verb = Literal["cancel", "retry", "prioritise", "reschedule"]
_AT_ONCE = 1000  # maximum number of jobs to change in one transaction


@dataclass(frozen=True, slots=True)
class Count:
    """The number of jobs of a task and a status that a change would affect."""

    task_id: str
    status: str
    jobs: int


class Change:
    """A change of all jobs that match filters, with the arguments of ``cancel``.

    ``value`` is the new value: ``priority``, ``run_at`` as ISO 8601 text, or ``delay`` in seconds. Jobs are changed in the order
    of their ids, which is the order of their sends. With a connection, all parts are in its transaction.
    """

    def __init__(
        self,
        verb: Verb,
        filters: Mapping[str, Any],
        *,
        value: Mapping[str, Any] | None = None,
        limit: int | None = None,
        reason: str | None = None,
        by: str | None = None,
        connection: Any = None,
    ) -> None:
        self._filter = checked(filters)
        self._verb = verb
        self._value = dict(value or {})
        self._limit, self._left = limit, as_limit(limit)
        self._audit = {"reason": reason, "by": by}
        self._connection = connection
        self._until: datetime | None = None

    def count(self) -> list[Count]:
        """The number of jobs that the change would affect now. ``parts`` then leaves out jobs sent later.

        Raises:
            UnknownTask: no job matches, and the catalogue has no task of this name; the message suggests the nearest.
        """
        rows = drivers.perform(self._connection, self._count)
        if rows:
            self._until = rows[0][3]
            if "delay" in self._value:
                self._value = {"run_at": (self._until + timedelta(seconds=self._value["delay"])).isoformat()}
        return [Count(*row[:3]) for row in rows]

    async def _count(self, database: Database) -> Rows:
        rows = await database.ask("change/count", **self._params(self._filter), limit=self._limit)
        if not rows and "task" in self._filter:
            # A task that left jobs.yaml may still have jobs. This name has none: raise UnknownTask if no task has it.
            await task_cache.refresh(database, self._filter["task"])
        return rows

    def parts(self) -> Iterator[list[UUID]]:
        """Change the jobs part by part; yields the ids of each part."""
        self._left = as_limit(self._limit)
        if self._until is None and not self.count():
            return
        assert self._until is not None
        within = {**self._filter, "until": self._until.isoformat()}
        after, passed = None, list[str]()
        while self._left > 0:
            changed, held, after = self._change(within, after, min(self._left, _AT_ONCE))
            passed += held
            yield changed
            if after is None:
                break
        # Change the locked jobs one by one, and wait for each.
        for job_id in passed:
            if self._left > 0 and (changed := self._change({**within, "id": job_id}, None, 1)[0]):
                yield changed

    def all(self) -> list[UUID]:
        """Change all jobs; returns their ids."""
        return [job_id for part in self.parts() for job_id in part]

    def _change(
        self, within: dict[str, Any], after: str | None, most: float
    ) -> tuple[list[UUID], list[str], str | None]:
        params = {**self._params(within), **self._audit, "after": after, "most": most}
        ((changed, passed, last),) = drivers.perform(self._connection, Database.ask, "change/jobs", **params)
        self._left -= len(changed)
        return [as_id("id", one) for one in changed], passed, last

    def _params(self, filters: dict[str, Any]) -> dict[str, Any]:
        return {"change": self._verb, "filter": encode(filters), "value": encode(self._value)}
