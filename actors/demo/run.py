"""One run of the demo: add the sources, send ingest-pull, follow the jobs, show and check the results."""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from actors.cli.app import run as zeke_news
from actors.demo import expected
from actors.demo.server import SampleSite
from actors.demo.system import DemoSystem, demo_system
from actors.store import news, sources
from zeke_jobs import send
from zeke_jobs.core import environment
from zeke_jobs.errors import UnknownTask
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from psycopg2.extensions import connection as Connection

    from actors.demo.expected import Check, Results
    from actors.store.news import Jobs
    from zeke_jobs import Sent
    from zeke_jobs.cli.output import Console

_BOOT_LIMIT = 30.0  # seconds for the workers to be ready
_SAMPLE_LIMIT = 50.0  # seconds for the sample site
_FEEDS_LIMIT = 170.0  # seconds for feeds from elsewhere
_LOOK = 0.15  # seconds between two looks at the database
_SETTLED = 0.6  # seconds without unfinished jobs that count as the end
_LINE = 1.0  # seconds between two lines without a terminal
_UNFINISHED = ("created", "active", "retry")


def run(console: Console, data_dir: Path, feeds: Sequence[str]) -> bool:
    """Bring ``feeds``, or the sample site, through the pipeline; returns whether the database has the expected results.

    Raises:
        EndedError: a command ended too early. The tail of its log was printed, as after any failure.
    """
    begin = time.monotonic()
    console.print("[bold]zeke_jobs demo[/]: from feeds to briefs, on this machine, in half a minute\n")
    _say(console, "starting", "a PostgreSQL of its own, which takes a few seconds the first time")
    with (
        SampleSite() as site,
        demo_system(data_dir, fetch_from_here=any(map(_is_here, feeds or site.feeds))) as system,
        closing(connect(system.url)) as conn,
    ):
        _say(
            console,
            "database",
            f"PostgreSQL {conn.get_parameter_status('server_version')}, unix socket, in {system.folder}",
        )
        if feeds:
            _say(console, "feeds", "\n".join(feeds))
        else:
            _say(console, "site", f"{site.url}, sample data: 2 feeds with 15 entries, written for this demo")
        _say(console, "processes", "dramatiq zeke_jobs.actors, periodiq zeke_jobs.actors")
        try:
            done = _pipeline(console, system, conn, feeds or site.feeds)
            found = expected.results(conn)
        except Exception:
            _show_tail(console, system)
            raise
        _show(console, system, found)
        checks = expected.of_any_feeds(found, len(set(feeds))) if feeds else expected.of_sample_site(found)
        holds = _verdict(console, checks, time.monotonic() - begin)
        if not done:
            console.print(f"[bold red]It was not done in time.[/] Jobs: {_line(found.jobs)}")
        if not (holds and done):
            _show_tail(console, system)
        return holds and done


def _pipeline(console: Console, system: DemoSystem, conn: Connection, feeds: Sequence[str]) -> bool:
    """Send the work and follow it to its end; returns False if there was none in time."""
    for url in feeds:
        sources.add(conn, "rss", url)
    sent = _send_when_ready(system, conn)
    _say(console, "sent", f"ingest-pull, job {sent.id}\n")
    begin = said = time.monotonic()
    busy_at = begin
    limit = _SAMPLE_LIMIT if all(map(_is_here, feeds)) else _FEEDS_LIMIT
    with console.status("working") as status:
        while (now := time.monotonic()) < begin + limit:
            system.step()
            jobs = news.jobs_by_task(conn)
            line = f"{now - begin:5.1f} s  {_line(jobs)}"
            status.update(line)
            if not console.is_terminal and now - said >= _LINE:
                said = now
                console.print(line, highlight=False, soft_wrap=True)
            if not jobs["ingest-pull", "completed"] or any(state in _UNFINISHED for _, state in jobs):
                busy_at = now
            elif now - busy_at >= _SETTLED:
                return True
            time.sleep(_LOOK)
    return False


def _line(jobs: Jobs) -> str:
    """The sums by state, and the busy tasks."""
    sums: dict[str, int] = {}
    for (_, state), count in jobs.items():
        sums[state] = sums.get(state, 0) + count
    busy = sorted({task for task, state in jobs if state in _UNFINISHED})
    parts = ", ".join(f"{count} {state}" for state, count in sorted(sums.items()))
    return (parts or "no jobs yet") + (f"  ({', '.join(busy)})" if busy else "")


def _show(console: Console, system: DemoSystem, found: Results) -> None:
    """What ``zeke-news`` shows of it: the stories, the hottest one in full, and the feeds with what became no story."""
    os.environ[environment.DATABASE_URL] = system.url
    hottest = max(found.stories, key=lambda story: story["chili"] or 0, default=None)
    shown = [
        ["stories", "--limit", "20"],
        *([["story", str(hottest["number"])]] if hottest else []),
        ["sources", "health"],
    ]
    for command in [*shown, ["sources"]]:
        console.print(f"\n[bold]$ zeke-news {' '.join(command)}[/]", highlight=False)
        sys.stdout.flush()
        zeke_news(command)


def _verdict(console: Console, checks: Sequence[Check], seconds: float) -> bool:
    """Print whether all checks hold, and the failed ones."""
    broken = [check for check in checks if not check.holds]
    for check in broken:
        console.print(f"[red]✗[/] {check.name}: expected {check.expected!r}, got {check.got!r}", highlight=False)
    if broken:
        console.print(f"[bold red]{len(broken)} of {len(checks)} checks failed[/] after {seconds:.0f} s")
        return False
    console.print(f"\n[bold green]All {len(checks)} checks hold[/], {seconds:.0f} s after the start:", highlight=False)
    for check in checks:
        console.print(f"  [green]✓[/] [dim]{check.name}[/]", highlight=False)
    return True


def _send_when_ready(system: DemoSystem, conn: Connection) -> Sent:
    """Send as soon as the workers have written the catalogue of tasks."""
    end = time.monotonic() + _BOOT_LIMIT
    while True:
        system.step()
        try:
            return send("ingest-pull", {"reason": "manual"}, connection=conn)
        except UnknownTask:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def _is_here(url: str) -> bool:
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def _say(console: Console, name: str, value: str) -> None:
    for at, text in enumerate(value.splitlines() or [""]):
        console.print(f"  [dim]{'' if at else name:<10}[/] {text}", highlight=False, soft_wrap=True)
    if value.endswith("\n"):
        console.print()


def _show_tail(console: Console, system: DemoSystem) -> None:
    console.print(f"\n[bold]The end of the log[/] ({system.log}):")
    console.print(system.tail(), markup=False, highlight=False, soft_wrap=True)
