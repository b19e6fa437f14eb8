"""Runs the demo once, and checks the database against the results expected from the sample site, or from any feeds."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from psycopg2.extensions import connection as Connection

from actors.cli.app import run as zeke_news
from actors.demo.sample_site import entries, served
from actors.outcomes import IN_FLIGHT
from actors.store import news, sources
from zeke_jobs import config, jobs, send
from zeke_jobs.cli.output import Console
from zeke_jobs.core import environment
from zeke_jobs.postgres.migrate import migrate
from zeke_jobs.postgres.own_server import own_server, place
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import applying
from zeke_jobs.revisions.proposal import Request
from zeke_jobs.supervise.reload import program

_SAMPLE_LIMIT = 50.0  # seconds
_FEEDS_LIMIT = 170.0
_LOOK = 0.15
_GRACE = 15  # seconds to stop
_MOST = 10_000
_HIGHLIGHTS = 80
_TAIL = 40  # last lines of the log that a failed run shows
_LOOPBACK = ["127.0.0.0/8", "::1/128"]


@dataclass(frozen=True)
class Results:
    """Holds the contents of the database after a run."""

    feeds: int
    outcomes: Counter[str]
    stories: list[dict[str, Any]]
    highlights: list[dict[str, Any]]


Checks = dict[str, tuple[Any, Any]]
"""The expected result and the actual one, by the name of the check."""


def run(console: Console, data_dir: Path, feeds: Sequence[str]) -> bool:
    """Run the pipeline on ``feeds``, or on the sample site. Returns whether the database has the expected results."""
    begin = time.monotonic()
    console.print("[bold]zeke_jobs demo[/]: from feeds to briefs, on this machine, in half a minute\n")
    _say(console, "starting", "a PostgreSQL of its own, which takes a few seconds the first time")
    with own_server(data_dir, "the demo") as url, served() as (address, sample):
        folder, named = place(data_dir), feeds or sample
        here = all(urlsplit(one).hostname in {"127.0.0.1", "::1", "localhost"} for one in named)
        jobs_yaml = _configured(folder, fetch_from_here=here)
        _clear(url, jobs_yaml)
        _say(console, "database", f"its files and the log of workers and scheduler, demo.log, are in {folder}")
        _say(console, "site", f"{address}, sample data: 2 feeds with 15 entries, written for this demo")
        _say(console, "feeds", " ".join(named))
        os.environ[environment.DATABASE_URL] = url
        log = folder / "demo.log"
        with closing(connect(url)) as conn, _running(jobs_yaml, log) as running:
            for one in named:
                sources.add(conn, "rss", one)
            applying.apply(conn, Request(config.load(jobs_yaml), environment.author(), "the demo"))
            send("ingest-pull", {"reason": "manual"}, connection=conn)
            _say(console, "sent", "ingest-pull")
            with console.status("working"):
                is_done = _is_done(conn, running, _SAMPLE_LIMIT if here else _FEEDS_LIMIT)
            found = _results(conn)
            refused = show(console, found)
        holds = _verdict(console, checks(found, feeds, refused, is_done=is_done), begin)
        if not holds:
            console.print(f"\n[bold]The end of the log[/] ({log}):")
            tail = log.read_text(encoding="utf-8").splitlines()[-_TAIL:]
            console.print("\n".join(tail), markup=False, highlight=False, soft_wrap=True)
        return holds


def _configured(folder: Path, *, fetch_from_here: bool) -> Path:
    """Return the path of the real jobs.yaml, or of a copy that lets the Engine fetch from loopback."""
    real = environment.config_path().absolute()
    config.load(real)
    if not fetch_from_here:
        return real
    settings = yaml.safe_load(real.read_text(encoding="utf-8"))
    settings["services"]["engine"]["allow_networks"] = _LOOPBACK
    path = folder / "jobs.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def _clear(url: str, jobs_yaml: Path) -> None:
    name = urlsplit(url).path.lstrip("/")
    with closing(connect(urlsplit(url)._replace(path="/template1").geturl())) as conn, conn.cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{name}"')
    with closing(connect(url)) as conn:
        migrate(conn, config.load(jobs_yaml).migrations)


@contextmanager
def _running(jobs_yaml: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    env = {**os.environ, environment.CONFIG: str(jobs_yaml), environment.LOG_FORMAT: "console"}
    command = [*program("zeke-jobs"), "up", "--grace", str(_GRACE)]
    with log.open("wb") as file:
        running = subprocess.Popen(command, env=env, stdout=file, stderr=file)  # noqa: S603 (our own program)
        try:
            yield running
        finally:
            running.terminate()
            running.wait()


def _is_done(conn: Connection, running: "subprocess.Popen[bytes]", limit: float) -> bool:
    """Wait until all jobs end. Return whether they ended in time, and none failed."""
    end = time.monotonic() + limit
    while any(jobs(status=["created", "retry", "active"], limit=1, connection=conn)):
        if running.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(_LOOK)
    return not any(jobs(status="failed", limit=1, connection=conn))


def show(console: Console, found: Results) -> dict[str, int]:
    """Show stories and feeds by commands of ``zeke-news``. Returns the commands that failed, with their exit statuses."""
    refused = {}
    hottest = max(found.stories, key=lambda story: story["chili"] or 0, default=None)
    in_full = [["story", str(hottest["number"])]] if hottest else []
    for command in (["stories", "--limit", "20"], *in_full, ["sources", "health"], ["sources"]):
        words = " ".join(command)
        console.print(f"\n[bold]$ zeke-news {words}[/]", highlight=False)
        sys.stdout.flush()
        if status := zeke_news(command):
            refused[words] = status
    return refused


def checks(found: Results, feeds: Sequence[str], refused: dict[str, int], *, is_done: bool) -> Checks:
    """Return the checks of the run, and of its results for ``feeds``, or for the sample site if there are no ``feeds``."""
    own = {
        "all was done in time, and no job failed": (True, is_done),
        "every command above ended with status 0": ({}, refused),
    }
    return own | (of_any_feeds(found, len(set(feeds))) if feeds else of_sample_site(found))


def broken(checks: Checks) -> list[str]:
    """Return the names of the checks that do not hold."""
    return [name for name, (wanted, got) in checks.items() if wanted != got]


def _verdict(console: Console, checks: Checks, begin: float) -> bool:
    failed = broken(checks)
    seconds = f"{time.monotonic() - begin:.0f} s after the start"
    told = f"[bold red]{len(failed)} of {len(checks)} checks failed[/]" if failed else "[bold green]All checks hold[/]"
    console.print(f"\n{told}, {seconds}:", highlight=False)
    for name, (wanted, got) in checks.items():
        mark, said = ("[red]✗[/]", f": expected {wanted!r}, got {got!r}") if name in failed else ("[green]✓[/]", "")
        console.print(f"  {mark} {name}{said}", highlight=False, soft_wrap=True)
    return not failed


def _say(console: Console, name: str, value: str) -> None:
    console.print(f"  [dim]{name:<10}[/] {value}", highlight=False, soft_wrap=True)


def _results(conn: Connection) -> Results:
    """Read the results of a run."""
    rows = sources.listing(conn)
    stories = news.stories(conn, limit=_MOST)
    full = [news.story(conn, story["id"]) or {} for story in stories]
    return Results(
        feeds=sum(row["status"] == "ok" for row in rows),
        outcomes=sum((Counter(row["articles"]) for row in rows), Counter[str]()),
        stories=stories,
        highlights=[each for story in full for each in story["highlights"]],
    )


def of_sample_site(found: Results) -> Checks:
    """Return the checks for the bundled sample site, whose exact results are known."""
    written = sorted(entry.title for entry in entries() if not entry.missing and entry.topic != "Short")
    outcomes = {"not_found": 1, "stored": len(written), "too_short": 1}
    clusters = Counter(story["cluster_id"] for story in found.stories if story["cluster_id"] is not None)
    told = sum(bool(story["one_liner"]) for story in found.stories)
    return {
        "every item has the outcome that it should have": (outcomes, dict(found.outcomes)),
        "every article became a story": (written, sorted(story["title"] for story in found.stories)),
        "every story has a one-liner": (len(found.stories), told),
        f"at least {_HIGHLIGHTS} highlights were found": (_HIGHLIGHTS, min(_HIGHLIGHTS, len(found.highlights))),
        "the near-duplicate pair, and nothing else, is a cluster": ([2], [*clusters.values()]),
        **of_any_feeds(found, 2),
    }


def of_any_feeds(found: Results, count: int) -> Checks:
    """Return the checks for ``count`` feeds whose contents are unknown."""
    undecided = {outcome: items for outcome, items in found.outcomes.items() if outcome in IN_FLIGHT}
    stories = len(found.stories)
    scored = sum("relevance" in each["metadata"] for each in found.highlights)
    return {
        "every feed was read": (count, found.feeds),
        "every item has an outcome": ({}, undecided),
        "at least 1 story came out": (1, min(1, stories)),
        "every story has a chili score": (stories, sum(story["chili"] is not None for story in found.stories)),
        "every highlight has a score": (len(found.highlights), scored),
    }
