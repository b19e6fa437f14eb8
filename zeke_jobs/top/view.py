"""The state of the screen (selection, question, opened job), and the effect of each key on it. Pure."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from zeke_jobs.top import panes
from zeke_jobs.top.board import Board

Verb = Literal["pause", "resume", "cancel", "retry"]
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "page-up": -10, "page-down": 10}
_ENDS = {"home": 0, "g": 0, "end": -1, "G": -1}


@dataclass(frozen=True, slots=True)
class Command:
    """A change of the system; the user must confirm it."""

    verb: Verb
    target: str


@dataclass(frozen=True, slots=True)
class View:
    """The state of one user's screen.

    Attributes:
        selected: The selected row of each pane, by key; if it is gone, the row in its place.
    """

    pane: str = "tasks"  # the pane that receives the keys
    selected: dict[str, str] = field(default_factory=dict)
    task: str = ""  # the task whose waiting jobs are shown; empty: the busiest
    asking: Command | None = None  # the command that waits for a yes
    opened: UUID | None = None
    scroll: int = 0  # the first line shown of the opened job
    helps: bool = False
    said: str = ""
    quits: bool = False


def press(view: View, key: str, board: Board) -> tuple[View, Command | None]:
    """The view after a key, and the command that the key confirmed, if any."""
    if view.asking is not None:
        if key in ("y", "Y"):
            return replace(view, asking=None, said=""), view.asking
        return replace(view, asking=None, said="nothing was changed"), None
    view = replace(view, said="")
    if view.helps:
        return replace(view, helps=False), None
    if key == "?":
        return replace(view, helps=True), None
    if view.opened is not None:
        return _in_job(view, key, view.opened), None
    return _in_panes(view, key, board), None


def _in_job(view: View, key: str, job: UUID) -> View:
    match key:
        case "escape" | "q" | "enter" | "backspace" | "left":
            return replace(view, opened=None, scroll=0)
        case "c":
            return replace(view, asking=Command("cancel", str(job)))
        case "t":
            return replace(view, asking=Command("retry", str(job)))
        case _ if key in _STEPS:
            return replace(view, scroll=max(0, view.scroll + _STEPS[key]))
    return view


def _in_panes(view: View, key: str, board: Board) -> View:
    names = [pane.name for pane in panes.PANES]
    match key:
        case "q" | "escape":
            return replace(view, quits=True)
        case "tab" | "right":
            return replace(view, pane=names[(names.index(view.pane) + 1) % len(names)])
        case "shift-tab" | "left":
            return replace(view, pane=names[(names.index(view.pane) - 1) % len(names)])
        case _ if key.isdigit() and 0 < int(key) <= len(names):
            return replace(view, pane=names[int(key) - 1])
        case _ if key in _STEPS or key in _ENDS:
            return _move(view, key, board)
    pane = panes.by_name(view.pane)
    keys = pane.keys(board)
    return _on_row(view, key, pane.rows(board)[place(view, view.pane, keys, board)], board) if keys else view


def _on_row(view: View, key: str, chosen: Any, board: Board) -> View:
    pane = panes.by_name(view.pane)
    subject = str(getattr(chosen, pane.key))
    match key:
        case "enter" if pane.name in ("tasks", "schedules"):
            return replace(view, pane="waiting", task=subject)
        case "enter" if pane.holds_jobs:
            return replace(view, opened=chosen.id, scroll=0)
        case "p" | "r" if (target := pane.target(chosen, board)) is not None:
            return replace(view, asking=Command("pause" if key == "p" else "resume", target))
        case "c" if pane.holds_jobs and pane.name != "failed":
            return replace(view, asking=Command("cancel", subject))
        case "t" if pane.holds_jobs and pane.name != "running":
            return replace(view, asking=Command("retry", subject))
    return view


def _move(view: View, key: str, board: Board) -> View:
    keys = panes.by_name(view.pane).keys(board)
    if not keys:
        return view
    at = place(view, view.pane, keys, board) + _STEPS[key] if key in _STEPS else _ENDS[key] % len(keys)
    chosen = keys[min(max(at, 0), len(keys) - 1)]
    moved = replace(view, selected={**view.selected, view.pane: chosen})
    return replace(moved, task=chosen) if view.pane == "tasks" else moved


def place(view: View, pane: str, keys: list[str], board: Board) -> int:
    """Position of a pane's selected row; the first row if it is gone. At first the task is selected whose jobs are shown."""
    chosen = view.selected.get(pane, board.waiting_of if pane == "tasks" else None)
    return keys.index(chosen) if chosen in keys else 0
