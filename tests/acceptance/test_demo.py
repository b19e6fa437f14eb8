"""The demo as a newcomer runs it: real processes, a server of its own, its output and its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    # Not below pytest's own folder: that one is closed to the unprivileged user that the server runs as for root.
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="zeke-demo-"))
    folder.chmod(0o711)
    foreign = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/not-the-demos-database"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ZEKE_JOBS_")}
    yield {**kept, **foreign, "ZEKE_JOBS_DATA": str(folder)}
    shutil.rmtree(folder)


def start(env: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "actors.demo", *arguments],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes_of(env: dict[str, str]) -> list[str]:
    """Command lines of all processes that belong to this run: by its data folder in command, environment or cwd."""
    found = []
    for process in psutil.process_iter():
        try:
            marks = [" ".join(process.cmdline()), process.environ().get("ZEKE_JOBS_DATA", ""), process.cwd()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(env["ZEKE_JOBS_DATA"] in mark for mark in marks):
            found.append(marks[0])
    return found


def test_a_feed_becomes_a_brief_in_under_a_minute_and_a_second_run_starts_afresh(env: dict[str, str]) -> None:
    begin = time.monotonic()
    with start(env) as demo:
        text, _ = demo.communicate()
    assert demo.returncode == 0, text
    assert time.monotonic() - begin < 60
    for expected in (
        "Kestrel 3.0 removes the callback API",
        "$ zeke-news story ",
        "1 not_found",
        "1 too_short",
        "All checks hold",
        "What to try next",
    ):
        assert expected in text
    assert processes_of(env) == []
    # Of a feed that is none the second run gives the reason, and it knows no other.
    with start(env, "http://127.0.0.1:9/feed.xml") as demo:
        text, _ = demo.communicate()
    assert demo.returncode == 1
    assert "every feed was read: expected 1, got 0" in text
    assert "http://127.0.0.1:9/feed.xml" in text
    assert "Kestrel" not in text
    assert processes_of(env) == []


def wait_for(demo: "subprocess.Popen[str]", words: str) -> str:
    assert demo.stdout is not None
    seen = ""
    for line in demo.stdout:
        seen += line
        if words in line:
            return seen
    raise AssertionError(seen)


def test_interrupted_it_leaves_no_process_behind(env: dict[str, str]) -> None:
    with start(env) as demo:
        wait_for(demo, "ingest-pull")
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "Interrupted" in rest
    assert "The end of the log" not in rest
    assert processes_of(env) == []
