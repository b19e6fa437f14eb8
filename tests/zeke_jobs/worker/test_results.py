"""``message.get_result()``: dramatiq's way to an output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dramatiq.message import Message
from dramatiq.results import ResultFailure, ResultMissing, ResultTimeout

import zeke_jobs
from zeke_jobs.worker.results import JobResultBackend

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg2.extensions import connection as Connection


@pytest.fixture(autouse=True)
def tasks(make_task: Callable[..., None]) -> None:
    make_task("anything", None)


def message_of(job_id: object) -> Message:
    return Message("default", "anything", (), {}, {}, message_id=str(job_id))


def end(conn: Connection, job_id: object, state: str, result: str | None = None) -> None:
    with conn.cursor() as cursor:
        cursor.execute(
            "UPDATE zeke_jobs.queue SET state = %s, result = %s, attempts = %s WHERE message_id = %s",
            (state, result, '[{"error": {"type": "OSError", "message": "no route"}}]', str(job_id)),
        )


@pytest.mark.parametrize("output", ['{"n": 1}', "[1]", '"text"', "null"])
def test_the_result_is_the_output(conn: Connection, output: str) -> None:
    sent = zeke_jobs.send("anything")
    end(conn, sent.id, "done", output)
    backend = JobResultBackend()
    for block in (False, True):
        assert (
            message_of(sent.id).get_result(backend=backend, block=block)
            == {
                '{"n": 1}': {"n": 1},
                "[1]": [1],
                '"text"': "text",
                "null": None,
            }[output]
        )


def test_a_job_that_has_not_ended_has_no_result_yet() -> None:
    sent = zeke_jobs.send("anything")
    with pytest.raises(ResultMissing):
        message_of(sent.id).get_result(backend=JobResultBackend())
    with pytest.raises(ResultTimeout):
        message_of(sent.id).get_result(backend=JobResultBackend(), block=True, timeout=10)


def test_the_result_of_a_failed_job_is_its_failure(conn: Connection) -> None:
    sent = zeke_jobs.send("anything")
    end(conn, sent.id, "rejected")
    with pytest.raises(ResultFailure, match="no route") as failed:
        message_of(sent.id).get_result(backend=JobResultBackend(), block=True)
    assert (failed.value.orig_exc_type, failed.value.orig_exc_msg) == ("OSError", "no route")
