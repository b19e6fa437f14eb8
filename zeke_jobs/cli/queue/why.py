"""``zeke-jobs why``: why a job does not run, runs, or ended as it did."""

from __future__ import annotations

from contextlib import closing
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import console, escape, plain, print_json, styled
from zeke_jobs.cli.run import UsageError

if TYPE_CHECKING:
    from zeke_jobs.cli.output import Console
    from zeke_jobs.diagnosis.reasons import Reason
    from zeke_jobs.diagnosis.why import Explanation


def why(
    job_id: Annotated[str, typer.Argument(metavar="JOB", help="The job's id.", show_default=False)],
    as_json: options.Json = False,
) -> None:
    """Say why a job does not run, or how it ended and why. Exit 0 when that was said, 1 when no job has the id."""
    from zeke_jobs.client.options import as_id
    from zeke_jobs.diagnosis.why import why as explain
    from zeke_jobs.postgres.pool import connect

    try:
        wanted = as_id("id", job_id)
    except ValueError as error:
        raise UsageError(str(error)) from error
    with closing(connect(database.choose(), application_name="zeke-jobs why")) as conn:
        found = explain(conn, wanted)
    if as_json:
        print_json(as_data(found))
    else:
        show(console(), found)


def as_data(found: Explanation) -> dict[str, Any]:
    """An explanation as JSON has it: each reason with its kind, its sentence and its figures."""
    data: dict[str, Any] = plain(found)
    for part in ("reasons", "history"):
        for one in data[part]:
            one.update(one.pop("figures"))
    return data


def show(out: Console, found: Explanation) -> None:
    """Write an explanation for people."""
    out.print(f"[bold]{found.id}[/] {escape(found.task)} {styled(found.status)}", soft_wrap=True)
    for reason in found.reasons:
        _line(out, reason, "")
    for past in found.history:
        _line(out, past, "dim")


def _line(out: Console, reason: Reason, style: str) -> None:
    _indented(out, reason.sentence, 2, style)
    if reason.help:
        _indented(out, reason.help, 6, "green")


def _indented(out: Console, text: str, by: int, style: str) -> None:
    indent = " " * by
    lines = wrap(
        text,
        out.width,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    out.print("\n".join(lines), style=style, markup=False, soft_wrap=True)
