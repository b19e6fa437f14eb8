"""Computes, in pure functions, the state of ``zeke-jobs top``'s screen, the effect of each key, and the screen's layout."""

from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import Any, Literal
from uuid import UUID

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from zeke_jobs.core.quoting import visible
from zeke_jobs.core.wording import count, span
from zeke_jobs.diagnosis.reasons import told
from zeke_jobs.diagnosis.why import Explanation
from zeke_jobs.scheduler.dispatch import SILENT_AFTER
from zeke_jobs.top.panes import PANES, Board, Pane, clock, number

Verb = Literal["pause", "resume", "cancel", "retry"]
_STEPS = {"up": -1, "k": -1, "down": 1, "j": 1, "page-up": -10, "page-down": 10}
_ENDS = {"home": 0, "g": 0, "end": -1, "G": -1}


@dataclass(frozen=True, slots=True)
class Command:
    """Describes a change that the user requested by pressing a key, and must confirm."""

    verb: Verb
    target: str


@dataclass(frozen=True, slots=True)
class View:
    """Holds the state of one user's screen."""

    pane: str = "tasks"  # the pane that receives the keys
    back: str = ""  # the pane to which escape leads back from the waiting jobs of a task
    selected: dict[str, str] = field(default_factory=dict)  # the key of each pane's selected row, by the pane's name
    task: str = ""  # the task whose waiting jobs are shown; empty: the busiest
    asking: Command | None = None  # the command that waits for a yes
    opened: UUID | None = None
    scroll: int = 0  # the first visible line of the opened job
    helps: bool = False
    said: str = ""
    quits: bool = False


def press(view: View, key: str, board: Board) -> tuple[View, Command | None]:
    """Return the view after a key was pressed. If the key confirmed a command, return it too, otherwise None."""
    if view.asking is not None:
        if key in ("y", "Y"):
            return replace(view, asking=None, said=""), view.asking
        return replace(view, asking=None, said="nothing was changed"), None
    view = replace(view, said="")
    if view.helps or key == "?":
        return replace(view, helps=not view.helps), None
    if view.opened is not None:
        return _in_job(view, key, view.opened), None
    return _in_panes(view, key, board), None


def _in_job(view: View, key: str, job: UUID) -> View:
    match key:
        case "escape" | "q" | "enter" | "backspace" | "left":
            return replace(view, opened=None, scroll=0)
        case "c" | "t":
            return replace(view, asking=Command("cancel" if key == "c" else "retry", str(job)))
        case _ if key in _STEPS:
            return replace(view, scroll=max(0, view.scroll + _STEPS[key]))
    return view


def _in_panes(view: View, key: str, board: Board) -> View:
    names, pane = list(PANES), PANES[view.pane]
    keys, at = pane.keys(board), place(view, pane, board)
    match key:
        case "escape" if view.back and view.pane == "waiting":
            return replace(view, pane=view.back, back="")
        case "q" | "escape":
            return replace(view, quits=True)
        case "tab" | "right" | "shift-tab" | "left":
            step = 1 if key in ("tab", "right") else -1
            return replace(view, pane=names[(names.index(view.pane) + step) % len(names)])
        case _ if key.isdigit() and 0 < int(key) <= len(names):
            return replace(view, pane=names[int(key) - 1])
        case _ if keys and (key in _STEPS or key in _ENDS):
            to = at + _STEPS[key] if key in _STEPS else _ENDS[key] % len(keys)
            chosen = keys[min(max(to, 0), len(keys) - 1)]
            task = chosen if view.pane == "tasks" else view.task
            return replace(view, selected={**view.selected, view.pane: chosen}, task=task)
    return _on_row(view, key, pane, pane.rows(board)[at], board) if keys else view


def _on_row(view: View, key: str, pane: Pane, chosen: Any, board: Board) -> View:
    subject = str(getattr(chosen, pane.key))
    match key:
        case "enter" if pane.name in ("tasks", "schedules"):
            return replace(view, pane="waiting", back=pane.name, task=subject)
        case "enter" if pane.holds_jobs:
            return replace(view, opened=chosen.id, scroll=0)
        case "p" | "r" if (target := pane.target(chosen, board)) is not None:
            return replace(view, asking=Command("pause" if key == "p" else "resume", target))
        case "c" if pane.holds_jobs and pane.name != "failed":
            return replace(view, asking=Command("cancel", subject))
        case "t" if pane.holds_jobs and pane.name != "running":
            return replace(view, asking=Command("retry", subject))
    return view


def place(view: View, pane: Pane, board: Board) -> int:
    """Return the index of a pane's selected row. Default: 0 or, for tasks, the task whose jobs are shown."""
    chosen, keys = view.selected.get(pane.name, board.waiting_of if pane.name == "tasks" else None), pane.keys(board)
    return keys.index(chosen) if chosen in keys else 0


LEAST = (80, 24)  # columns and lines
_TALL = 38  # minimum number of lines to show all panes at once
_WIDE = 140  # minimum number of columns to show the lower panes side by side
_ROWS = {"running": 3, "waiting": 3, "failed": 2, "schedules": 2, "limits": 1, "workers": 2}  # shares of the height
_KEYS = "1-7 pane  ↑↓ move  ⏎ open  p pause  r resume  c cancel  t retry  ? help  q quit"
_KEYS_OF_JOB = "↑↓ scroll  c cancel  t retry  escape back"
_HELP = """
1 to 7, tab     a pane: tasks, running, waiting, failed, schedules, limits,
                workers
↑ ↓ page home   a row; the waiting jobs are those of the task chosen last
enter           a task: its waiting jobs; a job: why it is where it is, with the
                traceback of each attempt
p, r            pause, resume: the task, the schedule or the limit of the row
c               cancel the job
t               run a failed job again, or one that waits for a retry at once
q, escape       back, and out

Each change is asked once: y does it, any other key leaves all as it is.

! a task whose oldest due job waits longer than its max_wait    ‖ a paused one
1,000+ is not counted further each second. Times are UTC.
"""


def draw(board: Board, view: View, width: int, height: int) -> RenderableType:
    """Return the screen, drawn for a terminal of this size."""
    if width < LEAST[0] or height < LEAST[1]:
        return Text(f"expected a terminal of {LEAST[0]} by {LEAST[1]} characters, got {width} by {height}")
    body: RenderableType
    if view.helps:
        body = Text(_HELP.strip("\n"))
    elif view.opened is not None:
        body = _job(board.opened, view, width, height - 2)
    else:
        body = _panes(board, view, width, height - 2)
    screen = Layout()
    screen.split_column(Layout(_header(board), size=1), Layout(body), Layout(_footer(view), size=1))
    return screen


def _header(board: Board) -> Table:
    active, threads = sum(one.active for one in board.tasks), sum(one.threads for one in board.workers)
    done = number(sum(one.done_per_minute or 0 for one in board.tasks)) or 0
    failed = number(sum(one.failed_per_minute or 0 for one in board.tasks))
    text = Text(f" {visible(board.environment or 'zeke-jobs')} · rev {board.revision}", style="bold")
    text.append(f" · {active} of {threads} threads · {done} done/m, ", style="not bold")
    text.append(f"{failed or 0} failed/m", style="not bold bright_red" if failed else "not bold")
    if board.batches:
        text.append(f" · {count(board.batches, 'batch', 'batches')}", style="not bold")
    if board.schedules and (board.beat_on is None or board.now - board.beat_on > SILENT_AFTER):
        since = "" if board.beat_on is None else f" for {span(board.now - board.beat_on)}"
        text.append(f" · no scheduler{since}", style="bold red")
    line = Table.grid(expand=True)
    line.style = "on grey23"
    line.add_column(ratio=1, no_wrap=True)
    line.add_column(no_wrap=True)
    line.add_row(text, f" {clock(board.now)} UTC ")
    return line


def _footer(view: View) -> Text:
    text, style = view.said or (_KEYS if view.opened is None else _KEYS_OF_JOB), "bold" if view.said else "dim"
    if view.asking is not None:
        text = f"{view.asking.verb} {view.asking.target}?  y: yes, any other key: no"
        style = "bold black on yellow"
    return Text(f" {visible(text)}", style=style, no_wrap=True)


def _panes(board: Board, view: View, width: int, height: int) -> Layout:
    """Return the layout: the tasks above, and below them one other pane, or all others in one or two columns."""
    tasks, *others = PANES.values()
    is_tall = height + 2 >= _TALL
    own = min(len(board.tasks) + 1, height // 2 if is_tall else height - 6)
    rest, left = height - own, width // 2
    lower = Layout()
    if not is_tall:
        lower.update(_pane(PANES[view.pane] if view.pane != "tasks" else others[0], board, view, width, rest))
    elif width < _WIDE:
        lower = _stack(others, board, view, width, rest)
    else:
        columns = ((others[:3], left - 2), (others[3:], width - left))
        lower.split_row(*(_stack(panes, board, view, room, rest) for panes, room in columns))
    both = Layout()
    both.split_column(Layout(_pane(tasks, board, view, width, own), size=own), lower)
    return both


def _stack(panes: list[Pane], board: Board, view: View, width: int, height: int) -> Layout:
    """Return panes one below the other. Each pane gets the lines that its rows need, up to the pane's share of the height."""
    needs = {pane.name: max(1, len(pane.rows(board))) + 2 for pane in panes}
    left, weights = height, sum(_ROWS[name] for name in needs)
    sizes: dict[str, int] = {}
    for name in sorted(needs, key=lambda one: needs[one] / _ROWS[one]):
        sizes[name] = max(3, min(needs[name], left * _ROWS[name] // max(1, weights)))
        left, weights = left - sizes[name], weights - _ROWS[name]
    drawn = [(_pane(pane, board, view, width, sizes[pane.name] - 1), sizes[pane.name]) for pane in panes]
    stack = Layout()
    stack.split_column(*(Layout(Padding(one, (1, 0, 0, 0)), size=size) for one, size in drawn), Layout(Text(" ")))
    return stack


def _pane(pane: Pane, board: Board, view: View, width: int, height: int) -> RenderableType:
    """Return the pane's titles, then as many rows as fit, including the selected row."""
    rows, has_keys, room = pane.rows(board), view.pane == pane.name, height - 1
    chosen = place(view, pane, board)
    first = min(max(0, chosen - room + 1), max(0, len(rows) - room))
    name = f"{list(PANES).index(pane.name) + 1} {pane.name}"
    name += f" of {visible(board.waiting_of)}" if pane.name == "waiting" and board.waiting_of else ""
    name += f" {chosen + 1} of {len(rows)}" if len(rows) > room else ""
    columns = [column for column in pane.columns if column.least <= width < column.most]
    style = "bold black on cyan" if has_keys else "bold cyan"
    table = Table(width=width, box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style=style)
    for at, column in enumerate(columns):
        side: Literal["left", "right"] = "right" if column.right else "left"
        title, ratio = column.title if at else name, column.grow or None
        table.add_column(title, width=column.width, ratio=ratio, justify=side, no_wrap=True, overflow="ellipsis")
    for at, row in enumerate(rows[first : first + room], first):
        is_chosen = has_keys and at == chosen
        cells = [(column.cell(row, board), column.style(row, board)) for column in columns]
        shown = (Text(visible(text), style="" if is_chosen or not text else own) for text, own in cells)
        table.add_row(*shown, style="black on white" if is_chosen else "dim" if pane.is_dim(row, board) else "")
    return table if rows else Group(table, Text(f"  {pane.empty}", style="dim", no_wrap=True))


def _job(found: Explanation | None, view: View, width: int, height: int) -> Group:
    if found is None:
        return Group(Text("one moment …", style="dim"))
    lines = [Text(f"{visible(found.task)} {found.id} {found.status}", style="bold"), Text()]
    for indent, style, text in told(found.reasons, found.history):
        room = width - 1 if style != "red" else len(text) + indent  # a line of a traceback is cut
        margin = " " * indent
        rows = wrap(visible(text), room, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
        lines += [Text(row, style=style, no_wrap=True) for row in rows]
    return Group(*lines[min(view.scroll, max(0, len(lines) - height + 1)) :])
