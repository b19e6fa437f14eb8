"""The tests of revisions share this jobs.yaml, functions that apply it, and an applied revision with jobs."""

from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import HANDLERS, query
from zeke_jobs import config
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.diff import Plan
from zeke_jobs.revisions.proposal import Request, propose

BASE = """
  pull: {handler: "H:work", concurrency: 2, cron: "*/5 * * * *"}
  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}
  score: {handler: "H:list_words", settings: {words: [one, two]}}
"""
TOP = "limits: {ai: {concurrency: 8}}"


def text(tasks: str = BASE, top: str = TOP) -> str:
    """Write a jobs.yaml; ``H:`` stands for the module of test handlers."""
    return f"version: 1\n{top}\ntasks:\n{tasks}".replace("H:", f"{HANDLERS}:")


def load(tasks: str = BASE, top: str = TOP, **options: Any) -> config.Config:
    return config.load_text(text(tasks, top), "jobs.yaml", **options)


def planned(conn: Connection, file: config.Config, **options: Any) -> Plan:
    return propose(conn, Request(file, **options)).plan


def apply(conn: Connection, file: config.Config, **options: Any) -> applying.Applied:
    return applying.apply(conn, Request(file, **{"by": "me", "message": "why", **options}))


def latest(conn: Connection) -> store.Revision:
    found = store.latest(conn)
    assert found is not None
    return found


@pytest.fixture
def base(conn: Connection) -> config.Config:
    """Put a revision in force, with three queued jobs and one active job of ``analyze``."""
    file = load()
    applying.sync(conn, file)
    zeke_jobs.send_many("analyze", [{"n": n} for n in range(4)])
    query(conn, "UPDATE zeke_jobs.queue SET state = 'consumed' WHERE message #>> '{kwargs,n}' = '0'")
    return file
