"""Each diagnostic reads as its golden file says. ``UPDATE_GOLDEN=1`` writes them anew; read what changed."""

import os
from pathlib import Path

import pytest

from zeke_jobs.config import check

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(GOLDEN.glob("*.yaml"))
UPDATE = bool(os.environ.get("UPDATE_GOLDEN"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_reads_as_written_down(case: Path) -> None:
    config, found = check(case.read_bytes().decode(), "jobs.yaml")
    text = "\n\n".join(map(str, found)) + "\n"
    written = case.with_suffix(".txt")
    if UPDATE:
        written.write_text(text, encoding="utf-8")
    assert config is None
    assert text == written.read_text(encoding="utf-8")
