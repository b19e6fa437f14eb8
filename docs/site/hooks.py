"""Adds generated parts to two pages of the site: the help of every command, and every key of jobs.yaml."""  # noqa: INP001

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def on_page_markdown(markdown: str, *, page: Any, **_: object) -> str:
    """MkDocs calls this for each page before it renders the page."""
    match page.file.src_uri:
        case "command-line.md":
            return f"{markdown}\n{commands()}"
        case "jobs-yaml.md":
            return f"{markdown}\n{keys()}"
    return markdown


def commands() -> str:
    """The ``--help`` of each command."""
    import typer.main

    from zeke_jobs.cli.root import app

    parts = ["## The help of each command\n", "Generated from the commands when this site was built.\n"]
    for name, text in _helps(typer.main.get_command(app()), "zeke-jobs", None):
        parts.append(f"### {name} --help\n\n```text\n{text.rstrip()}\n```\n")
    return "\n".join(parts)


def _helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    context = command.make_context(
        name.rpartition(" ")[2], [], parent=parent, resilient_parsing=True, max_content_width=100
    )
    context.terminal_width = 100
    yield name, command.get_help(context)
    for sub, found in sorted(getattr(command, "commands", {}).items()):
        yield from _helps(found, f"{name} {sub}", context)


def keys() -> str:
    """Every key of jobs.yaml with its type, default and meaning, from the JSON Schema of the models."""
    from zeke_jobs.config.json_schema import json_schema

    schema = json_schema()
    parts = [
        "## Every key, from the models\n",
        "Generated from the JSON Schema of this version (`zeke-jobs schema`) when this site was built.\n",
    ]
    parts.append(_table("the file", schema))
    parts += [
        _table(name.removesuffix("Keys"), part)
        for name, part in schema.get("$defs", {}).items()
        if "properties" in part
    ]
    return "\n".join(parts)


def _table(name: str, part: dict[str, Any]) -> str:
    lines = [f"### {name}\n", "| key | type | default | meaning |", "|---|---|---|---|"]
    required = part.get("required", [])
    for key, value in part["properties"].items():
        default = "required" if key in required else _code(value.get("default"))
        meaning = " ".join(str(value.get("description", "")).split())
        lines.append(f"| `{key}` | {_escaped(_type(value))} | {_escaped(default)} | {_escaped(meaning)} |")
    return "\n".join(lines) + "\n"


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2].removesuffix("Keys")
    if "anyOf" in value or "oneOf" in value:
        return " or ".join(dict.fromkeys(_type(one) for one in value.get("anyOf", value.get("oneOf", []))))
    if "const" in value or "enum" in value:
        return " or ".join(f"`{one}`" for one in value.get("enum", [value.get("const")]))
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}))}"
    if isinstance(value.get("additionalProperties"), dict):
        return f"mapping of {_type(value['additionalProperties'])}"
    kind = value.get("type", "anything")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _code(value: object) -> str:
    return "" if value is None else f"`{value}`"


def _escaped(text: str) -> str:
    return re.sub(r"\|", r"\\|", text)
