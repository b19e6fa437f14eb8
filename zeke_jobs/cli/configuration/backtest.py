"""Runs ``zeke-jobs backtest``, which simulates a change, and ``capacity``, which estimates the maximum load."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Any

from zeke_jobs import config
from zeke_jobs.backtest import comparing, history, load_file, plot as plotting
from zeke_jobs.backtest.capacity import DAY, Bound, capacity as of
from zeke_jobs.backtest.comparing import fleet_of
from zeke_jobs.backtest.workload import Fleet, Workload
from zeke_jobs.cli import database
from zeke_jobs.cli.configuration import backtest_report
from zeke_jobs.cli.configuration.apply import read_assignment
from zeke_jobs.cli.options import Json, option, time, with_options
from zeke_jobs.cli.output import answer, escape, listing, print_json, tell, when
from zeke_jobs.cli.run import UsageError
from zeke_jobs.config import Edit
from zeke_jobs.config.models import Config
from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.revisions import overrides, store


def read_load(text: str) -> float:
    """Read a load such as ``3x`` or ``0.5x``."""
    match = re.fullmatch(r"(\d{1,4}(?:\.\d{1,3})?)x?", text)
    if match is None or not float(match[1]):
        raise UsageError(f"expected a load such as 3x or 0.5x, got {text!r}")
    return float(match[1])


def read_workers(text: str) -> Fleet:
    """Read numbers of processes and threads such as ``2x8``."""
    match = re.fullmatch(r"([1-9]\d{0,3})x([1-9]\d{0,3})", text)
    if match is None:
        raise UsageError(f"expected workers as PROCESSESxTHREADS, such as 2x8, got {text!r}")
    return Fleet(int(match[1]), int(match[2]))


#: These are the options of a simulation of recorded jobs.
RECORDED: dict[str, Any] = {
    "file": Annotated[Path | None, option("The jobs.yaml to try; by default the revision in force.", "FILE")],
    "set_": Annotated[
        list[str] | None,
        option("Try a value, such as my-task.concurrency=3; may be given again.", "KEY=VALUE", "--set"),
    ],
    "begin": Annotated[datetime | None, time("Jobs from this time on; by default the last day's.", "--from")],
    "end": Annotated[datetime | None, time("Jobs until this time; by default now.", "--to")],
    "workers": Annotated[
        Fleet | None,
        option(
            "P processes of T threads, such as 2x8; by default as now, with --spec 1x8.", "PxT", parser=read_workers
        ),
    ],
}


@partial(with_options, added=RECORDED)
def backtest(
    given: dict[str, Any],
    load: Annotated[str, option("Send N times as much.", "Nx")] = "1x",
    spec: Annotated[Path | None, option("Simulate the load in this file, instead of recorded jobs.", "FILE")] = None,
    plot: Annotated[Path | None, option("Draw queues and waits over time, as .png, .svg or .pdf.", "FILE")] = None,
    seed: Annotated[int, option("Seed of random choices; the same seed gives the same answer.", "N")] = 0,
    as_json: Json = False,
) -> None:
    """Simulate how workers would run the recorded jobs, without and with the change."""
    if plot is not None:
        plotting.check(plot)
    factor = read_load(load)
    workload, in_force, proposed = described(spec, given, seed) if spec else recorded("backtest", given)
    differs = given.keys() & ({"set_"} if spec else {"file", "set_", "workers"}) or factor != 1.0
    change: dict[str, Any] = {"workers": given.get("workers"), "load": factor, "seed": seed}
    answer = comparing.backtest(workload, in_force, proposed if differs else None, **change)
    if plot is not None:
        plotting.draw(answer, plot)
    if as_json:
        print_json(backtest_report.as_data(answer))
    else:
        backtest_report.show(answer)


def described(spec: Path, given: dict[str, Any], seed: int) -> tuple[Workload, Config, Config]:
    """Return the jobs that the file ``spec`` describes, the configuration under which they run, and the configuration to try."""
    if "end" in given:
        raise UsageError("expected --spec without --to, got both\n  help: the file says for how long, as length: 1d")
    file = given.get("file") or environment.config_path()
    base = config.load(file, handlers=False)
    stanza = load_file.load_text(config.read_text(spec), str(spec), base)
    begin = given.get("begin") or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    made = load_file.synthesize(stanza, base, begin, given.get("workers") or Fleet(), seed=seed)
    return made, base, _with_values(base, str(file), (), given)


def recorded(command: str, given: dict[str, Any]) -> tuple[Workload, Config, Config]:
    """Return the recorded jobs of a period, the configuration in force, and the configuration to try.

    The configuration to try is a file or the revision in force, with the values of ``--set``. Raises ZekeJobsError if
    no revision is in force or no job was recorded.
    """
    file = given.get("file")
    with database.connection(command) as conn:
        revision = store.latest(conn)
        if revision is None:
            help_ = "start a worker, or try a load that you describe: --spec FILE"
            raise ConfigurationError(f"expected a revision in force, got none\n  help: {help_}")
        in_force = revision.config(handlers=False)
        base = in_force if file is None else config.load(file, handlers=False)
        by_hand = revision.overrides if file is None else overrides.carried(base, revision.overrides)[0]
        name = str(file or f"revision {revision.number}")
        proposed = _with_values(base, name, store.edits(by_hand), given)
        first, last = history.period(conn, given.get("begin"), given.get("end"))
        if first >= last:
            raise UsageError(f"expected --from before --to, got {when(first)} and {when(last)}")
        found = history.read(conn, in_force, first, last)
    if next(found.jobs(), None) is None:
        help_ = "name another time with --from and --to, or describe a load with --spec"
        raise UsageError(f"expected recorded jobs from {when(first)} to {when(last)}, got none\n  help: {help_}")
    return found, in_force, proposed


def _with_values(base: Config, name: str, edits: Sequence[Edit], given: dict[str, Any]) -> Config:
    new = [read_assignment(assignment, base) for assignment in given.get("set_", ())]
    name += " with --set" if new else ""
    return config.load_text(base.text, name, handlers=False, edits=[*edits, *new])


_SHOWN = 8


@partial(with_options, added=RECORDED)
def capacity(
    given: dict[str, Any],
    budget: Annotated[float | None, option("Money a day, in the currency of the jobs' costs.", "MONEY", min=0)] = None,
    database: Annotated[float | None, option("Jobs a second that the database carries.", "JOBS", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Estimate how many jobs like the recorded ones can run in a day, and which resource runs out first."""
    workload, _, proposed = recorded("capacity", given)
    fleet, fleet_from = (given["workers"], "as given") if "workers" in given else fleet_of(workload)
    jobs, bounds = of(workload, proposed, fleet, budget=budget, database=database)
    first = next(iter(bounds), None)
    begin, end = workload.period
    data = {"from": begin, "to": end, "workers": str(fleet), "workers_from": fleet_from}
    ends = {"carries": first and first.carries, "runs_out": first and first.name, "bounds": bounds}
    times = f"from jobs of {when(begin)} to {when(end)}"
    answer({**data, "jobs_a_day": jobs, **ends}, f"{times}, on {fleet} worker threads ({fleet_from})", as_json=as_json)
    if not as_json and first is None:
        tell("the recorded jobs needed nothing that can run out")
    elif not as_json:
        _show(jobs, bounds)


def _show(jobs: dict[str, float], bounds: list[Bound]) -> None:
    first = bounds[0]
    columns = {
        "resource": "name",
        "supply": lambda bound: _amount(bound, bound.has),
        "needed": lambda bound: _amount(bound, bound.needs),
        "carries": lambda bound: f"{bound.carries:.1f}x",
        "for which tasks": lambda bound: ", ".join(bound.tasks[:3]),
    }
    listing(bounds[:_SHOWN], columns, right=tuple(columns)[1:-1])
    numbers = {"jobs a day": lambda one: f"{one[1]:,.0f}", "could be": lambda one: f"{one[1] * first.carries:,.0f}"}
    listing(list(jobs.items()), {"task": itemgetter(0), **numbers}, right=tuple(numbers))
    could = sum(jobs.values()) * first.carries
    times = f"{first.carries:.1f} times as many as were sent"
    tell(f"{could:,.0f} jobs a day, {times}; then {escape(first.name)} is used up")


def _amount(bound: Bound, value: float) -> str:
    if bound.kind == "budget":
        return f"{value * DAY:.2f}/d"
    if bound.kind in ("rate", "units", "database"):
        return f"{value * 60:.1f}/m" if value < 1 else f"{value:.1f}/s"
    return f"{value:.2f}".rstrip("0").rstrip(".")
