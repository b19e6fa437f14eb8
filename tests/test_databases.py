"""No test's data reaches another test's database."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from tests.conftest import databases
from zeke_jobs.postgres.pool import AddressError, connect


def test_a_database_ends_with_its_test_and_so_do_the_sessions_in_it(server_url: str, template: str) -> None:
    with databases(server_url) as make:
        url = make(template)
        left = connect(url)
        left.cursor().execute("BEGIN; LOCK TABLE zeke_jobs.queue; SELECT pg_advisory_lock(1)")
    with pytest.raises(psycopg2.OperationalError):
        left.cursor().execute("SELECT 1")
    with pytest.raises(AddressError):
        connect(url)
    with databases(server_url) as make, closing(connect(make(template))) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(1), (SELECT count(*) FROM zeke_jobs.queue)")
        assert cursor.fetchone() == (True, 0)
