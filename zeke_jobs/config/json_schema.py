"""Makes the JSON Schema of jobs.yaml, with which editors complete and explain keys, and find simple faults."""

from typing import Any

from zeke_jobs.config import limits, models
from zeke_jobs.config.entries import Keys

VERSION = 2  # increases when a value that was accepted becomes a fault
COMMENT = "# yaml-language-server: $schema={path} version={version}"
_ABOUT = {"title", "description", "examples", "default"}
MODELS_BY_NAME: dict[str, type[Keys]] = {**vars(limits), **vars(models)}
"""The models of all mappings in the file, by name."""
_WORDS = {"ge": "minimum", "le": "maximum"}  # after a validator of zeke_jobs, pydantic does not translate these keys


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema, made from the models that read the file."""
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


def _plain(node: Any, shorts: dict[str, Any]) -> Any:
    """Return a schema that accepts a mapping's short form, but not null: people leave a key out instead."""
    if isinstance(node, list):
        return [_plain(one, shorts) for one in node]
    if not isinstance(node, dict):
        return node
    if (short := shorts.get(node.get("$ref", ""))) is not None:
        rest = {key: value for key, value in node.items() if key != "$ref"}
        node, shorts = {"anyOf": [short, {"$ref": node["$ref"]}], **rest}, {}
    kept = {
        _WORDS.get(key, key): _plain(value, shorts)
        for key, value in node.items()
        if not (key == "default" and (value is None or value == "" or (value and isinstance(value, dict))))
    }
    if {"type": "null"} in kept.get("anyOf", ()):
        others = [one for one in kept.pop("anyOf") if one != {"type": "null"}]
        kept = {**others[0], **kept} if len(others) == 1 else {"anyOf": others, **kept}
    return kept
