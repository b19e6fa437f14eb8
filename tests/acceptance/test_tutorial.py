"""The tests follow docs/tutorial.md, make each mistake in docs/troubleshooting.md, and run the demo."""

import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.running import Up, up_in_a_folder
from tests.fleet import ROOT, Command, bare_environment, launch, open_folder, processes_in

PAGE, MISTAKES = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("tutorial", "troubleshooting")
)
OPERATORS = "## 9. "  # The heading OPERATORS begins the part that runs in the checkout.
BLOCK = re.compile(r'(?ms)^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<body>.*?)^```$')


def commands(body: str) -> Iterator[tuple[str, str]]:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def matches(promised: str, got: str) -> bool:
    """Compare output with the page; … stands for any text, also for whole lines."""
    pattern = ".*".join(re.escape(part) for part in promised.strip().split("…"))
    return re.fullmatch(pattern, "\n" + got.strip() if promised.startswith("…") else got.strip(), re.DOTALL) is not None


def test_an_output_is_compared_with_its_gaps() -> None:
    assert matches("…\nb", "b")
    assert matches("error: … failed", "error: x y failed")
    assert not matches("error: … failed", "error: x y")
    assert not matches("a", "b")


def part(of_operators: bool) -> Iterator[tuple[str, str | None, str]]:
    developers, operators = PAGE.split(OPERATORS)
    for block in BLOCK.finditer(operators if of_operators else developers):
        yield block["language"], block["title"], block["body"]


def edit(file: Path, body: str) -> None:
    """Replace each line marked ``-`` by the next line, marked ``+``."""
    lines = body.splitlines()
    for old, new in zip(lines[::2], lines[1::2], strict=True):
        assert (old[0], new[0]) == ("-", "+")
        text = file.read_text()
        assert text.count(f"{old[1:]}\n") == 1, old
        file.write_text(text.replace(f"{old[1:]}\n", f"{new[1:]}\n"))


def play(up: Up, blocks: Iterator[tuple[str, str | None, str]]) -> int:
    """Follow the page; return the number of worker starts."""
    starts = 0
    for language, title, body in blocks:
        if language == "diff" and title:
            edit(up.folder / title, body)
        elif title:
            (up.folder / title).write_text(body)
            if starts:
                starts += 1
                up.wait_for("Worker process is ready", times=starts)
        elif language == "python":
            (promised,) = re.findall(r"# (.*)$", body)
            assert up.python(body) == promised
        elif language == "console":
            for command, output in commands(body):
                if command.startswith("zeke-jobs up"):
                    up.start(*command.split()[2:])
                    up.wait_for("Worker process is ready")
                    starts = 1
                else:
                    got = up.run(command)
                    assert matches(output, got), f"$ {command}\n{got}"
    return starts


def test_the_tutorial_does_what_it_says_and_names_the_database_before_the_program_that_needs_it() -> None:
    blocks = [(language, body) for language, _, body in part(of_operators=False)]
    program = next(place for place, (_, body) in enumerate(blocks) if "zeke_jobs.send" in body)
    assert blocks[program - 1] == ("sh", "export DATABASE_URL=…\n")
    with up_in_a_folder() as up:
        assert play(up, part(of_operators=False)) > 1
        retried = "next(job.id for job in zeke_jobs.jobs(task='greet') if job.data == {'name': 'nobody'})"
        assert up.python(f"import zeke_jobs; print(zeke_jobs.wait({retried}, timeout=30))") == "Hello?"


def test_an_operator_turns_the_pipeline_as_the_tutorial_says() -> None:
    with up_in_a_folder() as up:
        shutil.copy(ROOT / "jobs.yaml", up.folder)
        assert play(up, part(of_operators=True)) == 1
        assert (up.folder / "jobs.yaml").read_text() == (ROOT / "jobs.yaml").read_text()


NEW_DATABASE = """if True:
    import os, psycopg2
    url = os.environ["DATABASE_URL"]
    conn = psycopg2.connect(url)
    conn.autocommit = True
    conn.cursor().execute("CREATE DATABASE fresh")
    print(url.replace("/postgres?", "/fresh?"))
"""


def test_each_of_the_twenty_mistakes_is_told_as_the_page_says() -> None:
    assert [f"### {number}. " in MISTAKES for number in range(1, 22)] == [True] * 20 + [False]
    with up_in_a_folder() as up:
        for block in BLOCK.finditer(MISTAKES):
            if block["title"]:
                (up.folder / block["title"]).write_text(block["body"])
                continue
            for command, output in commands(block["body"]):
                if command == "zeke-jobs up" and not output:
                    up.start()
                    up.wait_for("Worker process is ready")
                    up.env["FRESH"] = up.python(NEW_DATABASE)
                    continue
                got = up.run(command)
                assert matches(output, got), f"$ {command}\n{got}"


# ── the demo writes a brief, and leaves no process and no server behind

Start = Callable[..., Command]


@pytest.fixture
def data() -> Iterator[Path]:
    with open_folder("demo") as folder:
        yield folder


@pytest.fixture
def start(data: Path, tmp_path: Path) -> Start:
    """Start the demo with these feeds; ``DATABASE_URL`` names another database, which the demo must not use."""
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
    # The second run reports an address without a feed, and shows no story of the first run.
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
