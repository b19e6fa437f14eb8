"""``zeke-jobs why``: the reasons why a job waits, runs, or ended as it did."""

from collections.abc import Sequence
from textwrap import TextWrapper

from zeke_jobs.cli import database, options
from zeke_jobs.cli.output import console, escape, print_json, say, styled, tell
from zeke_jobs.diagnosis.reasons import Reason, told
from zeke_jobs.diagnosis.why import why as explain


def why(
    job_id: options.JobId,
    as_json: options.Json = False,
) -> None:
    """Explain why a job does not run, or how it ended and why. Exit 1 if no job has the id."""
    wanted = options.find_job(job_id)
    with database.connection("why", is_migrated=False) as conn:
        found = explain(conn, wanted)
    if as_json:
        print_json(found)
        return
    tell(f"[bold]{found.id}[/] {escape(found.task)} {styled(found.status)}")
    for key, value in found.about.items():
        _indented(f"{key}: {value}", 2, "dim")
    show_reasons(found.reasons, found.history)


def show_reasons(reasons: Sequence[Reason], history: Sequence[Reason] = ()) -> None:
    """Print reasons and the past, each sentence wrapped, the lines of tracebacks as they are."""
    for indent, style, text in told(reasons, history):
        if style == "red":
            say(" " * indent + text)
        else:
            _indented(text, indent, style)


def _indented(text: str, by: int, style: str) -> None:
    out, indent = console(), " " * by
    wrapper = TextWrapper(out.width, initial_indent=indent, subsequent_indent=indent)
    wrapper.break_long_words = wrapper.break_on_hyphens = False
    out.print(wrapper.fill(text), style=style, markup=False, soft_wrap=True)
