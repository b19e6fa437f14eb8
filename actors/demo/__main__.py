"""Runs the demo once, as ``python -m actors.demo [FEED-URL …]``, and checks the results in the database."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import typer
import yaml
from psycopg2.extensions import connection as Connection

from actors.cli.app import run as zeke_news
from actors.demo.sample_site import entries, served
from actors.outcomes import IN_FLIGHT
from actors.store import news, sources
from zeke_jobs import config, jobs, send
from zeke_jobs.cli import run as running
from zeke_jobs.cli.output import Console, escape
from zeke_jobs.core import environment
from zeke_jobs.postgres.migrate import migrate
from zeke_jobs.postgres.own_server import own_server, place
from zeke_jobs.postgres.pool import connect
from zeke_jobs.revisions import applying
from zeke_jobs.revisions.proposal import Request
from zeke_jobs.supervise.reload import program

_WIDTH = 120  # columns without a terminal
_SAMPLE_LIMIT = 50.0  # seconds
_FEEDS_LIMIT = 170.0
_LOOK = 0.15
_GRACE = 15  # seconds to stop
_HIGHLIGHTS = 80
_TAIL = 40  # last lines of the log that a failed run shows

_NEXT = """[bold]What to try next[/]
  export {data}; .nox/demo/bin/zeke-jobs up
                                              workers and scheduler on this run's data, until Ctrl-C
  .nox/demo/bin/zeke-news stories             meanwhile, with the same variable: what came out
  .nox/demo/bin/zeke-news sources add URL     a source for it
  .venv/bin/nox -R -s demo -- FEED-URL …      other feeds; replaces this run's data
  README.md, docs/tutorial.md, docs/news.md   how it works"""


class Results(NamedTuple):
    """Holds the contents of the database after a run."""

    feeds: int
    outcomes: Counter[str]
    stories: list[dict[str, Any]]
    highlights: list[dict[str, Any]]


def main(
    feeds: Annotated[list[str] | None, typer.Argument(help="Feeds to bring in instead of the sample site.")] = None,
) -> int:
    """Run the pipeline on this machine, with an embedded PostgreSQL, workers, a scheduler and a sample site."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM does the same as Ctrl-C
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    data_dir = environment.data_dir() / "demo"
    try:
        is_good = _run(console, data_dir, feeds or [])
    except KeyboardInterrupt:
        console.print("Interrupted; workers, scheduler and server were stopped.")
        raise
    console.print("\n" + _NEXT.format(data=escape(f"{environment.DATA}={data_dir}")), soft_wrap=True)
    return 0 if is_good else 1


def _run(console: Console, data_dir: Path, feeds: list[str]) -> bool:
    """Run the pipeline on ``feeds``, or on the sample site. Returns whether the database has the expected results."""
    begin = time.monotonic()

    def say(name: str, value: str) -> None:
        console.print(f"  [dim]{name:<10}[/] {value}", soft_wrap=True)

    console.print("[bold]zeke_jobs demo[/]: from feeds to briefs, on this machine, in half a minute\n")
    say("starting", "a PostgreSQL of its own, which takes a few seconds the first time")
    with own_server(data_dir, "the demo") as url, served() as (address, sample):
        folder, wanted = place(data_dir), feeds or sample
        is_here = all(urlsplit(one).hostname in {"127.0.0.1", "::1", "localhost"} for one in wanted)
        jobs_yaml = _configured(folder, fetch_from_here=is_here)
        chosen = config.load(jobs_yaml)
        with closing(connect(urlsplit(url)._replace(path="/template1").geturl())) as conn, conn.cursor() as cursor:
            name = urlsplit(url).path.lstrip("/")
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute(f'CREATE DATABASE "{name}"')
        say("database", f"its files and the log of workers and scheduler, demo.log, are in {folder}")
        say("site", f"{address}, sample data: 2 feeds with 15 entries, written for this demo")
        say("feeds", " ".join(wanted))
        os.environ[environment.DATABASE_URL] = url
        log = folder / "demo.log"
        with closing(connect(url)) as conn:
            migrate(conn, chosen.migrations)
            with _running(jobs_yaml, log) as process:
                for one in wanted:
                    sources.add(conn, "rss", one)
                applying.apply(conn, Request(chosen, environment.author(), "the demo"))
                send("ingest-pull", {"reason": "manual"}, connection=conn)
                say("sent", "ingest-pull")
                with console.status("working"):
                    is_done = _is_done(conn, process, _SAMPLE_LIMIT if is_here else _FEEDS_LIMIT)
                rows, stories = sources.listing(conn), news.stories(conn, limit=10_000)
                outcomes = sum((Counter(row["articles"]) for row in rows), Counter[str]())
                full = [news.story(conn, story["id"]) or {} for story in stories]
                highlights = [each for story in full for each in story["highlights"]]
                found = Results(sum(row["status"] == "ok" for row in rows), outcomes, stories, highlights)
                made = checks(found, feeds, show(console, found), is_done=is_done)
        failed = broken(made)
        told = (
            f"[bold red]{len(failed)} of {len(made)} checks failed[/]" if failed else "[bold green]All checks hold[/]"
        )
        console.print(f"\n{told}, {time.monotonic() - begin:.0f} s after the start:")
        for name, (expected, got) in made.items():
            mark, said = (
                ("[red]✗[/]", f": expected {expected!r}, got {got!r}") if name in failed else ("[green]✓[/]", "")
            )
            console.print(f"  {mark} {name}{said}", soft_wrap=True)
        if failed:
            console.print(f"\n[bold]The end of the log[/] ({log}):")
            tail = log.read_text(encoding="utf-8").splitlines()[-_TAIL:]
            console.print("\n".join(tail), markup=False, soft_wrap=True)
        return not failed


def _configured(folder: Path, *, fetch_from_here: bool) -> Path:
    """Return the path of jobs.yaml, or of a copy in which the Engine may fetch from loopback (``fetch_from_here``)."""
    real = environment.config_path().absolute()
    config.load(real)
    if not fetch_from_here:
        return real
    settings = yaml.safe_load(real.read_text(encoding="utf-8"))
    settings["services"]["engine"]["allow_networks"] = ["127.0.0.0/8", "::1/128"]
    path = folder / "jobs.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


@contextmanager
def _running(jobs_yaml: Path, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    env = {**os.environ, environment.CONFIG: str(jobs_yaml), environment.LOG_FORMAT: "console"}
    command = [*program("zeke-jobs"), "up", "--grace", str(_GRACE)]
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=env, stdout=file, stderr=file)  # noqa: S603 (our own program)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _is_done(conn: Connection, process: "subprocess.Popen[bytes]", limit: float) -> bool:
    """Wait until all jobs have ended. Return whether they ended in time and without failures."""
    end = time.monotonic() + limit
    while any(jobs(status=["created", "retry", "active"], limit=1, connection=conn)):
        if process.poll() is not None or time.monotonic() > end:
            return False
        time.sleep(_LOOK)
    return not any(jobs(status="failed", limit=1, connection=conn))


def show(console: Console, found: Results) -> dict[str, int]:
    """Run ``zeke-news`` commands that show stories and feeds. Returns the exit status of each command that failed."""
    refused = {}
    hottest = max(found.stories, key=lambda story: story["chili"] or 0, default=None)
    in_full = [["story", str(hottest["number"])]] if hottest else []
    for command in (["stories", "--limit", "20"], *in_full, ["sources", "health"], ["sources"]):
        words = " ".join(command)
        console.print(f"\n[bold]$ zeke-news {words}[/]")
        sys.stdout.flush()
        if status := zeke_news(command):
            refused[words] = status
    return refused


def checks(found: Results, feeds: list[str], refused: dict[str, int], *, is_done: bool) -> dict[str, tuple[Any, Any]]:
    """Return each check's expected and actual result by name. Without ``feeds``, also check the sample site."""
    stories, highlights = found.stories, found.highlights
    undecided = {outcome: items for outcome, items in found.outcomes.items() if outcome in IN_FLIGHT}
    scored = sum("relevance" in each["metadata"] for each in highlights)
    made: dict[str, tuple[Any, Any]] = {
        "all was done in time, and no job failed": (True, is_done),
        "every command above ended with status 0": ({}, refused),
        "every feed was read": (len(set(feeds)) or 2, found.feeds),
        "every item has an outcome": ({}, undecided),
        "at least 1 story came out": (1, min(1, len(stories))),
        "every story has a chili score": (len(stories), sum(story["chili"] is not None for story in stories)),
        "every highlight has a score": (len(highlights), scored),
    }
    if feeds:
        return made
    written = sorted(entry.title for entry in entries() if not entry.missing and entry.topic != "Short")
    outcomes = {"not_found": 1, "stored": len(written), "too_short": 1}
    clusters = Counter(story["cluster_id"] for story in stories if story["cluster_id"] is not None)
    return made | {
        "every item has the outcome that it should have": (outcomes, dict(found.outcomes)),
        "every article became a story": (written, sorted(story["title"] for story in stories)),
        "every story has a one-liner": (len(stories), sum(bool(story["one_liner"]) for story in stories)),
        f"at least {_HIGHLIGHTS} highlights were found": (_HIGHLIGHTS, min(_HIGHLIGHTS, len(highlights))),
        "the near-duplicate pair, and nothing else, is a cluster": ([2], [*clusters.values()]),
    }


def broken(made: dict[str, tuple[Any, Any]]) -> list[str]:
    """Return the names of the checks that failed."""
    return [name for name, (expected, got) in made.items() if expected != got]


def _app(_words: Sequence[str]) -> typer.Typer:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    return app


if __name__ == "__main__":
    sys.exit(running.run(_app, "python -m actors.demo"))
