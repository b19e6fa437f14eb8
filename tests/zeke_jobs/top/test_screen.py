"""Keys select and open rows; no command runs unconfirmed. The screen fits any size; 80x24 and 160x50 are readable."""

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
from zeke_jobs.top import app
from zeke_jobs.top.panes import PANES, Board
from zeke_jobs.top.screen import Command, View, draw, place, press

MANY = tuple(task(f"task-with-a-rather-long-name-{n}", queued=n) for n in range(60))
MANY_TASKS = replace(BOARD, tasks=MANY)
NOTHING = Board(now=BOARD.now, environment=None, revision=0, beat_on=None)


def shown(view: View | None = None, board: Board = BOARD, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, file=io.StringIO(), force_terminal=True, record=True)
    console.print(draw(board, view or View(), width, height))
    return [line.rstrip() for line in console.export_text().splitlines()]


@each(
    "board width height",
    *((BOARD, *size) for size in ((80, 24), (80, 38), (109, 24), (140, 38), (250, 90))),
    (MANY_TASKS, 80, 24), (MANY_TASKS, 250, 90), (NOTHING, 80, 24),
)  # fmt: skip
def test_every_line_fits_at_every_size(board: Board, width: int, height: int) -> None:
    for number, pane in enumerate(PANES, 1):
        lines = shown(View(pane=pane), board, width, height)
        assert len(lines) == height, pane
        assert max(map(cell_len, lines)) <= width, pane
        assert lines[-1].endswith("q quit"), pane
        assert any(line.startswith(f"{number} {pane}") for line in lines) or (width, height) != (80, 24)


def test_the_first_line_says_what_is_missing_the_last_what_is_asked_and_the_chosen_row_and_the_keys_are_shown() -> None:
    view = View(selected={"tasks": MANY[-1].task})
    assert any(line.startswith("  task-with-a-rather") and line.endswith(" 59") for line in shown(view, MANY_TASKS))
    assert "60 of 60" in "\n".join(shown(view, MANY_TASKS))
    board = replace(BOARD, beat_on=None)
    assert "no scheduler" in shown(board=board, width=120)[0]
    assert "no scheduler" not in shown(board=replace(board, schedules=()), width=120)[0]
    assert shown(width=60, height=10)[0] == "expected a terminal of 80 by 24 characters, got 60 by 10"
    asking = View(asking=Command("pause", "task/analyze-story"))
    assert shown(asking)[-1] == " pause task/analyze-story?  y: yes, any other key: no"
    assert shown(View(said="task/analyze-story is paused"))[-1] == " task/analyze-story is paused"
    lines = shown(View(helps=True))
    assert "! a task whose oldest due job waits longer than its max_wait    ‖ a paused one" in lines
    assert not any(line.endswith("…") for line in lines)
    assert set(PANES) <= set(" ".join(lines[:6]).replace(",", "").split())


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


@pytest.mark.parametrize(("width", "height"), pictures.SIZES)
def test_the_pictures_of_the_docs_are_what_is_drawn(width: int, height: int) -> None:
    text, _ = pictures.picture(width, height)
    stored = pictures.FOLDER / f"top-{width}x{height}.txt"
    hint = "run: python -m tests.zeke_jobs.top.pictures"
    assert stored.read_text(encoding="utf-8") == text, hint
    svg = stored.with_suffix(".svg").read_text(encoding="utf-8")
    assert all(one.task.replace(" ", "&#160;") in svg for one in TASKS), hint
    assert "url(" not in svg.replace("url(#", ""), "a picture must not load anything from elsewhere"


def chosen(view: View, board: Board = BOARD) -> str:
    pane = PANES[view.pane]
    return pane.keys(board)[place(view, pane, board)]


def after(keys: str, view: View | None = None, board: Board = BOARD) -> tuple[View, list[Command]]:
    view = view or View(selected={"tasks": board.tasks[0].task} if board.tasks else {})
    done = []
    for key in keys.split():
        view, command = press(view, key, board)
        done += [command] if command else []
    return view, done


@each(
    "keys command",
    ("p", Command("pause", "task/ingest-pull")),
    ("2 c", Command("cancel", str(job(1)))),
    ("2 j j p", Command("pause", "task/story-summarize")),
    ("3 c", Command("cancel", str(job(20)))),
    ("3 end t", Command("retry", str(job(24)))),
    ("4 down t", Command("retry", str(job(41)))),
    ("4 p", Command("pause", "task/fetch-content")),
    ("5 p", Command("pause", "schedule/ingest-pull")),
    ("2 enter c", Command("cancel", str(job(1)))),
    *((keys, None) for keys in ("2 t", "4 c", "7 p", "5 c", "x", "9", "0")),  # They make no sense in their pane.
)
def test_a_command_is_about_the_chosen_row_and_is_asked_once(keys: str, command: Command | None) -> None:
    view, done = after(keys)
    assert (view.asking, done) == (command, [])
    if command is None:
        return
    assert after("y", view)[1] == [command]
    for key in ("n", "escape", "q", "enter", "p", "down"):
        refused, nothing = after(key, view)
        assert (refused.asking, refused.said, refused.quits, nothing) == (None, "nothing was changed", False, [])
    assert after("y", refused)[1] == []


def test_a_choice_stays_with_its_row_stops_at_both_ends_and_panes_are_reached_by_number_and_by_tab() -> None:
    view, _ = after("2 down")
    assert chosen(view) == chosen(view, replace(BOARD, running=BOARD.running[1:])) == str(job(2))
    assert chosen(view, replace(BOARD, running=BOARD.running[2:])) == str(job(3))
    empty, done = after("2 down c enter", board=replace(BOARD, running=()))
    assert (empty.asking, empty.opened, done) == (None, None, [])
    assert chosen(after("up")[0]) == "ingest-pull"
    last, _ = after("end down page-down")
    assert (chosen(last), chosen(after("page-up home", last)[0])) == ("send-digest", "ingest-pull")
    shown = replace(BOARD, waiting_of=BOARD.tasks[2].task)  # At first the task is selected whose jobs are shown.
    assert chosen(View(), shown) == BOARD.tasks[2].task
    assert chosen(after("up", View(), shown)[0], shown) == BOARD.tasks[1].task
    for keys, pane in (("tab", "running"), ("shift-tab", "workers"), ("7 tab", "tasks"), ("4", "failed")):
        assert after(keys)[0].pane == pane
    view, _ = after("?")
    closed, _ = after("q", view)
    assert (view.helps, closed.helps, closed.quits) == (True, False, False)


def test_enter_leads_to_the_jobs_of_a_task_and_opens_a_job_and_escape_leads_back_and_out() -> None:
    view, _ = after("down down")
    assert (view.task, view.pane) == ("ingest-oneoff", "tasks")
    view, _ = after("enter", view)
    assert (view.task, view.pane) == ("ingest-oneoff", "waiting")
    view, _ = after("down escape", view)
    assert (view.pane, view.quits) == ("tasks", False)
    assert after("escape", view)[0].quits
    assert after("5 enter escape")[0].pane == "schedules"
    assert after("5 enter q")[0].quits
    assert after("5 enter 6 escape")[0].quits
    view, _ = after("2 down enter down")
    assert (view.opened, view.scroll) == (job(2), 1)
    view, _ = after("escape", view)
    assert (view.opened, view.scroll, view.quits) == (None, 0, False)
    assert after("escape", view)[0].quits


@each(
    "data names",
    (b"py", ["p", "y"]),
    (b"\x1bq", ["escape", "q"]),
    (b"\x1b[A\x1b[B\x1bOC\x1b[D", ["up", "down", "right", "left"]),
    (b"\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["page-up", "page-down", "home", "end"]),
    (b"\t\x1b[Z\r\n\x7f\x1b", ["tab", "shift-tab", "enter", "enter", "backspace", "escape"]),
    (b"\x1b[1;5A?\x1b[200~\x00\x01", ["?"]),
    ("é".encode(), ["é"]),
)
def test_keys_are_named_and_what_means_nothing_is_left_out(data: bytes, names: list[str]) -> None:
    assert app.key_names(data) == names
