"""Keys move the selection, ask and open; no command runs without a confirmation."""

from dataclasses import replace

from tests.each import each
from tests.zeke_jobs.top.sample import BOARD, job
from zeke_jobs.top import app
from zeke_jobs.top.panes import PANES, Board
from zeke_jobs.top.screen import Command, View, place, press


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
    ("keys", "command"),
    [
        ("p", Command("pause", "task/ingest-pull")),
        ("down down r", Command("resume", "task/ingest-oneoff")),
        ("2 c", Command("cancel", str(job(1)))),
        ("2 j j p", Command("pause", "task/story-summarize")),
        ("3 c", Command("cancel", str(job(20)))),
        ("3 p", Command("pause", "task/extract-highlights")),
        ("3 end t", Command("retry", str(job(24)))),
        ("4 down t", Command("retry", str(job(41)))),
        ("4 p", Command("pause", "task/fetch-content")),
        ("5 p", Command("pause", "schedule/ingest-pull")),
        ("6 r", Command("resume", "limit/ai")),
        ("2 enter c", Command("cancel", str(job(1)))),
        ("4 enter t", Command("retry", str(job(40)))),
    ],
)
def test_a_command_is_about_the_chosen_row_and_is_asked_once(keys: str, command: Command) -> None:
    view, done = after(keys)
    assert (view.asking, done) == (command, [])
    assert after("y", view)[1] == [command]
    for key in ("n", "escape", "q", "enter", "p", "down"):
        refused, nothing = after(key, view)
        assert (refused.asking, refused.said, refused.quits, nothing) == (None, "nothing was changed", False, [])
    assert after("y", refused)[1] == []


@each("keys", ["2 t", "4 c", "7 p", "5 c", "x", "9", "0"])
def test_what_makes_no_sense_in_a_pane_does_nothing(keys: str) -> None:
    view, done = after(keys)
    assert (view.asking, done) == (None, [])


def test_a_choice_stays_with_its_row_and_stops_at_both_ends() -> None:
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


def test_panes_are_reached_by_number_and_by_tab_and_any_key_ends_the_help() -> None:
    for keys, pane in (("tab", "running"), ("shift-tab", "workers"), ("7 tab", "tasks"), ("4", "failed")):
        assert after(keys)[0].pane == pane
    view, _ = after("?")
    closed, _ = after("q", view)
    assert (view.helps, closed.helps, closed.quits) == (True, False, False)


@each(
    ("data", "names"),
    [
        (b"py", ["p", "y"]),
        (b"\x1bq", ["escape", "q"]),
        (b"\x1b[A\x1b[B\x1bOC\x1b[D", ["up", "down", "right", "left"]),
        (b"\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["page-up", "page-down", "home", "end"]),
        (b"\t\x1b[Z\r\n\x7f\x1b", ["tab", "shift-tab", "enter", "enter", "backspace", "escape"]),
        (b"\x1b[1;5A?\x1b[200~\x00\x01", ["?"]),
        ("é".encode(), ["é"]),
    ],
)
def test_keys_are_named_and_what_means_nothing_is_left_out(data: bytes, names: list[str]) -> None:
    assert app.key_names(data) == names
