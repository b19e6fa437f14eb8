from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from psycopg2.extensions import connection as Connection

from tests.each import each
from tests.fleet import scalar
from tests.zeke_jobs.backtest.conftest import echoes
from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest.capacity import Bound, capacity
from zeke_jobs.backtest.limits import next_midnight
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload


def carried(a: str, b: str = "", top: str = "", **bounds: float) -> list[Bound]:
    """Return the bounds for a day with a job of ``a`` each minute (30 s) and a job of ``b`` each hour (6 min)."""
    made = Workload(end=86_400, currency="USD")
    for minute in range(1440):
        made.roots.append(Job("a", 60.0 * minute, (Attempt(30),), cost=0.01, key=f"host {minute % 2}"))
    for hour in range(24):
        made.roots.append(Job("b", 3600.0 * hour, (Attempt(360),)))
    return capacity(made, load(echoes(a=a, b=b), top), Fleet(1, 8), **bounds)[1]


def test_each_bound_carries_the_load_until_it_is_used_up() -> None:
    found = carried("concurrency: 1", "concurrency: 1")
    assert [bound.name for bound in found] == ["task/a", "task/b", "threads"]
    assert [bound.carries for bound in found] == pytest.approx([2, 10, 8 / 0.6])
    carries = {bound.name: bound.carries for bound in carried("rate: 90/h", budget=28.8, database=1.0)}
    assert carries["task/a rate"] == pytest.approx(1.5, rel=1e-3)
    assert (carries["budget"], carries["database"]) == pytest.approx((2, 86_400 / 1464))


def test_units_count_by_their_estimates_and_a_budget_by_recorded_costs_where_there_are_some() -> None:
    first = carried("uses: [ai], units: {tokens: 1500}", top="limits: {ai: {tokens: {rate: 4500/m}}}")[0]
    assert (first.name, first.tasks) == ("limit/ai tokens", ("a",))
    assert (first.needs, first.carries) == pytest.approx((25, 3), rel=0.01)
    # Task a costs 14.40 USD a day; b has no recorded costs, so its estimate is 24 times 0.60.
    found = carried("uses: [ai]", "budget: 28.80 USD/d, units: {USD: 0.60}", "limits: {ai: {budget: 21.60 USD/d}}")
    carries = {bound.name: bound.carries for bound in found}
    assert (carries["limit/ai budget"], carries["task/b budget"]) == pytest.approx((1.5, 2))


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
def test_the_day_of_a_budget_ends_when_postgres_says_so(conn: Connection, zone: str, moment: datetime) -> None:
    sql = "SELECT extract(epoch FROM ((%s AT TIME ZONE %s)::date + 1)::timestamp AT TIME ZONE %s)::float"
    assert next_midnight(moment.timestamp(), ZoneInfo(zone)) == scalar(conn, sql, moment, zone, zone)
