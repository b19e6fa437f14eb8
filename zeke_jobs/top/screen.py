"""Lays a board and a view out on a screen of a given size."""

from textwrap import wrap

from rich.text import Text

from zeke_jobs.core.terminal import visible
from zeke_jobs.core.wording import span
from zeke_jobs.diagnosis.reasons import told
from zeke_jobs.diagnosis.why import Explanation
from zeke_jobs.scheduler.dispatch import SILENT_AFTER
from zeke_jobs.top import figures
from zeke_jobs.top.board import Board
from zeke_jobs.top.panes import PANES, Column, Pane, by_name
from zeke_jobs.top.view import View, place

LEAST = (80, 24)  # columns and lines
_TALL = 38  # lines; with at least so many, all panes are shown at once
_WIDE = 140  # columns; with at least so many, the lower panes are side by side
_ROWS = {"running": 3, "waiting": 3, "failed": 2, "schedules": 2, "limits": 1, "workers": 2}  # shares of the height
_SHORT_ID = 9
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


def draw(board: Board, view: View, width: int, height: int) -> list[Text]:
    """The lines of the screen, ``height`` of them, none wider than ``width``."""
    if width < LEAST[0] or height < LEAST[1]:
        return _fitted(
            [Text(f"expected a terminal of {LEAST[0]} by {LEAST[1]} characters, got {width} by {height}")],
            width,
            height,
        )
    middle = height - 2
    if view.helps:
        body = [Text(line) for line in _HELP.strip("\n").split("\n")]
    elif view.opened is not None:
        body = _job(board.opened, view, width, middle)
    else:
        body = _panes(board, view, width, middle)
    return [*_fitted([_header(board, width), *body], width, height - 1), _footer(view, width)]


def _header(board: Board, width: int) -> Text:
    active = sum(line.active for line in board.tasks)
    threads = sum(one.threads for one in board.workers)
    done = sum(line.done_per_minute or 0 for line in board.tasks)
    failed = sum(line.failed_per_minute or 0 for line in board.tasks)
    text = Text(f" {visible(board.environment or 'zeke-jobs')} · rev {board.revision}", style="bold")
    text.append(f" · {active} of {threads} threads · {figures.number(done) or 0} done/m, ", style="not bold")
    text.append(f"{figures.number(failed) or 0} failed/m", style="not bold bright_red" if failed else "not bold")
    if board.batches:
        text.append(f" · {board.batches} batch{'' if board.batches == 1 else 'es'}", style="not bold")
    silent = board.beat_on is None or board.now - board.beat_on > SILENT_AFTER
    if board.schedules and silent:
        since = "" if board.beat_on is None else f" for {span(board.now - board.beat_on)}"
        text.append(f" · no scheduler{since}", style="bold red")
    clock = f"{figures.clock(board.now)} UTC "
    text.truncate(width - len(clock) - 1)
    text.append(" " * (width - text.cell_len - len(clock)) + clock, style="not bold")
    text.stylize("on grey23")
    return text


def _footer(view: View, width: int) -> Text:
    if view.asking is not None:
        text = Text(f" {visible(view.asking.question)}  y: yes, any other key: no", style="bold black on yellow")
    elif view.said:
        text = Text(f" {visible(view.said)}", style="bold")
    else:
        text = Text(f" {_KEYS if view.opened is None else _KEYS_OF_JOB}", style="dim")
    text.truncate(width, pad=True)
    return text


def _panes(board: Board, view: View, width: int, height: int) -> list[Text]:
    tasks = by_name("tasks")
    own = min(len(tasks.rows(board)) + 1, height if height < _TALL else height // 2)
    if height + 2 < _TALL:
        own = min(own, height - 6)
        lower = view.pane if view.pane != "tasks" else "running"
        return [*_pane(tasks, board, view, width, own), *_pane(by_name(lower), board, view, width, height - own)]
    rest = height - own
    names = [pane.name for pane in PANES[1:]]
    if width < _WIDE:
        return [*_pane(tasks, board, view, width, own), *_stack(names, board, view, width, rest)]
    left = width // 2
    columns = (
        _stack(names[:3], board, view, left - 2, rest),
        _stack(names[3:], board, view, width - left, rest),
    )
    beside = []
    for one, other in zip(*(_fitted(lines, left, rest) for lines in columns), strict=True):
        one.truncate(left, pad=True)
        beside.append(Text().append_text(one).append_text(other))
    return [*_pane(tasks, board, view, width, own), *beside]


def _stack(names: list[str], board: Board, view: View, width: int, height: int) -> list[Text]:
    """Panes one below the other: each gets the lines it needs, up to its share of the height."""
    needs = {name: max(1, len(by_name(name).rows(board))) + 2 for name in names}
    left, weights = height, sum(_ROWS[name] for name in names)
    heights: dict[str, int] = {}
    for name in sorted(names, key=lambda one: needs[one] / _ROWS[one]):
        heights[name] = max(3, min(needs[name], left * _ROWS[name] // max(1, weights)))
        left, weights = left - heights[name], weights - _ROWS[name]
    return [line for name in names for line in [Text(), *_pane(by_name(name), board, view, width, heights[name] - 1)]]


def _pane(pane: Pane, board: Board, view: View, width: int, height: int) -> list[Text]:
    """A line with the titles, then as many rows as fit, including the selected one."""
    rows = pane.rows(board)
    has_keys = view.pane == pane.name
    columns = _widths(pane, width)
    number = next(n for n, one in enumerate(PANES, 1) if one.name == pane.name)
    title = f"{number} {pane.name}" + (
        f" of {visible(board.waiting_of)}" if pane.name == "waiting" and board.waiting_of else ""
    )
    lines = [_titles(title, columns, width, has_keys=has_keys)]
    if not rows:
        return _fitted([*lines, Text(f"  {pane.empty}", style="dim")], width, height)
    chosen = place(view, pane.name, pane.keys(board), board)
    room = height - 1
    first = min(max(0, chosen - room + 1), max(0, len(rows) - room))
    for at, row in enumerate(rows[first : first + room], first):
        line = Text(style="dim" if pane.is_dim(row, board) else "")
        for column, size in columns:
            text = column.cell(row, board)
            cell = Text(visible(text), style=column.style(row, board) if text else "")
            cell.truncate(size, overflow="ellipsis")
            cell.align("right" if column.right else "left", size)
            line.append_text(cell).append(" ")
        line.truncate(width, pad=True)
        if has_keys and at == chosen:
            line.stylize("not dim black on white")
        lines.append(line)
    hidden = len(rows) - room
    if hidden > 0:
        lines[0].truncate(width - 12, pad=True)
        lines[0].append(f"{chosen + 1} of {len(rows)}".rjust(12))
    return _fitted(lines, width, height)


def _titles(title: str, columns: list[tuple[Column, int]], width: int, *, has_keys: bool) -> Text:
    line = Text()
    for column, size in columns:
        cell = Text(column.title)
        cell.truncate(size)
        cell.align("right" if column.right else "left", size)
        line.append_text(cell).append(" ")
    line.truncate(width, pad=True)
    # The pane's name replaces the title of its first wide column.
    plain = f"{title} ".ljust(len(title) + 1) + line.plain[len(title) + 1 :]
    return Text(plain, style="bold black on cyan" if has_keys else "bold cyan")


def _widths(pane: Pane, width: int) -> list[tuple[Column, int]]:
    """The columns that fit, with their widths. If the full id fits, its short form is left out."""
    shown = [column for column in pane.columns if width >= column.least]
    if [column.title for column in shown].count("job") > 1:
        shown = [column for column in shown if column.title != "job" or column.width > _SHORT_ID]
    left = width - sum(column.width + 1 for column in shown)
    shares = sum(column.grow for column in shown) or 1
    return [(column, column.width + max(0, left) * column.grow // shares) for column in shown]


def _job(found: Explanation | None, view: View, width: int, height: int) -> list[Text]:
    if found is None:
        return [Text("one moment …", style="dim")]
    lines = [Text(f"{visible(found.task)} {found.id} {found.status}", style="bold"), Text()]
    for indent, style, text in told(found.reasons, found.history):
        room = width - 1 if style != "red" else len(text) + indent  # a line of a traceback is cut
        margin = " " * indent
        rows = wrap(visible(text), room, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
        lines += [Text(row, style=style) for row in rows]
    first = min(view.scroll, max(0, len(lines) - height + 1))
    return lines[first:]


def _fitted(lines: list[Text], width: int, height: int) -> list[Text]:
    shown = lines[:height] + [Text() for _ in range(height - len(lines))]
    for line in shown:
        line.truncate(width)
    return shown
