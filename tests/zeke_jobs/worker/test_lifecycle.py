"""The messages of a worker when dramatiq boots it."""

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
    producer: Any = MagicMock()
    life = Lifecycle(producer)
    monkeypatch.setattr(life, "_boot", MagicMock())
    with structlog.testing.capture_logs() as lines:
        life.before_worker_boot(
            SimpleNamespace(queues={"default": 1, "video": 1}),
            SimpleNamespace(consumer_whitelist=asked, worker_threads=2, worker_timeout=1000, workers=[]),
        )
    assert [line["event"] for line in lines] == told
    assert producer.process.queues == tuple(sorted(asked or {"default", "video"}))
