"""Each test that a page names as the proof of a guarantee exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
CHAOS = re.compile(r"`nox -s chaos -- ([a-z-]+)`")


@pytest.mark.parametrize(("page", "least"), [("reliability", 20), ("limits", 15), ("stability", 8)])
def test_the_tests_that_a_page_names_exist(page: str, least: int) -> None:
    named = NAMED.findall((DOCS / f"{page}.md").read_text(encoding="utf-8"))
    assert len(named) >= least
    assert [f"{file}::{test}" for file, test in named if not _has(TESTS / file, test)] == []


def _has(file: Path, test: str) -> bool:
    return file.is_file() and re.search(rf"^def {test}\(", file.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_each_promise_of_a_table_has_a_proof() -> None:
    page = (DOCS / "reliability.md").read_text(encoding="utf-8")
    tables = page.partition("## What is promised\n")[2].partition("\n## A job that kills")[0]
    rows = [
        line
        for line in tables.splitlines()
        if line.startswith("| ") and not line.startswith(("| promise ", "| event "))
    ]
    assert len(rows) >= 15
    assert [row for row in rows if not NAMED.search(row) and not CHAOS.search(row)] == []
