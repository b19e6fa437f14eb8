"""Records the jobs that a program sends in a test, without a database, and checks the jobs against jobs.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from zeke_jobs.client import drivers, task_cache
from zeke_jobs.client.options import plain
from zeke_jobs.client.plans import Database
from zeke_jobs.config.handlers import resolve
from zeke_jobs.config.models import Config
from zeke_jobs.testing.context import SentCall

_OURS = {"id", "traceparent"}  # options that each send sets on its own


class SentJobs(list[SentCall]):
    """Is the fixture ``sent_jobs``: a list of the sent jobs. Payloads and options are in their stored form (JSON)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._config = config

    def of(self, task: str) -> list[SentCall]:
        """Return the jobs sent to a task, which is named by its id or an alias."""
        known = self._config.task(task)
        return [one for one in self if one.task == (known.id if known else task)]

    def assert_sent(self, task: str, payload: Mapping[str, Any] | None = None, **options: Any) -> SentCall:
        """Return the only job sent to a task with these fields in the payload and these options of ``send``.

        Raises AssertionError, with a list of all sent jobs, unless exactly one job matches. Wrong arguments raise the
        same exceptions as in ``send``.
        """
        __tracebackhide__ = True  # pytest then shows the line of the test
        Database(id(self), self._execute).run(task_cache.find, task)
        wanted = json.loads(json.dumps(payload or {}, default=str))
        asked = {name: plain(name, value) for name, value in options.items() if name not in _OURS}
        found = [one for one in self.of(task) if wanted.items() <= one.payload.items()]
        found = [one for one in found if asked.items() <= one.options.items()]
        if len(found) != 1:
            sent = "".join(f"\n  {one.task} {one.payload} {one.options or ''}".rstrip() for one in self) or " nothing"
            expected = f"expected one job of {task} with {wanted} {asked or ''}".rstrip()
            raise AssertionError(f"{expected}, got {len(found)}; sent was{sent}")
        return found[0]

    def _execute(self, statement: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        match statement:
            case "send/task":
                task = self._config.task(params["task"])
                if task is None:
                    return []
                schema = resolve(task).payload_schema
                return [(task.id, 1, json.dumps(schema), list(task.sensitive))]
            case "send/task_names":
                return [(name,) for task in self._config.tasks.values() for name in (task.id, *task.aliases)]
            case "send/one":
                self._note(params["task"], json.loads(params["payload"]), json.loads(params["options"]))
                return [(None,)]
            case "send/many":
                options, payloads = json.loads(params["options"]), json.loads(params["payloads"])
                for payload, key in zip(payloads, params["keys"] or [None] * len(payloads), strict=True):
                    self._note(params["task"], payload, options if key is None else {**options, "key": key})
                return [(None,)]
            case "batch/open" | "batch/close" | "event/emit":
                return [(True,)]
        raise NotImplementedError("expected send or send_many while sent_jobs is in place, got another call")

    def _note(self, task: str, payload: dict[str, Any], options: dict[str, Any]) -> None:
        self.append(SentCall(task, payload, {name: value for name, value in options.items() if name not in _OURS}))

    @contextmanager
    def standing_in(self) -> Iterator[SentJobs]:
        """Record all jobs that this process sends. No job reaches a database, not even with ``connection``."""
        before, drivers.stand_in = drivers.stand_in, Database(id(self), self._execute)
        try:
            yield self
        finally:
            drivers.stand_in = before
