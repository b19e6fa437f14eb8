"""The tests of revisions share these handlers, payload models that change, and files of tasks."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import connection as Connection
from pydantic import BaseModel

from zeke_jobs import Context, Payload, config
from zeke_jobs.revisions import applying, store
from zeke_jobs.revisions.diff import Plan
from zeke_jobs.revisions.proposal import Request, propose

HERE = "tests.zeke_jobs.revisions.world"
BASE = """
  pull: {handler: "H:work", concurrency: 2, cron: "*/5 * * * *"}
  analyze: {handler: "H:work", concurrency: 5, uses: [ai], retry: {limit: 3}}
  score: {handler: "H:say", settings: {words: [one, two]}}
"""
TOP = "limits: {ai: {concurrency: 8}}"


class Work(Payload):
    n: int = 0


class Strict(Payload):
    url: str


class Words(BaseModel):
    words: list[str] = []


class Address(BaseModel):
    url: str = "http://localhost"

    def open(self) -> Address:
        return self


def work(payload: Work, ctx: Context) -> None: ...
def strict(payload: Strict, ctx: Context) -> None: ...
def say(payload: Work, ctx: Context[Words]) -> None: ...


def text(tasks: str = BASE, top: str = TOP) -> str:
    """Write a jobs.yaml; ``H:`` stands for this module."""
    return f"version: 1\n{top}\ntasks:\n{tasks}".replace("H:", f"{HERE}:")


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
