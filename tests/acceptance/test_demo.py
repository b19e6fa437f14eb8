"""The demo as a newcomer runs it: real processes, a server of its own, its output and its end."""

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.fleet import ROOT, Command, launch

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

Start = Callable[..., Command]


@pytest.fixture
def data() -> Iterator[str]:
    """The folder of the demo's data."""
    # Not below pytest's own folder: that one is closed to the unprivileged user that the server runs as for root.
    folder = Path(tempfile.mkdtemp(prefix="zeke-demo-"))
    folder.chmod(0o711)
    yield str(folder)
    shutil.rmtree(folder)


@pytest.fixture
def start(data: str, tmp_path: Path) -> Start:
    """Starts the demo beside an address of another database, with addresses of feeds."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZEKE_JOBS_")}
    foreign = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/not-the-demos-database", "ZEKE_JOBS_DATA": data}

    def start(*feeds: str) -> Command:
        log = tmp_path / f"demo-{len(feeds)}.log"
        return launch(log, sys.executable, "-m", "actors.demo", *feeds, cwd=ROOT, env=kept | foreign)

    return start


def processes_of(data: str) -> list[str]:
    """Command lines of all processes that belong to this run: by its data folder in command, environment or cwd."""
    found = []
    for process in psutil.process_iter():
        try:
            marks = [" ".join(process.cmdline()), process.environ().get("ZEKE_JOBS_DATA", ""), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(data in mark for mark in marks):
            found.append(marks[0])
    return found


def test_a_feed_becomes_a_brief_in_under_a_minute_and_a_second_run_starts_afresh(start: Start, data: str) -> None:
    begin = time.monotonic()
    demo = start()
    assert demo.wait(170) == 0, demo.text()
    assert time.monotonic() - begin < 60
    for expected in (
        "Kestrel 3.0 removes the callback API", "$ zeke-news story ", "1 not_found", "1 too_short", "All checks hold",
        "What to try next",
    ):  # fmt: skip
        assert expected in demo.text()
    assert processes_of(data) == []
    # Of a feed that is none the second run gives the reason, and it knows no other.
    demo = start("http://127.0.0.1:9/feed.xml")
    assert demo.wait(170) == 1
    assert "every feed was read: expected 1, got 0" in demo.text()
    assert "http://127.0.0.1:9/feed.xml" in demo.text()
    assert "Kestrel" not in demo.text()
    assert processes_of(data) == []


def test_interrupted_it_leaves_no_process_behind(start: Start, data: str) -> None:
    demo = start()
    demo.wait_for("ingest-pull")
    assert demo.stop(60, signal.SIGINT) == 130
    assert "Interrupted" in demo.text()
    assert "The end of the log" not in demo.text()
    assert processes_of(data) == []
