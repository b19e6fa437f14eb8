from __future__ import annotations

import queue
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING
from uuid import uuid4

from structlog.testing import capture_logs

from zeke_jobs.worker.claim.notifier import Notifier

if TYPE_CHECKING:
    import pytest


class Woken(SimpleNamespace):
    """As much of a producer as a notifier needs; says what woke it."""

    def __init__(self) -> None:
        self.calls: queue.Queue[tuple[str, str | None]] = queue.Queue()
        super().__init__(
            notifications_arrive=True,
            wake=lambda name=None, after=0.0: self.calls.put(("later" if after else "now", name)),
        )


def test_a_notifier_in_which_something_broke_is_tried_again(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeke_jobs.worker.claim.notifier._PAUSE", 0.01)
    broken, listens = threading.Event(), threading.Event()

    def on_revision() -> None:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("what nobody thought of")
        listens.set()

    notifier = Notifier(database, uuid4(), Woken(), lambda: None, on_revision)  # type: ignore[arg-type]
    with capture_logs() as lines:
        notifier.start()
        assert listens.wait(10.0)
        notifier.close()
    assert [line["event"] for line in lines] == ["the notifier failed; it is tried again"]
