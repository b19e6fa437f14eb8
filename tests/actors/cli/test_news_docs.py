"""docs/news.md describes each command and option, and its list of commands is complete."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from actors.cli.app import app

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "news.md").read_text(encoding="utf-8")


def commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in getattr(command, "commands", {}).items():
        yield f"{path} {name}".strip(), each
        yield from commands(each, f"{path} {name}".strip())


ALL = list(commands(typer.main.get_command(app())))


def test_every_command_and_option_is_documented() -> None:
    options = [(path, option) for path, each in ALL for one in each.params for option in one.opts]
    there = [(path, option) for path, option in options if option.startswith("--") and option != "--help"]
    assert [path for path, _ in ALL if f"`{path}" not in PAGE] == []
    assert [one for one in there if one[1] not in PAGE] == []


def test_a_command_is_listed_with_a_whole_sentence_that_fits_the_line() -> None:
    assert len(ALL) > 20
    assert [path for path, one in ALL if not re.fullmatch(r".{,58}[^.]\.", one.get_short_help_str(61))] == []
