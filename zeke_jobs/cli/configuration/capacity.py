"""``zeke-jobs capacity``: the number of jobs a day that a configuration can run, and the resource that runs out first."""

from functools import partial
from typing import Annotated, Any

from zeke_jobs.backtest.capacity import Bound, Capacity, busiest_second
from zeke_jobs.backtest.capacity import capacity as of
from zeke_jobs.backtest.comparing import fleet_of
from zeke_jobs.backtest.history import Recording
from zeke_jobs.cli import options
from zeke_jobs.cli.configuration.backtest import RECORDED, recorded
from zeke_jobs.cli.configuration.check import find_modules_here
from zeke_jobs.cli.output import console, escape, listing, plain, print_json, tell, when
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
    find_modules_here()
    recording, _, proposed = recorded("capacity", given)
    fleet, fleet_from = (given["workers"], "as given") if "workers" in given else fleet_of(recording)
    found = of(recording.workload, proposed, fleet, budget=budget, database=database)
    busiest = busiest_second(recording.workload)
    if as_json:
        print_json(_as_data(found, recording, f"{fleet}", fleet_from, busiest))
        return
    tell(f"from jobs of {when(recording.begin)} to {when(recording.end)}, on {fleet} worker threads ({fleet_from})")
    _show(found)
    if database is None:
        carried = f"the database carried {busiest:.1f} jobs a second in the busiest minute"
        tell(f"{carried}; how many it would carry is not known here (--database)")


def _show(found: Capacity) -> None:
    first, peak = found.first, found.first_at_peak
    if first is None:
        console().print("the recorded jobs needed nothing that can run out")
        return
    columns = {
        "resource": lambda bound: bound.name,
        "supply": lambda bound: _amount(bound, bound.has),
        "needed": lambda bound: _amount(bound, bound.needs),
        "in the busiest hour": lambda bound: _amount(bound, bound.needs_at_peak),
        "carries": lambda bound: f"{bound.carries:.1f}x",
        "through that hour": lambda bound: f"{bound.carries_at_peak:.1f}x",
        "for which tasks": lambda bound: ", ".join(bound.tasks[:3]),
    }
    listing(found.bounds[:_SHOWN], columns, right=tuple(columns)[1:-1])
    of_task = {
        "task": lambda one: one[0],
        "jobs a day": lambda one: f"{one[1]:,.0f}",
        "could be": lambda one: f"{one[1] * first.carries:,.0f}",
    }
    listing(list(found.jobs.items()), of_task, right=("jobs a day", "could be"))
    could = sum(found.jobs.values()) * first.carries
    times = f"{first.carries:.1f} times as many as were sent"
    tell(f"{could:,.0f} jobs a day, {times}; then {escape(first.name)} is used up")
    if peak is not None and peak.carries_at_peak < first.carries:
        behind = f"the busiest hour falls behind for want of {escape(peak.name)}, and is made up for later"
        tell(f"from {peak.carries_at_peak:.1f} times on, {behind}")


def _amount(bound: Bound, value: float) -> str:
    if bound.kind == "budget":
        return f"{value * 86_400:.2f}/d"
    if bound.kind in ("rate", "units", "database"):
        return f"{value * 60:.1f}/m" if value < 1 else f"{value:.1f}/s"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _as_data(found: Capacity, recording: Recording, fleet: str, fleet_from: str, busiest: float) -> dict[str, Any]:
    first = found.first
    return {
        "from": recording.begin,
        "to": recording.end,
        "workers": fleet,
        "workers_from": fleet_from,
        "jobs_a_day": found.jobs,
        "carries": first.carries if first else None,
        "runs_out": first.name if first else None,
        "bounds": [
            {**plain(bound), "carries": bound.carries, "carries_at_peak": bound.carries_at_peak}
            for bound in found.bounds
        ],
        "database_carried": busiest,
    }
