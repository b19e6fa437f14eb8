"""The jobs.yaml files of these tests use sample handlers and services, and a secret in the environment."""

from pathlib import Path

import pytest

from tests.zeke_jobs.commands import Patch

SAMPLES = Path(__file__).parent / "samples"
SECRET = "hunter2-correct-horse"


@pytest.fixture(autouse=True)
def samples(monkeypatch: Patch) -> Path:
    """Run in the folder of the samples, make them importable, and set ``SAMPLE_SECRET``."""
    monkeypatch.syspath_prepend(SAMPLES)
    monkeypatch.chdir(SAMPLES)
    monkeypatch.setenv("SAMPLE_SECRET", SECRET)
    monkeypatch.delenv("SAMPLE_NOT_SET", raising=False)
    return SAMPLES
