"""The JSON Schema of jobs.yaml, for editors: completion, hover text, and a first look at what is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zeke_jobs.config import limits, models, schedules
from zeke_jobs.config.diagnostics import split_lines
from zeke_jobs.core.diagnostic import Diagnostic

if TYPE_CHECKING:
    from zeke_jobs.config.keys import Keys

#: Raised when something is no longer accepted; the first line of a jobs.yaml names the one that it was written by.
VERSION = 2
COMMENT = "# yaml-language-server: $schema={path} version={version}"
_COMMENT = re.compile(r"^#\s+yaml-language-server\s*:.*\$schema=\S+.*?\bversion=(?P<version>\S+)")
_ABOUT = {"title", "description", "examples", "default"}
MODELS_BY_NAME: dict[str, type[Keys]] = {**vars(limits), **vars(schedules), **vars(models)}
"""The models of all mappings in the file, by name."""
_WORDS = {"ge": "minimum", "le": "maximum"}  # pydantic leaves them as they are behind a validator of ours


def json_schema() -> dict[str, Any]:
    """The schema, made from the models that read the file."""
    made = models.File.model_json_schema(by_alias=True)
    shorts: dict[str, Any] = {}
    for name, part in made["$defs"].items():
        model = MODELS_BY_NAME[name]
        if model.required:
            part["required"] = list(model.required)
        if model.short_form is not None:
            own = _plain(part["properties"][model.short_form[0]], {})
            shorts[f"#/$defs/{name}"] = {key: value for key, value in own.items() if key not in _ABOUT}
    plain = _plain(made, shorts)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jobs.yaml",
        "$comment": f"version {VERSION}, written by zeke-jobs schema; never edited",
        **{key: value for key, value in plain.items() if key != "title"},
        "required": list(models.File.required),
    }


def check_comment(text: str, name: str) -> list[Diagnostic]:
    """The fault of a first line that names a version which does not exist yet. What an earlier one took is taken still."""
    lines = split_lines(text)
    found = _COMMENT.match(lines[0]) if lines else None
    if found is None or found["version"] in map(str, range(1, VERSION + 1)):
        return []
    start, end = found.span("version")
    help_ = f"zeke-jobs schema --write FILE writes version {VERSION}; then name it here"
    message = f"expected version={VERSION} of the schema or an earlier one, got version={found['version']}"
    return [Diagnostic(name, 1, start + 1, message, help_, end - start, lines[0])]


def _plain(node: Any, shorts: dict[str, Any]) -> Any:
    """A schema without null, which is the models' own: the author leaves a key out. Short forms stand beside their mappings."""
    if isinstance(node, list):
        return [_plain(one, shorts) for one in node]
    if not isinstance(node, dict):
        return node
    if (short := shorts.get(node.get("$ref", ""))) is not None:
        node = {
            "anyOf": [short, {"$ref": node["$ref"]}],
            **{key: value for key, value in node.items() if key != "$ref"},
        }
        shorts = {}
    kept = {
        _WORDS.get(key, key): _plain(value, shorts)
        for key, value in node.items()
        if not (key == "default" and (value is None or value == "" or (value and isinstance(value, dict))))
    }
    branches = kept.get("anyOf")
    if isinstance(branches, list) and {"type": "null"} in branches:
        rest = [one for one in branches if one != {"type": "null"}]
        kept.pop("anyOf")
        kept = {**rest[0], **kept} if len(rest) == 1 else {"anyOf": rest, **kept}
    return kept
