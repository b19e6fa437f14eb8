"""The messages of a worker when dramatiq boots it."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import structlog

from zeke_jobs.worker.lifecycle import Lifecycle


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"defualt"}, ["no task of jobs.yaml has the queue 'defualt'; did you mean 'default'?"]),
        ({"default", "video"}, []),
        (None, []),
    ],
)
def test_a_queue_that_no_task_has_is_named(
    monkeypatch: pytest.MonkeyPatch, asked: set[str] | None, told: list[str]
) -> None:
    monkeypatch.setattr(Lifecycle, "_prepare", lambda _: True)
    process: Any = MagicMock()
    life = Lifecycle(process)
    monkeypatch.setattr(life, "_boot", MagicMock())
    with structlog.testing.capture_logs() as lines:
        life.before_worker_boot(
            SimpleNamespace(queues={"default": 1, "video": 1}),
            SimpleNamespace(consumer_whitelist=asked, worker_threads=2),
        )
    assert [line["event"] for line in lines] == told
    assert process.queues == tuple(sorted(asked or {"default", "video"}))


def test_the_wait_for_a_database_is_said_at_once_and_then_ever_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    life = Lifecycle(MagicMock())
    said = []
    for second in range(1, 601):
        monkeypatch.setattr("zeke_jobs.worker.lifecycle.time.monotonic", lambda second=second: float(second))
        with structlog.testing.capture_logs() as lines:
            life._warn_of(OSError("away"))
        said += [second] * len(lines)
    assert said[:7] == [1, 3, 7, 15, 31, 63, 123]
    assert max(later - earlier for earlier, later in pairwise(said)) == 60
