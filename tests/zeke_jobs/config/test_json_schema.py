"""docs/jobs-yaml.md names every key, and jobs.yaml has a JSON Schema whose version its first line names."""

import json
import re
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
import yaml

from zeke_jobs.cli.configuration.check import schema_text
from zeke_jobs.config import check, load_text, models
from zeke_jobs.config.entries import Keys
from zeke_jobs.config.json_schema import COMMENT, MODELS_BY_NAME, VERSION, json_schema
from zeke_jobs.config.validation import accepted_keys
from zeke_jobs.core.wording import format_duration

PAGE = (Path(__file__).parents[3] / "docs" / "jobs-yaml.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ROWS = {
    (section, key): default
    for section, key, default in (
        (heading, row[0], row[-1])
        for heading, body in re.findall(r"^#{2,3} (.+?)\n(.*?)(?=^#{2,3} |\Z)", PAGE, re.DOTALL | re.MULTILINE)
        for row in (
            [cell.strip().strip("`") for cell in line.strip("|").split(" | ")]
            for line in body.splitlines()
            if line.startswith("| `")
        )
    )
}
MODELS = [models.File, *(MODELS_BY_NAME[name] for name in json_schema()["$defs"])]
SECTIONS = {
    "the file": ["The file"],
    "a task": ["tasks", "defaults"],
    "a limit": ["limits"],
    "a service": ["services"],
    "a named cron": ["cron"],
    "a unit": ["unit"],
    "a middleware": ["middleware"],
}


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


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_good_file(example: str) -> None:
    assert check(example, "example")[1] == []


ROOT = Path(__file__).parents[3]
EARLIER = Path(__file__).parent / "samples" / "version_2.yaml"


def test_the_committed_schema_is_what_the_models_make_and_every_key_has_a_text_to_hover_over() -> None:
    kept = (ROOT / "docs" / "jobs.schema.json").read_text(encoding="utf-8")
    assert kept == schema_text(), "docs/jobs.schema.json is behind; run: zeke-jobs schema --write docs/jobs.schema.json"
    models = json.loads(kept)["$defs"].values()
    texts = [value.get("description") for model in models for value in model.get("properties", {}).values()]
    assert all(texts)


def test_a_key_more_is_no_new_version_and_every_key_of_this_version_is_accepted_still() -> None:
    assert VERSION == 2, "keep a file with every key of the new version beside that of version 2"
    text = EARLIER.read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert load_text(text, EARLIER.name).tasks["tuned"].retry.limit == 3


def test_our_own_jobs_yaml_fits_and_names_the_schema_and_an_editor_marks_what_the_checks_refuse() -> None:
    text = (ROOT / "jobs.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert text.splitlines()[0] == COMMENT.format(path="docs/jobs.schema.json", version=VERSION)
    wrong = ("handler: f, concurrency: 0", "handler: f, timeout: soon", "handler: f, timout: 5m", "handler: f, cron: ")
    for keys in (*wrong, "concurrency: 1"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(f"version: 1\ntasks: {{a: {{{keys}}}}}"), json_schema())
