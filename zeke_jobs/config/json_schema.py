"""The JSON Schema of jobs.yaml, for editors: completion, hover text, and a first look at what is wrong."""

from __future__ import annotations

import re
from typing import Any

from zeke_jobs.config.diagnostics import split_lines
from zeke_jobs.config.stanzas import FileStanza
from zeke_jobs.core.diagnostic import Diagnostic

#: Raised with every change of the schema; the first line of a jobs.yaml names the one that it was written by.
VERSION = 2
COMMENT = "# yaml-language-server: $schema={path} version={version}"
_COMMENT = re.compile(r"^#\s+yaml-language-server\s*:.*\$schema=\S+.*?\bversion=(?P<version>\S+)")
_WORDS = {"ge": "minimum", "le": "maximum"}  # pydantic leaves them as they are behind a validator of ours
_REQUIRED = {"TaskStanza": ["handler"], "ServiceStanza": ["use"], "CronStanza": ["at"]}


def json_schema() -> dict[str, Any]:
    """The schema, made from the models that read the file."""
    made = _without_null(FileStanza.model_json_schema(by_alias=True))
    for name, required in _REQUIRED.items():
        made["$defs"][name]["required"] = required
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "jobs.yaml",
        "$comment": f"version {VERSION}, written by zeke-jobs schema; never edited",
        **{key: value for key, value in made.items() if key not in ("title", "$schema")},
        "required": ["version", "tasks"],
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


def _without_null(node: Any) -> Any:
    """A key is left out, never null: the models' ``None`` is theirs alone."""
    if isinstance(node, list):
        return [_without_null(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {
        _WORDS.get(key, key): _without_null(value)
        for key, value in node.items()
        if not (key == "default" and value is None)
    }
    branches = kept.get("anyOf")
    if isinstance(branches, list) and {"type": "null"} in branches:
        rest = [one for one in branches if one != {"type": "null"}]
        kept.pop("anyOf")
        kept = {**rest[0], **kept} if len(rest) == 1 else {"anyOf": rest, **kept}
    return kept
