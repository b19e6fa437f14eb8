"""One run of the demo: add the sources, send ingest-pull, follow the jobs, show and check the results."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from actors.demo import expected, progress, report, results
from actors.demo.server import SampleSite
from actors.demo.system import DemoSystem, demo_system
from actors.store import sources
from zeke_jobs import send
from zeke_jobs.errors import UnknownTask
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from psycopg2.extensions import connection as Connection

    from actors.demo.progress import Counts
    from zeke_jobs import Sent
    from zeke_jobs.cli.output import Console

_BOOT_LIMIT = 30.0  # seconds for the workers to be ready
_SAMPLE_LIMIT = 50.0  # seconds for the sample site
_FEEDS_LIMIT = 170.0  # seconds for feeds from elsewhere


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
        _say(console, "database", f"PostgreSQL {_version(conn)}, unix socket, in {system.folder}")
        if feeds:
            _say(console, "feeds", "\n".join(feeds))
        else:
            _say(console, "site", f"{site.url}, sample data: 2 feeds with 15 entries, written for this demo")
        _say(console, "processes", "dramatiq zeke_jobs.actors, periodiq zeke_jobs.actors")
        try:
            done = _pipeline(console, system, conn, feeds or site.feeds)
            found = results.read(conn)
        except Exception:
            _show_tail(console, system)
            raise
        report.show(console, found)
        checks = expected.of_any_feeds(found, feeds) if feeds else expected.of_sample_site(found)
        holds = report.verdict(console, checks, time.monotonic() - begin)
        if not done:
            console.print("[bold red]It was not done in time.[/] The jobs above show how far it came.")
        if not (holds and done):
            _show_tail(console, system)
        return holds and done


def _pipeline(console: Console, system: DemoSystem, conn: Connection, feeds: Sequence[str]) -> bool:
    for url in feeds:
        sources.add(conn, "rss", url)
    sent = _send_when_ready(system, conn)
    _say(console, "sent", f"ingest-pull, job {sent.id}\n")

    def is_done(found: Counts) -> bool:
        return progress.is_quiet(found) and bool(found.get("ingest-pull", {}).get("completed"))

    limit = _SAMPLE_LIMIT if all(map(_is_here, feeds)) else _FEEDS_LIMIT
    return progress.follow(conn, console, system.step, is_done, limit)


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


def _version(conn: Connection) -> str:
    return str(conn.get_parameter_status("server_version"))


def _say(console: Console, name: str, value: str) -> None:
    for at, text in enumerate(value.splitlines() or [""]):
        console.print(f"  [dim]{'' if at else name:<10}[/] {text}", highlight=False, soft_wrap=True)
    if value.endswith("\n"):
        console.print()


def _show_tail(console: Console, system: DemoSystem) -> None:
    console.print(f"\n[bold]The end of the log[/] ({system.log}):")
    console.print(system.tail(), markup=False, highlight=False, soft_wrap=True)
