"""``zeke-jobs capacity``: the number of jobs a day that a configuration can run, and the resource that runs out first."""

from functools import partial
from typing import Annotated, Any

from zeke_jobs.backtest.capacity import DAY, Bound
from zeke_jobs.backtest.capacity import capacity as of
from zeke_jobs.backtest.comparing import fleet_of
from zeke_jobs.cli import options
from zeke_jobs.cli.configuration.backtest import RECORDED, recorded
from zeke_jobs.cli.output import console, escape, listing, print_json, tell, when
from zeke_jobs.cli.queue.filters import with_options

_SHOWN = 8


@partial(with_options, added=RECORDED)
def capacity(
    given: dict[str, Any],
    budget: Annotated[
        float | None,
        options.option("Money that may be spent in a day, in the currency of the jobs' costs.", "MONEY", min=0),
    ] = None,
    database: Annotated[
        float | None, options.option("Measured jobs a second that the database carries.", "JOBS", min=1)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Estimate from recorded jobs the number of jobs a day that can run, and the resource that runs out first."""
    recording, _, proposed = recorded("capacity", given)
    fleet, fleet_from = (given["workers"], "as given") if "workers" in given else fleet_of(recording)
    jobs, bounds = of(recording.workload, proposed, fleet, budget=budget, database=database)
    if as_json:
        first = bounds[0] if bounds else None
        answer = {
            "from": recording.begin,
            "to": recording.end,
            "workers": str(fleet),
            "workers_from": fleet_from,
            "jobs_a_day": jobs,
            "carries": first and first.carries,
            "runs_out": first and first.name,
            "bounds": bounds,
        }
        print_json(answer)
        return
    tell(f"from jobs of {when(recording.begin)} to {when(recording.end)}, on {fleet} worker threads ({fleet_from})")
    _show(jobs, bounds)


def _show(jobs: dict[str, float], bounds: list[Bound]) -> None:
    if not bounds:
        console().print("the recorded jobs needed nothing that can run out")
        return
    first = bounds[0]
    columns = {
        "resource": lambda bound: bound.name,
        "supply": lambda bound: _amount(bound, bound.has),
        "needed": lambda bound: _amount(bound, bound.needs),
        "carries": lambda bound: f"{bound.carries:.1f}x",
        "for which tasks": lambda bound: ", ".join(bound.tasks[:3]),
    }
    listing(bounds[:_SHOWN], columns, right=tuple(columns)[1:-1])
    of_task = {
        "task": lambda one: one[0],
        "jobs a day": lambda one: f"{one[1]:,.0f}",
        "could be": lambda one: f"{one[1] * first.carries:,.0f}",
    }
    listing(list(jobs.items()), of_task, right=("jobs a day", "could be"))
    could = sum(jobs.values()) * first.carries
    times = f"{first.carries:.1f} times as many as were sent"
    tell(f"{could:,.0f} jobs a day, {times}; then {escape(first.name)} is used up")


def _amount(bound: Bound, value: float) -> str:
    if bound.kind == "budget":
        return f"{value * DAY:.2f}/d"
    if bound.kind in ("rate", "units", "database"):
        return f"{value * 60:.1f}/m" if value < 1 else f"{value:.1f}/s"
    return f"{value:.2f}".rstrip("0").rstrip(".")
