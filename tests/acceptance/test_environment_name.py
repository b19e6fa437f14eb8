"""Processes that are pointed at another environment's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fleet import scalar

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from tests.fleet import Fleet

pytestmark = pytest.mark.acceptance


@pytest.mark.parametrize("kind", ["workers", "scheduler"])
def test_a_process_of_another_environment_ends_before_it_does_anything(
    fleet: Fleet, conn: Connection, kind: str
) -> None:
    with conn.cursor() as cursor:
        cursor.execute("UPDATE zeke_jobs.installation SET name = 'production'")
    fleet.configure("version: 1\ntasks: {work: {handler: 'H:work'}}")
    command = getattr(fleet, kind)(ZEKE_JOBS_ENVIRONMENT="staging")
    assert command.wait(30) == 2
    assert "expected the database of environment 'staging', got that of 'production'" in command.text()
    assert scalar(conn, "SELECT count(*) FROM zeke_jobs.task") == 0
