"""``zeke-jobs schema``: the JSON Schema of jobs.yaml, for editors."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 (typer reads the annotation)
from typing import Annotated

import typer

from zeke_jobs.cli.output import console, escape, say


def schema(
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Write it there, and say what to name in jobs.yaml.")
    ] = None,
) -> None:
    """Print the JSON Schema of jobs.yaml, from which editors complete and explain its keys."""
    from zeke_jobs.config.json_schema import COMMENT, VERSION

    text = as_text()
    if write is None:
        say(text, end="")
        return
    write.write_text(text, encoding="utf-8")
    console().print(f"{escape(str(write))} written; the first line of jobs.yaml names it:", soft_wrap=True)
    console().print(COMMENT.format(path=write, version=VERSION), soft_wrap=True, markup=False)


def as_text() -> str:
    """The schema as the file that is kept in git."""
    from zeke_jobs.config.json_schema import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
