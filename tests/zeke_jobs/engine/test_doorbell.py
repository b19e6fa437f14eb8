from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from zeke_jobs.doorbell import Doorbell

if TYPE_CHECKING:
    import pytest


def test_a_doorbell_in_which_something_broke_is_tried_again(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zeke_jobs.doorbell._PAUSE", 0.01)
    broken, listens = threading.Event(), threading.Event()

    def on_revision() -> None:
        if not broken.is_set():
            broken.set()
            raise RuntimeError("what nobody thought of")
        listens.set()

    bell = Doorbell(database, ["default"], lambda: None, on_revision)
    with capture_logs() as lines:
        bell.start()
        assert listens.wait(10.0)
        bell.close()
    assert [line["event"] for line in lines] == ["doorbell failed; it is tried again"]
