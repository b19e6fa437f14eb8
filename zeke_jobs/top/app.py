"""The loop of ``zeke-jobs top``: keys in, pictures out."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from zeke_jobs.core.terminal import visible
from zeke_jobs.postgres.pool import connect
from zeke_jobs.top import actions, board, keys
from zeke_jobs.top.feed import Feed
from zeke_jobs.top.screen import draw
from zeke_jobs.top.view import View, press

if TYPE_CHECKING:
    from types import FrameType

    from zeke_jobs.core.console import Console
    from zeke_jobs.top.board import Board

_TICK = 0.2  # seconds until a new board or another size of the terminal is shown


def watch(url: str, console: Console) -> None:
    """Show everything and obey keys until ``q``. Needs a terminal.

    Args:
        url: The database.
        console: The terminal.
    """
    # However it ends, the terminal is given back as it was.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    feed = Feed(url)
    feed.start()
    try:
        with (
            keys.pressed(sys.stdin.fileno()),
            Live(console=console, screen=True, auto_refresh=False) as live,
            suppress(EOFError),
        ):
            _loop(url, console, live, feed)
    finally:
        feed.close()


def once(url: str, console: Console) -> None:
    """Show one picture, without keys, as large as the console is."""
    with closing(connect(url, application_name="zeke-jobs top")) as conn:
        console.print(_picture(board.read(conn), View(), console))


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _loop(url: str, console: Console, live: Live, feed: Feed) -> None:
    view = View()
    shown: object = None
    while not view.quits:
        # By itself rich would believe COLUMNS and LINES, which nobody changes when the terminal's size does.
        console.size = ConsoleDimensions(*os.get_terminal_size(sys.stdout.fileno()))
        current = (feed.newest, feed.trouble, view, console.size)
        if current != shown:
            live.update(_current(feed, view, console), refresh=True)
            shown = current
        for key in keys.read(sys.stdin.fileno(), _TICK):
            if feed.newest is None:
                view = replace(view, quits=view.quits or key in ("q", "escape"))
                continue
            view, command = press(view, key, feed.newest)
            if command is not None:
                view = replace(view, said=actions.perform(url, command))
                feed.refresh()
            feed.look_at(view.task, view.opened)


def _current(feed: Feed, view: View, console: Console) -> Group | Text:
    if feed.newest is None:
        return Text(visible(feed.trouble) or "one moment …")
    shown = replace(view, said=feed.trouble) if feed.trouble and not view.said else view
    return _picture(feed.newest, shown, console)


def _picture(read: Board, view: View, console: Console) -> Group:
    width, height = console.size
    return Group(*draw(read, view, width, height))
