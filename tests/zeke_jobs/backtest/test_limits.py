from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from psycopg2.extensions import connection as Connection

from tests.each import each
from tests.fleet import scalar
from zeke_jobs.backtest.limits import next_midnight


@each(
    ("zone", "moment"),
    [
        ("UTC", datetime(2026, 3, 10, 0, 0, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 28, 23, 30, tzinfo=UTC)),
        ("America/Havana", datetime(2026, 10, 31, 12, 0, tzinfo=UTC)),  # Midnight happens twice.
        ("America/Santiago", datetime(2026, 9, 5, 12, 0, tzinfo=UTC)),  # Midnight does not happen.
        ("America/Santiago", datetime(2026, 4, 5, 2, 30, tzinfo=UTC)),
        ("Asia/Kathmandu", datetime(2026, 3, 10, 18, 14, 59, tzinfo=UTC)),
    ],
)
def test_a_day_ends_when_postgres_says_so(conn: Connection, zone: str, moment: datetime) -> None:
    sql = "SELECT extract(epoch FROM ((%s AT TIME ZONE %s)::date + 1)::timestamp AT TIME ZONE %s)::float"
    assert next_midnight(moment.timestamp(), ZoneInfo(zone)) == scalar(conn, sql, moment, zone, zone)
