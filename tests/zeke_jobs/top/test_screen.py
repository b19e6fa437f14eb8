"""The drawn screen fits terminals of every size, and is readable at 80 by 24 and at 160 by 50."""

import io
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.each import each
from tests.zeke_jobs.top import pictures
from tests.zeke_jobs.top.sample import BOARD, TASKS, job, task
from zeke_jobs.diagnosis import ends, reasons
from zeke_jobs.diagnosis.why import Explanation
from zeke_jobs.postgres.queries import Row
from zeke_jobs.top.panes import PANES, Board
from zeke_jobs.top.screen import Command, View, draw

MANY = tuple(task(f"task-with-a-rather-long-name-{n}", queued=n) for n in range(60))
MANY_TASKS = replace(BOARD, tasks=MANY)
NOTHING = Board(now=BOARD.now, environment=None, revision=0, beat_on=None)


def shown(view: View | None = None, board: Board = BOARD, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, record=True)
    console.print(draw(board, view or View(), width, height))
    return [line.rstrip() for line in console.export_text().splitlines()]


@each(
    ("board", "width", "height"),
    [
        *((BOARD, *size) for size in ((80, 24), (80, 38), (109, 24), (140, 38), (250, 90))),
        (MANY_TASKS, 80, 24), (MANY_TASKS, 250, 90), (NOTHING, 80, 24),
    ],
)  # fmt: skip
def test_every_line_fits_at_every_size(board: Board, width: int, height: int) -> None:
    for number, pane in enumerate(PANES, 1):
        lines = shown(View(pane=pane), board, width, height)
        assert len(lines) == height, pane
        assert max(map(cell_len, lines)) <= width, pane
        assert lines[-1].endswith("q quit"), pane
        assert any(line.startswith(f"{number} {pane}") for line in lines) or (width, height) != (80, 24)


def test_the_chosen_row_is_always_among_those_shown() -> None:
    view = View(selected={"tasks": MANY[-1].task})
    assert any(line.startswith("  task-with-a-rather") and line.endswith(" 59") for line in shown(view, MANY_TASKS))
    assert "60 of 60" in "\n".join(shown(view, MANY_TASKS))


def test_the_first_line_says_what_is_missing_and_the_last_what_is_asked_and_done() -> None:
    board = replace(BOARD, beat_on=None)
    assert "no scheduler" in shown(board=board, width=120)[0]
    assert "no scheduler" not in shown(board=replace(board, schedules=()), width=120)[0]
    assert shown(width=60, height=10)[0] == "expected a terminal of 80 by 24 characters, got 60 by 10"
    asking = View(asking=Command("pause", "task/analyze-story"))
    assert shown(asking)[-1] == " pause task/analyze-story?  y: yes, any other key: no"
    assert shown(View(said="task/analyze-story is paused"))[-1] == " task/analyze-story is paused"


def test_an_opened_job_says_why_and_can_be_scrolled() -> None:
    paused = Row(
        target="task/analyze-story", paused_by="ann@desk", paused_on=BOARD.now, reason="the model is down", ends_on=None, set_key=None,
    )  # fmt: skip
    tried = (ends.attempted({"attempt": n, "outcome": "failed", "reason": "no route " * 30}) for n in range(20))
    found = Explanation(job(1), "analyze-story", "created", (reasons.paused(paused, BOARD.now),), tuple(tried))
    board = replace(BOARD, opened=found)
    lines = shown(View(opened=job(1)), board)
    assert lines[1] == f"analyze-story {job(1)} created"
    assert "is paused by ann@desk" in lines[3]
    assert lines[5].strip() == "zeke-jobs resume task/analyze-story"
    assert shown(View(opened=job(1), scroll=3), board)[1] == lines[4]
    assert "attempt 19" in "\n".join(shown(View(opened=job(1), scroll=999), board))


def test_the_keys_are_explained_within_80_columns() -> None:
    lines = shown(View(helps=True))
    assert "! a task whose oldest due job waits longer than its max_wait    ‖ a paused one" in lines
    assert not any(line.endswith("…") for line in lines)
    assert set(PANES) <= set(" ".join(lines[:6]).replace(",", "").split())


@pytest.mark.parametrize(("width", "height"), pictures.SIZES)
def test_the_pictures_of_the_docs_are_what_is_drawn(width: int, height: int) -> None:
    text, _ = pictures.picture(width, height)
    stored = pictures.FOLDER / f"top-{width}x{height}.txt"
    hint = "run: python -m tests.zeke_jobs.top.pictures"
    assert stored.read_text(encoding="utf-8") == text, hint
    svg = stored.with_suffix(".svg").read_text(encoding="utf-8")
    assert all(one.task.replace(" ", "&#160;") in svg for one in TASKS), hint
    assert "url(" not in svg.replace("url(#", ""), "a picture must not load anything from elsewhere"
