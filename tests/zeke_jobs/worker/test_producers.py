"""An unmodified dramatiq-pg producer on our table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import dramatiq
import dramatiq_pg
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from dramatiq.actor import Actor

    from tests.zeke_jobs.worker.conftest import Jobs


@pytest.fixture
def stock(database: str) -> Callable[[str], Actor]:
    broker = dramatiq_pg.PostgresBroker(url=database, schema="zeke_jobs", prefix="", results=False)

    def actor(name: str) -> Actor:
        return dramatiq.actor(lambda **_: None, actor_name=name, broker=broker, queue_name="default")

    return actor


def test_its_message_becomes_a_job_with_what_ours_have(jobs: Jobs, stock: Callable[[str], Actor]) -> None:
    jobs.use("  echo: {handler: 'H:echo', priority: 4, queue: fast}")
    message = stock("echo").send(n=3)
    (claim,) = jobs.claim(jobs.worker(), 1, queue="fast")
    assert str(claim["message_id"]) == message.message_id
    row = jobs.row(claim["message_id"])
    assert (row["task"], row["priority"], row["revision"]) == ("echo", 4, 1)
    assert row["message"]["kwargs"] == {"n": 3}


def test_its_delayed_message_waits_in_the_table_until_it_is_due(jobs: Jobs, stock: Callable[[str], Actor]) -> None:
    jobs.use("  echo: {handler: 'H:echo'}")
    before = time.time()
    stock("echo").send_with_options(kwargs={"n": 3}, delay=60_000)
    assert jobs.claim(jobs.worker(), 1) == []
    (row,) = jobs.rows("SELECT * FROM zeke_jobs.queue")
    assert row["queue_name"] == "default"
    assert 59 < row["run_at"].timestamp() - before < 62
    assert "eta" not in row["message"]["options"]


def test_an_alias_becomes_the_canonical_id(jobs: Jobs, stock: Callable[[str], Actor]) -> None:
    jobs.use("  echo: {handler: 'H:echo', aliases: [old-echo]}")
    stock("old-echo").send(n=3)
    (row,) = jobs.rows("SELECT task, message->>'actor_name' AS actor FROM zeke_jobs.queue")
    assert row == {"task": "echo", "actor": "echo"}


def test_a_task_that_nobody_knows_waits_and_is_kept(jobs: Jobs, stock: Callable[[str], Actor]) -> None:
    jobs.use("  echo: {handler: 'H:echo'}")
    stock("unheard-of").send(n=3)
    assert jobs.claim(jobs.worker(), 1) == []
    (row,) = jobs.rows("SELECT task, state FROM zeke_jobs.queue")
    assert row == {"task": "unheard-of", "state": "queued"}
