"""``zeke-jobs capacity``: how many jobs a day a configuration carries, and what runs out first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeke_jobs.cli import options  # noqa: TC001 (typer reads the annotation)
from zeke_jobs.cli.configuration.backtest import (
    Assignments,
    Begin,
    End,
    File,
    Workers,
    latest,
    proposal_of,
    read_workers,
    recorded,
)
from zeke_jobs.cli.configuration.check import find_modules_here
from zeke_jobs.cli.configuration.plan import connection
from zeke_jobs.cli.output import console, escape, plain, print_json, table, when

if TYPE_CHECKING:
    from datetime import datetime

    from zeke_jobs.backtest.capacity import Bound, Capacity
    from zeke_jobs.backtest.simulation import Fleet

_SHOWN = 8


def capacity(
    file: File = None,
    assignments: Assignments = None,
    begin: Begin = None,
    end: End = None,
    workers: Workers = None,
    budget: Annotated[
        float | None,
        typer.Option(metavar="MONEY", help="What may be spent in a day, as the jobs' costs are counted.", min=0),
    ] = None,
    database: Annotated[
        float | None, typer.Option(metavar="JOBS", help="Jobs a second that the database carries, as measured.", min=1)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Say from the recorded jobs how many a day would be carried, and what runs out first."""
    from zeke_jobs.backtest.capacity import busiest_second
    from zeke_jobs.backtest.capacity import capacity as of
    from zeke_jobs.backtest.comparing import fleet_of

    given = read_workers(workers)
    find_modules_here()
    with connection("capacity") as conn:
        revision = latest(conn)
        proposed = proposal_of(revision, file, assignments or [])
        recording = recorded(conn, revision.config(handlers=False), begin, end, seed=0)
    fleet, fleet_from = (given, "as given") if given else fleet_of(recording)
    found = of(recording.workload, proposed, fleet, budget=budget, database=database)
    busiest = busiest_second(recording.workload)
    if as_json:
        print_json(_as_data(found, recording.begin, recording.end, fleet, fleet_from, busiest))
    else:
        _show(found, recording.begin, recording.end, fleet, fleet_from)
        if database is None:
            carried = f"the database carried {busiest:.1f} jobs a second in the busiest minute"
            console().print(f"{carried}; how many it would carry is not known here (--database)", soft_wrap=True)


def _show(found: Capacity, begin: datetime, end: datetime, fleet: Fleet, fleet_from: str) -> None:
    out = console()
    out.print(f"from jobs of {when(begin)} to {when(end)}, on {fleet} worker threads ({fleet_from})", soft_wrap=True)
    first = found.first
    if first is None:
        out.print("the recorded jobs needed nothing that can run out")
        return
    numbers = ("there is", "needed", "in the busiest hour", "carries", "through that hour")
    shown = table("what runs out", *numbers, "for which tasks", right=numbers)
    for bound in found.bounds[:_SHOWN]:
        shown.add_row(
            escape(bound.name),
            *(_amount(bound, value) for value in (bound.has, bound.needs, bound.needs_at_peak)),
            f"{bound.carries:.1f}x",
            f"{bound.carries_at_peak:.1f}x",
            escape(", ".join(bound.tasks[:3])),
        )
    out.print(shown)
    jobs = table("task", "jobs a day", "could be", right=("jobs a day", "could be"))
    for name, daily in found.jobs.items():
        jobs.add_row(escape(name), f"{daily:,.0f}", f"{daily * first.carries:,.0f}")
    out.print(jobs)
    could = sum(found.jobs.values()) * first.carries
    out.print(
        f"{could:,.0f} jobs a day, {first.carries:.1f} times as many as were sent; then {escape(first.name)} is used up",
        soft_wrap=True,
    )
    peak = found.first_at_peak
    if peak is not None and peak.carries_at_peak < first.carries:
        behind = (
            f"from {peak.carries_at_peak:.1f} times on, the busiest hour falls behind for want of {escape(peak.name)}"
        )
        out.print(f"{behind}, and is made up for later", soft_wrap=True)


def _amount(bound: Bound, value: float) -> str:
    if bound.kind == "budget":
        return f"{value * 86_400:.2f}/d"
    if bound.kind in ("rate", "database"):
        return f"{value * 60:.1f}/m" if value < 1 else f"{value:.1f}/s"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _as_data(
    found: Capacity, begin: datetime, end: datetime, fleet: Fleet, fleet_from: str, busiest: float
) -> dict[str, Any]:
    first = found.first
    return {
        "from": begin,
        "to": end,
        "workers": str(fleet),
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
