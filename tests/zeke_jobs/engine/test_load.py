from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from zeke_jobs.claims import Claim
from zeke_jobs.load import Load

if TYPE_CHECKING:
    import pytest


def worked(load: Load, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Claim(uuid4(), 1, "t", 0, 0, 0, 1, None, None, received=0.0)
    claim.started = 100.0
    monkeypatch.setattr("time.monotonic", lambda: 100.0 + seconds)
    load.done(claim)


def test_an_unknown_load_claims_one_job_a_thread() -> None:
    load = Load(8)
    assert load.room() == 8
    for _ in range(3):
        load.take()
    assert load.room() == 5


def test_long_jobs_are_never_claimed_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load(8)
    for _ in range(8):
        load.take()
    worked(load, 1.0, monkeypatch)
    assert load.room() == 1


def test_short_jobs_are_claimed_ahead_by_what_starts_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load(8)
    load.take()
    worked(load, 2**-10, monkeypatch)
    assert load.room() == 8 + 245


def test_one_long_job_ends_claiming_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    load = Load(8)
    for seconds in (0.001, 0.001, 0.5):
        load.take()
        worked(load, seconds, monkeypatch)
    assert load.room() == 8


def test_a_job_handed_back_unstarted_frees_its_place_and_teaches_nothing() -> None:
    load = Load(2)
    load.take()
    load.done(Claim(uuid4(), 1, "t", 0, 0, 0, 1, None, None))
    assert load.room() == 2
