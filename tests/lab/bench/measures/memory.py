"""Memory of a worker process that has run each of the real tasks."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psutil

import zeke_jobs
from actors.demo.server import SampleSite
from actors.store import sources
from tests.fleet import ROOT, fleet
from tests.lab import server
from tests.lab.bench import drain
from tests.lab.bench.bench import PRODUCTION
from tests.lab.bench.result import Row
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.lab.bench.bench import Bench

_MIB = 1024 * 1024
_TEXT = "The registry signs every package that a maintainer uploads. A stolen token alone is not enough any more, says the note. "


def measure(bench: Bench) -> list[Row]:
    """The shipped jobs.yaml, one worker process of eight threads, the sample site."""
    url = bench.database("memory")
    folder = bench.folder / "memory"
    folder.mkdir()
    text = (ROOT / "jobs.yaml").read_text()
    path = folder / "jobs.yaml"
    path.write_text(text.replace("kind: local", "kind: local\n    allow_networks: [127.0.0.0/8]\n    #", 1))
    os.environ["DATABASE_URL"] = url
    with SampleSite() as site, closing(connect(url)) as conn, fleet(folder, url, **PRODUCTION) as up:
        migrate.migrate(conn, ["actors.store"])
        up.workers(threads=8)
        ready = "SELECT pid FROM zeke_jobs.worker WHERE kind = 'worker'"
        drain.eventually(lambda: server.scalar(conn, ready), up, patience=60)
        worker = psutil.Process(int(server.scalar(conn, ready)))
        before = worker.memory_info().rss / _MIB
        _run_each(conn, site)
        sql = "SELECT count(DISTINCT task) FROM zeke_jobs.queue WHERE state = 'done'"
        ran = int(server.scalar(conn, sql))
        memory = worker.memory_full_info()
        readers = [reader.memory_full_info().pss for reader in worker.children(recursive=True)]
    resident, own = memory.rss / _MIB, memory.uss / _MIB
    together = (memory.pss + sum(readers)) / _MIB  # shared memory counts once
    note = f"after {ran} of 13 tasks; {before:.0f} MiB when idle after boot; {own:.0f} MiB are its own alone"
    about = f"{memory.pss / _MIB:.0f} MiB of the worker, {len(readers)} processes beside it"
    return [
        Row("worker process, resident", resident, "MiB", most=114, note=note),
        Row("with those that read pages", together, "MiB", most=200, note=about),
    ]


def _run_each(conn: Connection, site: SampleSite) -> None:
    feeds = [str(sources.add(conn, "rss", feed)[0]) for feed in site.feeds]
    manual = str(sources.add(conn, "manual", "https://uploads.example")[0])
    _send("ingest-pull", reason="manual")
    _send("ingest-pull-youtube")
    _send("ingest-source", sourceId=feeds[0], reason="manual")
    _send("ingest-oneoff", url=f"{site.url}/commit-log/retry-budget")
    _send("ingest-from-upload", sourceId=manual, items=[{"externalId": "u1", "title": "An upload", "text": _TEXT * 8}])
    drain.eventually(lambda: not _open(conn))
    stories = [str(row[0]) for row in server.rows(conn, "SELECT id FROM stories")]
    for story in stories[:3]:
        _send("story-summarize", storyId=story)
        _send("stories-update-status", storyId=story, state="read")
    drain.eventually(lambda: not _open(conn))


def _send(task: str, **payload: Any) -> None:
    zeke_jobs.wait(zeke_jobs.send(task, payload).id, timeout=120)


def _open(conn: Connection) -> bool:
    return bool(
        server.scalar(conn, "SELECT EXISTS (SELECT FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed'))")
    )
