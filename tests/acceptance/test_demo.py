"""A newcomer runs the demo: the tests check its processes, its server, its output and its end."""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fleet import ROOT, Command, bare_environment, launch, open_folder, processes_in

Start = Callable[..., Command]


@pytest.fixture
def data() -> Iterator[Path]:
    with open_folder("demo") as folder:
        yield folder


@pytest.fixture
def start(data: Path, tmp_path: Path) -> Start:
    """Start the demo with addresses of feeds, and with the address of another database in the environment."""
    foreign = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/not-the-demos-database", "ZEKE_JOBS_DATA": str(data)}

    def start(*feeds: str) -> Command:
        log = tmp_path / f"demo-{len(feeds)}.log"
        return launch(log, sys.executable, "-m", "actors.demo", *feeds, cwd=ROOT, env=bare_environment() | foreign)

    return start


def test_a_feed_becomes_a_brief_in_under_a_minute_and_a_second_run_starts_afresh(start: Start, data: Path) -> None:
    begin = time.monotonic()
    demo = start()
    assert demo.wait(170) == 0, demo.text()
    assert time.monotonic() - begin < 60
    for expected in (
        "Kestrel 3.0 removes the callback API", "$ zeke-news story ", "1 not_found", "1 too_short", "All checks hold",
        "What to try next",
    ):  # fmt: skip
        assert expected in demo.text()
    assert processes_in(data) == []
    # The second run reports why an address is no feed, and remembers no earlier feed.
    demo = start("http://127.0.0.1:9/feed.xml")
    assert demo.wait(170) == 1
    assert "every feed was read: expected 1, got 0" in demo.text()
    assert "http://127.0.0.1:9/feed.xml" in demo.text()
    assert "Kestrel" not in demo.text()
    assert processes_in(data) == []


def test_interrupted_it_leaves_no_process_behind(start: Start, data: Path) -> None:
    demo = start()
    demo.wait_for("ingest-pull")
    assert demo.stop(60, signal.SIGINT) == 130
    assert "Interrupted" in demo.text()
    assert "The end of the log" not in demo.text()
    assert processes_in(data) == []
