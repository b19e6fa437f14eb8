"""Each key that a task may have is documented and in the JSON Schema, is accepted and stored, and appears in plans."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from zeke_jobs.cli.configuration.check import schema_text
from zeke_jobs.config import Config, check, load_text, models
from zeke_jobs.config.entries import Keys
from zeke_jobs.config.json_schema import COMMENT, MODELS_BY_NAME, VERSION, json_schema
from zeke_jobs.config.validation import accepted_keys, only_model_at
from zeke_jobs.core.wording import format_duration
from zeke_jobs.revisions import diff

ROOT = Path(__file__).parents[3]
EARLIER = Path(__file__).parent / "samples" / "version_2.yaml"
PAGE = (ROOT / "docs" / "jobs-yaml.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ROWS: dict[tuple[str, str], str] = {}
for heading, body in re.findall(r"^#{2,3} (.+?)\n(.*?)(?=^#{2,3} |\Z)", PAGE, re.DOTALL | re.MULTILINE):
    for line in re.findall(r"^\| `.*", body, re.MULTILINE):
        key, *_, default = (cell.strip().strip("`") for cell in line.strip("|").split(" | "))
        ROWS[heading, key] = default
MODELS = [models.File, *(MODELS_BY_NAME[name] for name in json_schema()["$defs"])]
SECTIONS = {"the file": ["The file"], "a task": ["tasks", "defaults"], "a limit": ["limits"], "a named cron": ["cron"]}
SECTIONS |= {"a service": ["services"], "a unit": ["unit"], "a middleware": ["middleware"]}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_has_its_row_with_its_default(model: type[Keys]) -> None:
    sections = SECTIONS.get(model.called, [model.called])
    for key, field in zip(accepted_keys(model), model.model_fields.values(), strict=True):
        said = [ROWS[section, key] for section in sections if (section, key) in ROWS]
        assert said, f"{key} has no row"
        depends = key in model.required or callable(field.json_schema_extra)
        if isinstance(field.default, timedelta | bool | int | float | str) and field.default != "" and not depends:
            assert said == [written(field.default)], key


def written(default: object) -> str:
    """Format a default value as docs/jobs-yaml.md does."""
    if isinstance(default, timedelta):
        return format_duration(default)
    return f"{default:g}" if isinstance(default, float) else str(default).replace("False", "false")


def test_the_committed_schema_is_what_the_models_make_our_jobs_yaml_fits_and_mistakes_are_marked() -> None:
    assert [check(example, "example")[1] for example in EXAMPLES] == [[]] * len(EXAMPLES)
    kept = (ROOT / "docs" / "jobs.schema.json").read_text(encoding="utf-8")
    assert kept == schema_text(), "docs/jobs.schema.json is behind; run: zeke-jobs schema --write docs/jobs.schema.json"
    models = json.loads(kept)["$defs"].values()
    assert all(value.get("description") for model in models for value in model.get("properties", {}).values())
    text = (ROOT / "jobs.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert text.splitlines()[0] == COMMENT.format(path="docs/jobs.schema.json", version=VERSION)
    wrong = ("handler: f, concurrency: 0", "handler: f, timeout: soon", "handler: f, timout: 5m", "handler: f, cron: ")
    for keys in (*wrong, "concurrency: 1"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(f"version: 1\ntasks: {{a: {{{keys}}}}}"), json_schema())


def test_a_key_more_is_no_new_version_and_every_key_of_this_version_is_accepted_still() -> None:
    assert VERSION == 2, "keep a file with every key of the new version beside that of version 2"
    text = EARLIER.read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert load_text(text, EARLIER.name).tasks["tuned"].retry.limit == 3


#: BESIDE has keys that other keys of a mapping require; the other tables have values that are not the default.
BESIDE: dict[str, dict[str, Any]] = {"cron": {"at": "@daily"}, "rate": {"limit": "20/s"}, "chunk": {"size": 2}}
BESIDE_LEAVES: dict[tuple[str, ...], dict[str, str]] = {("unique", "period"): {"while": "period"}}
BESIDE_LEAVES["unique", "at_most"] = {"on_duplicate": "replace"}
OTHERS: tuple[Any, ...] = (7, 0.5, "7s", "2/s", "other", "sample_handlers:quiet", "UTC", "all", "allow", "active", True)
OTHERS += (["ai"], {"user_name": "Ada"}, "@hourly", "Asia/Kathmandu", "5 USD/d", {"USD": 3}, "greet")
OTHERS += ("strict", "key", "skip", "replace", "always")


def leaves(model: type[Keys], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every key that holds a value."""
    for name in accepted_keys(model):
        inner = only_model_at(model, [name])
        if inner is not None and issubclass(inner, Keys):
            yield from leaves(inner, (*path, name))
        else:
            yield (*path, name)


def loaded(path: tuple[str, ...], value: Any = None) -> Config | None:
    """Load a jobs.yaml whose task has required keys, and ``value``, if given, at a path; return None if it is refused."""
    stanza: dict[str, Any] = {"handler": "sample_handlers:greet"}
    if len(path) == 2 and path[0] in BESIDE:
        stanza[path[0]] = dict(BESIDE[path[0]])
    if path == ("units",):
        stanza["uses"] = ["ai"]
    if value is not None:
        owner = stanza if len(path) == 1 else stanza.setdefault(path[0], {})
        owner |= {path[-1]: value, **BESIDE_LEAVES.get(path, {})}
    text = yaml.safe_dump({"version": 1, "limits": {"ai": {"budget": "4 USD/d"}}, "tasks": {"greet": stanza}})
    return check(text, "jobs.yaml", handlers=False)[0]


@pytest.mark.parametrize("path", list(leaves(models.TaskKeys)), ids=".".join)
def test_some_value_of_it_is_accepted_stored_and_named_by_a_plan(path: tuple[str, ...]) -> None:
    usual, dotted = loaded(path), ".".join(path)
    short = getattr(only_model_at(models.TaskKeys, path[:1]), "short_form", None)
    accepted = {dotted, path[0]} if short and path[1:] == (short[0],) else {dotted}
    assert usual is not None
    for value in OTHERS:
        other = loaded(path, value)
        named = [change.key for change in diff.changes(usual, other)] if other else []
        if other and any(name in accepted or name.startswith(f"{dotted}.") for name in named):
            is_stored = other.tasks["greet"].definition != usual.tasks["greet"].definition
            assert is_stored or path[0] in ("settings", "cron")  # Schedules are stored in another column.
            return
    pytest.fail(f"no value makes a plan name {dotted}")
