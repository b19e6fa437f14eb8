"""Keys move the selection, ask and open; no command runs without a confirmation."""

from dataclasses import replace

import pytest

from tests.zeke_jobs.top.sample import BOARD, job
from zeke_jobs.top import app
from zeke_jobs.top.panes import PANES, Board
from zeke_jobs.top.screen import Command, View, place, press


def selected_key(view: View, board: Board) -> str:
    pane = PANES[view.pane]
    return pane.keys(board)[place(view, pane, board)]


def after(*keys: str, view: View | None = None, board: Board = BOARD) -> tuple[View, list[Command]]:
    view = view or View(selected={"tasks": board.tasks[0].task} if board.tasks else {})
    done = []
    for key in keys:
        view, command = press(view, key, board)
        done += [command] if command else []
    return view, done


@pytest.mark.parametrize(
    ("keys", "command"),
    [
        (("p",), Command("pause", "task/ingest-pull")),
        (("down", "down", "r"), Command("resume", "task/ingest-oneoff")),
        (("2", "c"), Command("cancel", str(job(1)))),
        (("2", "j", "j", "p"), Command("pause", "task/story-summarize")),
        (("3", "c"), Command("cancel", str(job(20)))),
        (("3", "p"), Command("pause", "task/extract-highlights")),
        (("3", "end", "t"), Command("retry", str(job(24)))),
        (("4", "down", "t"), Command("retry", str(job(41)))),
        (("4", "p"), Command("pause", "task/fetch-content")),
        (("5", "p"), Command("pause", "schedule/ingest-pull")),
        (("6", "r"), Command("resume", "limit/ai")),
        (("2", "enter", "c"), Command("cancel", str(job(1)))),
        (("4", "enter", "t"), Command("retry", str(job(40)))),
    ],
)
def test_a_command_is_about_the_chosen_row_and_is_asked_once(keys: tuple[str, ...], command: Command) -> None:
    view, done = after(*keys)
    assert (view.asking, done) == (command, [])
    assert after("y", view=view)[1] == [command]
    refused, nothing = after("n", view=view)
    assert (refused.asking, refused.said, nothing) == (None, "nothing was changed", [])
    assert after("y", view=refused)[1] == []


def test_only_yes_is_a_yes() -> None:
    for key in ("escape", "q", "enter", "p", "down", " "):
        view, done = after("p", key)
        assert (view.asking, view.quits, done) == (None, False, [])


def test_what_makes_no_sense_in_a_pane_does_nothing() -> None:
    for keys in (("2", "t"), ("4", "c"), ("7", "p"), ("5", "c"), ("x",), ("9",), ("0",)):
        view, done = after(*keys)
        assert (view.asking, done) == (None, [])


def test_a_choice_stays_with_its_row_when_others_come_before_it() -> None:
    view, _ = after("2", "down")
    fewer = replace(BOARD, running=BOARD.running[1:])
    assert selected_key(view, BOARD) == selected_key(view, fewer) == str(job(2))
    gone = replace(BOARD, running=BOARD.running[2:])
    assert selected_key(view, gone) == str(job(3))


def test_nothing_can_be_chosen_where_there_is_nothing() -> None:
    empty = replace(BOARD, running=())
    view, done = after("2", "down", "c", "enter", board=empty)
    assert (view.asking, view.opened, done) == (None, None, [])


def test_moving_stops_at_both_ends() -> None:
    assert selected_key(after("up")[0], BOARD) == "ingest-pull"
    view, _ = after("end", "down", "page-down")
    assert selected_key(view, BOARD) == "send-digest"
    assert selected_key(after("page-up", "home", view=view)[0], BOARD) == "ingest-pull"


def test_the_waiting_jobs_follow_the_chosen_task_and_enter_leads_to_them() -> None:
    view, _ = after("down", "down")
    assert (view.task, view.pane) == ("ingest-oneoff", "tasks")
    view, _ = after("enter", view=view)
    assert (view.task, view.pane) == ("ingest-oneoff", "waiting")
    view, _ = after("down", "escape", view=view)
    assert (view.pane, view.quits) == ("tasks", False)
    assert after("escape", view=view)[0].quits
    assert after("5", "enter", "escape")[0].pane == "schedules"
    assert after("5", "enter", "q")[0].quits


def test_enter_opens_a_job_and_escape_leads_back_and_out() -> None:
    view, _ = after("2", "down", "enter", "down")
    assert (view.opened, view.scroll) == (job(2), 1)
    view, _ = after("escape", view=view)
    assert (view.opened, view.scroll, view.quits) == (None, 0, False)
    assert after("escape", view=view)[0].quits


def test_panes_are_reached_by_number_and_by_tab_and_any_key_ends_the_help() -> None:
    for keys, pane in ((("tab",), "running"), (("shift-tab",), "workers"), (("7", "tab"), "tasks"), (("4",), "failed")):
        assert after(*keys)[0].pane == pane
    view, _ = after("?")
    assert view.helps
    view, _ = after("q", view=view)
    assert (view.helps, view.quits) == (False, False)


def test_at_first_the_task_is_selected_whose_jobs_are_shown() -> None:
    shown = replace(BOARD, waiting_of=BOARD.tasks[2].task)
    assert selected_key(View(), shown) == BOARD.tasks[2].task
    assert selected_key(after("up", view=View(), board=shown)[0], shown) == BOARD.tasks[1].task


def test_keys_are_named_and_what_means_nothing_is_left_out() -> None:
    names = {
        b"p": ["p"],
        b"py": ["p", "y"],
        b"\x1b": ["escape"],
        b"\x1b[A\x1b[B": ["up", "down"],
        b"\x1bOC\x1b[D": ["right", "left"],
        b"\x1b[5~\x1b[6~\x1b[H\x1b[4~": ["page-up", "page-down", "home", "end"],
        b"\t\x1b[Z\r\n\x7f": ["tab", "shift-tab", "enter", "enter", "backspace"],
        b"\x1b[1;5A?": ["?"],
        b"\x1b[200~": [],
        "é".encode(): ["é"],
        b"\x00\x01": [],
        b"\x1bq": ["escape", "q"],
    }
    assert {data: app.key_names(data) for data in names} == names
