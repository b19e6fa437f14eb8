import pytest

from tests.zeke_jobs.worker.conftest import load
from zeke_jobs.backtest.capacity import Bound, capacity
from zeke_jobs.backtest.workload import Attempt, Fleet, Job, Workload


def carried(tasks: str, top: str = "", fleet: Fleet = Fleet(1, 8), **bounds: float) -> list[Bound]:  # noqa: B008
    """Return the bounds for a day with a job of ``a`` each minute (30 s) and a job of ``b`` each hour (6 min)."""
    made = Workload(end=86_400, currency="USD")
    for minute in range(1440):
        made.roots.append(Job("a", 60.0 * minute, (Attempt(30),), cost=0.01, key=f"host {minute % 2}"))
    for hour in range(24):
        made.roots.append(Job("b", 3600.0 * hour, (Attempt(360),)))
    return capacity(made, load(tasks, top), fleet, **bounds)[1]


def test_a_limit_runs_out_before_the_threads() -> None:
    found = carried("  a: {handler: 'H:echo', concurrency: 1}\n  b: {handler: 'H:echo', concurrency: 1}")
    assert [bound.name for bound in found] == ["task/a", "task/b", "threads"]
    assert [bound.carries for bound in found] == pytest.approx([2, 10, 8 / 0.6])


def test_a_rate_the_money_and_the_database_run_out_too() -> None:
    found = carried("  a: {handler: 'H:echo', rate: 90/h}\n  b: {handler: 'H:echo'}", budget=28.8, database=1.0)
    carries = {bound.name: bound.carries for bound in found}
    assert carries["task/a rate"] == pytest.approx(1.5, rel=1e-3)
    assert carries["budget"] == pytest.approx(2)
    assert carries["database"] == pytest.approx(86_400 / 1464)


def test_units_count_by_their_estimates_for_each_attempt() -> None:
    tasks = "  a: {handler: 'H:echo', uses: [ai], units: {tokens: 1500}}\n  b: {handler: 'H:echo'}"
    first = carried(tasks, "limits: {ai: {tokens: {rate: 4500/m}}}")[0]
    assert (first.name, first.tasks) == ("limit/ai tokens", ("a",))
    assert (first.needs, first.carries) == pytest.approx((25, 3), rel=0.01)


def test_a_budget_counts_recorded_costs_and_where_there_is_none_the_estimate() -> None:
    # Task a costs 14.40 USD a day; b has no recorded costs, so its estimate is 24 times 0.60.
    tasks = "  a: {handler: 'H:echo', uses: [ai]}\n  b: {handler: 'H:echo', budget: 28.80 USD/d, units: {USD: 0.60}}"
    carries = {bound.name: bound.carries for bound in carried(tasks, "limits: {ai: {budget: 21.60 USD/d}}")}
    assert carries["limit/ai budget"] == pytest.approx(1.5)
    assert carries["task/b budget"] == pytest.approx(2)
