"""Runs the loop of ``zeke-jobs top``: it reads the data and the keys, draws the screen, and runs confirmed commands."""

import os
import re
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from uuid import UUID

import psycopg2
from psycopg2.extensions import connection as Connection
from rich.console import Console, ConsoleDimensions, RenderableType  # noqa: TID251 (a type)
from rich.live import Live
from rich.text import Text

import zeke_jobs
from zeke_jobs.control import actions
from zeke_jobs.core.environment import author
from zeke_jobs.core.quoting import visible
from zeke_jobs.errors import JobNotFound, ZekeJobsError
from zeke_jobs.postgres import installation
from zeke_jobs.postgres.pool import DISCONNECTED, AddressError, connect
from zeke_jobs.top.panes import Board, read
from zeke_jobs.top.screen import Command, View, draw, press

_TICK = 0.2  # seconds before a new board or a new terminal size is shown
_EVERY = 1.0  # seconds between two readings
_AGAIN = 2.0  # seconds before the next try when the database is unreachable


class Feed:
    """Reads the screen's data once a second. ``look_at`` selects the task whose jobs to list and a job to explain."""

    def __init__(self, url: str) -> None:
        self.newest: Board | None = None  # the last board that was read; None before the first
        self.trouble = ""  # the reason why no newer board could be read; empty without a fault
        self._url, self._ends, self._soon = url, False, threading.Event()
        self._looks_at: tuple[str, UUID | None] = "", None
        threading.Thread(target=self._run, name="feed", daemon=True).start()

    def close(self) -> None:
        """Stop reading."""
        self._ends = True
        self._soon.set()

    def look_at(self, task: str, job: UUID | None) -> None:
        """From now on, read this task's waiting jobs, and explain this job."""
        if (task, job) != self._looks_at:
            self._looks_at = task, job
            self._soon.set()

    def refresh(self) -> None:
        """Read the screen's data at once, for example after a command."""
        self._soon.set()

    def _run(self) -> None:
        while not self._ends:
            self._soon.clear()
            try:
                with closing(connect(self._url, application_name="zeke-jobs top")) as conn:
                    while not self._ends:
                        self._soon.clear()
                        self._read(conn)
                        self._soon.wait(_EVERY)
            except Exception as error:  # noqa: BLE001 (the screen shows why the board is not updated)
                why = f"could not be read: {type(error).__name__}: "
                if isinstance(error, DISCONNECTED):
                    why = "" if isinstance(error, AddressError) else "the database is unreachable: "
                self.trouble = why + " ".join(str(error).split())
                self._soon.wait(_AGAIN)

    def _read(self, conn: Connection) -> None:
        try:
            self.newest, self.trouble = read(conn, *self._looks_at), ""
        except JobNotFound as error:
            self.trouble, self._looks_at = str(error), (self._looks_at[0], None)
            self.newest = read(conn, *self._looks_at)


def watch(url: str, console: Console) -> None:
    """Show the screen and handle keys until ``q``. A terminal is needed."""
    # Turn these signals into SystemExit, so that the terminal is restored.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    with (
        closing(Feed(url)) as feed,
        pressed(sys.stdin.fileno()),
        Live(console=console, screen=True, auto_refresh=False) as live,
        suppress(EOFError),
    ):
        _loop(url, console, live, feed)


def once(url: str, console: Console) -> None:
    """Print the screen once, in the console's size."""
    with closing(connect(url, application_name="zeke-jobs top")) as conn:
        console.print(draw(read(conn), View(), *console.size))


def _loop(url: str, console: Console, live: Live, feed: Feed) -> None:
    view = View()
    shown: object = None
    while not view.quits:
        # Set the size, because rich would read COLUMNS and LINES, which do not follow the terminal's size.
        console.size = ConsoleDimensions(*os.get_terminal_size(sys.stdout.fileno()))
        if feed.newest is not None and not view.task:
            view = replace(view, task=feed.newest.waiting_of)  # the task stays, even if another becomes busiest
            feed.look_at(view.task, view.opened)
        current = (feed.newest, feed.trouble, view, console.size)
        if current != shown:
            live.update(_current(feed, view, console), refresh=True)
            shown = current
        for key in read_keys(sys.stdin.fileno(), _TICK):
            if feed.newest is None:
                view = replace(view, quits=view.quits or key in ("q", "escape"))
                continue
            view, command = press(view, key, feed.newest)
            if command is not None:
                view = replace(view, said=perform(url, command))
                feed.refresh()
            feed.look_at(view.task, view.opened)


def _current(feed: Feed, view: View, console: Console) -> RenderableType:
    if feed.newest is None:
        return Text(visible(feed.trouble) or "one moment …")
    shown = replace(view, said=feed.trouble) if feed.trouble and not view.said else view
    return draw(feed.newest, shown, *console.size)


def perform(url: str, command: Command) -> str:
    """Run a command. Returns the command's result or error as one line of text."""
    target, by = command.target, author()
    try:
        with closing(connect(url, application_name="zeke-jobs top")) as conn:
            installation.verify(conn)
            if command.verb == "pause":
                done = actions.pause(conn, target, by=by, reason="from top")
                return f"{target} {'is paused' if done else 'was paused already'}"
            if command.verb == "resume":
                done = actions.resume(conn, target, by=by)
                return f"{target} {'is resumed' if done else 'was not paused by anybody'}"
            if command.verb == "cancel":
                return f"{target}: {zeke_jobs.cancel(target, 'from top', by=by, connection=conn).note}"
            return f"{target}: {zeke_jobs.retry(target, by=by, connection=conn).note}"
    except (ZekeJobsError, psycopg2.Error) as error:
        return f"{command.verb} {target}: {' '.join(str(error).split())}"


_ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left", "H": "home", "F": "end"}
_NAMES = (
    {f"\x1b{prefix}{letter}": name for letter, name in _ARROWS.items() for prefix in "[O"}
    | {f"\x1b[{last}": name for last, name in {"1~": "home", "4~": "end", "5~": "page-up", "6~": "page-down"}.items()}
    | {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace"}
    | {"\x1b[Z": "shift-tab", "\x1b": "escape", "\t": "tab"}
)
#: One key is an escape sequence of the terminal, or a character.
_KEY = re.compile(r"\x1b\[[^@-~]*(?:[@-~]|$)|\x1bO.|.", re.DOTALL)


@contextmanager
def pressed(file: int) -> Iterator[None]:
    """Inside the block, read each key at once and without an echo. After the block, restore the terminal's mode."""
    before = termios.tcgetattr(file)
    try:
        tty.setcbreak(file, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def read_keys(file: int, seconds: float) -> list[str]:
    """Wait for a key, up to ``seconds``. Returns the names of the pressed keys, or an empty list if there were none."""
    if not select.select([file], [], [], seconds)[0]:
        return []
    data = os.read(file, 1024)
    if not data:
        raise EOFError("the terminal was closed")
    return key_names(data)


def key_names(data: bytes) -> list[str]:
    """Return the names of the keys that a terminal's bytes stand for. Unknown escape sequences are left out."""
    keys = _KEY.findall(data.decode("utf-8", "ignore"))
    return [_NAMES.get(key, key) for key in keys if key in _NAMES or key.isprintable()]
