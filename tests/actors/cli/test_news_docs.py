"""docs/news.md leaves no command and no option out, and the list of commands is whole."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from actors.cli.app import app

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "news.md").read_text(encoding="utf-8")


def options(command: Any, path: str = "") -> Iterator[tuple[str, str]]:
    for name, each in getattr(command, "commands", {}).items():
        yield from options(each, f"{path} {name}".strip())
    if path:
        yield path, ""
    for parameter in command.params:
        for option in parameter.opts:
            if option.startswith("--") and option != "--help":
                yield path, option


def test_every_command_and_option_is_documented() -> None:
    there = options(typer.main.get_command(app()))
    assert [one for one in there if f"`{one[0]}" not in PAGE or one[1] not in PAGE] == []


def commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in getattr(command, "commands", {}).items():
        yield f"{path} {name}".strip(), each
        yield from commands(each, f"{path} {name}".strip())


def test_a_command_is_listed_with_a_whole_sentence_that_fits_the_line() -> None:
    for path, command in commands(typer.main.get_command(app())):
        said = command.get_short_help_str(61)
        assert re.fullmatch(r".{,58}[^.]\.", said), path
