"""The loop of ``zeke-jobs top``: reads keys, draws the screen, and runs confirmed commands."""

import os
import signal
import sys
from contextlib import closing, suppress
from dataclasses import replace
from types import FrameType

import psycopg2
from rich.console import ConsoleDimensions, RenderableType
from rich.live import Live
from rich.text import Text

import zeke_jobs
from zeke_jobs.control import pausing
from zeke_jobs.core.console import Console
from zeke_jobs.core.environment import author
from zeke_jobs.core.terminal import visible
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres import installation
from zeke_jobs.postgres.pool import connect
from zeke_jobs.top import board, keys
from zeke_jobs.top.feed import Feed
from zeke_jobs.top.screen import draw
from zeke_jobs.top.view import Command, View, press

_TICK = 0.2  # seconds before a new board or a new terminal size is shown


def watch(url: str, console: Console) -> None:
    """Show the screen and handle keys until ``q``. Needs a terminal."""
    # Restore the terminal in every case.
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    with (
        closing(Feed(url)) as feed,
        keys.pressed(sys.stdin.fileno()),
        Live(console=console, screen=True, auto_refresh=False) as live,
        suppress(EOFError),
    ):
        _loop(url, console, live, feed)


def once(url: str, console: Console) -> None:
    """Print one screen without keys, in the console's size."""
    with closing(connect(url, application_name="zeke-jobs top")) as conn:
        console.print(draw(board.read(conn), View(), *console.size))


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _loop(url: str, console: Console, live: Live, feed: Feed) -> None:
    view = View()
    shown: object = None
    while not view.quits:
        # rich would read COLUMNS and LINES, which do not follow the terminal's size.
        console.size = ConsoleDimensions(*os.get_terminal_size(sys.stdout.fileno()))
        if feed.newest is not None and not view.task:
            view = replace(view, task=feed.newest.waiting_of)  # it stays, also when another one becomes the busiest
            feed.look_at(view.task, view.opened)
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
                view = replace(view, said=perform(url, command))
                feed.refresh()
            feed.look_at(view.task, view.opened)


def _current(feed: Feed, view: View, console: Console) -> RenderableType:
    if feed.newest is None:
        return Text(visible(feed.trouble) or "one moment …")
    shown = replace(view, said=feed.trouble) if feed.trouble and not view.said else view
    return draw(feed.newest, shown, *console.size)


def perform(url: str, command: Command) -> str:
    """Run a command; returns the result or the refusal on one line."""
    target, by = command.target, author()
    try:
        with closing(connect(url, application_name="zeke-jobs top")) as conn:
            installation.verify(conn)
            match command.verb:
                case "pause":
                    done = pausing.pause(conn, target, by=by, reason="from top")
                    return f"{target} {'is paused' if done else 'was paused already'}"
                case "resume":
                    done = pausing.resume(conn, target, by=by)
                    return f"{target} {'is resumed' if done else 'was not paused by anybody'}"
                case "cancel":
                    return f"{target}: {zeke_jobs.cancel(target, 'from top', by=by, connection=conn).note}"
                case "retry":
                    return f"{target}: {zeke_jobs.retry(target, by=by, connection=conn).note}"
    except (ZekeJobsError, psycopg2.Error) as error:
        return f"{command.verb} {target}: {' '.join(str(error).split())}"
