from __future__ import annotations

import math
import threading
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from zeke_jobs.worker.claim.notifier import Notifier, WakeUps

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


def test_a_notifier_in_which_something_broke_is_tried_again(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.notifier._PAUSE", 0.01)
    broken, listens = threading.Event(), threading.Event()

    def on_revision() -> None:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("what nobody thought of")
        listens.set()

    notifier = Notifier(database, uuid4(), WakeUps(["default"]), lambda: None, on_revision)
    with capture_logs() as lines:
        notifier.start()
        assert listens.wait(10.0)
        notifier.close()
    assert [line["event"] for line in lines] == ["the notifier failed; it is tried again"]


def test_a_notification_wakes_the_consumer_of_its_queue_once_whatever_it_carries(
    database: str, conn: Connection
) -> None:
    listens, cancelled = threading.Event(), threading.Event()
    wake_ups = WakeUps(["default", "slow"])
    notifier = Notifier(database, uuid4(), wake_ups, cancelled.set, listens.set)
    notifier.start()
    with closing(notifier):
        assert listens.wait(10.0)
        for queue in wake_ups.queues:
            assert wake_ups.wait(queue, 10.0), "once it listens it looks for what came before"
        with conn.cursor() as cursor:
            cursor.execute("SELECT pg_notify('zeke_jobs.default', 'anything'), pg_notify('zeke_jobs.cancel', '')")
        assert wake_ups.wait("default", 10.0)
        assert cancelled.wait(10.0)
        assert not wake_ups.wait("default", 0.0), "it woke once"
        assert not wake_ups.wait("slow", 0.0)


def test_a_notification_for_another_process_wakes_later_unless_the_queue_was_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr("zeke_jobs.worker.claim.notifier.time", SimpleNamespace(monotonic=lambda: clock.now))
    ours, wake_ups = uuid4(), WakeUps(["default", "slow"])
    notifier = Notifier(None, ours, wake_ups, lambda: None, lambda: None)

    def notify(queue: str, payload: object) -> None:
        notifier._receive(SimpleNamespace(channel=f"zeke_jobs.{queue}", payload=str(payload)))  # type: ignore[arg-type]

    notify("default", ours)
    assert wake_ups.wait("default", 0.0)
    notify("default", uuid4())
    notify("slow", "later")
    assert wake_ups.wake_due() == pytest.approx(0.1)
    assert not wake_ups.wait("default", 0.0)
    wake_ups.cancel("slow")
    clock.now += 0.1
    assert wake_ups.wake_due() == math.inf
    assert wake_ups.wait("default", 0.0)
    assert not wake_ups.wait("slow", 0.0)


def test_a_queue_that_the_process_does_not_have_cannot_be_woken_now_or_later() -> None:
    wake_ups = WakeUps(["default"])
    for wake in (wake_ups.wake, wake_ups.wake_later):
        with pytest.raises(KeyError):
            wake("unknown")
    assert wake_ups.wake_due() == math.inf
