"""``zeke-jobs doctor``: what is wrong with the whole, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import console, escape, plain, print_json
from zeke_jobs.cli.run import FAILED

if TYPE_CHECKING:
    from zeke_jobs.cli.output import Console
    from zeke_jobs.diagnosis.doctor import Report

_STYLES = {"critical": "bold red", "warning": "yellow", "notice": "cyan"}


def doctor(as_json: options.Json = False) -> None:
    """Examine database, workers, scheduler and jobs. Exit 0 when all is well (notices aside), 1 when something is wrong."""
    from zeke_jobs.diagnosis.doctor import examine

    report = examine(database.choose())
    if as_json:
        print_json({"healthy": report.is_healthy, **plain(report)})
    else:
        _show(console(), report)
    if not report.is_healthy:
        raise typer.Exit(FAILED)


def _show(out: Console, report: Report) -> None:
    from zeke_jobs.diagnosis.doctor import CHECKS

    for one in report.findings:
        out.print(f"[{_STYLES[one.severity]}]{one.severity:<8}[/] {one.id}: {escape(one.sentence)}", soft_wrap=True)
        out.print(f"         [green]{escape(one.help)}[/]", soft_wrap=True)
    for check in CHECKS:
        if check.name in report.fine:
            out.print(f"[dim]fine     {check.name}: {check.fine}[/]", soft_wrap=True)
    for name in report.skipped:
        out.print(f"[dim]skipped  {name}[/]", soft_wrap=True)
