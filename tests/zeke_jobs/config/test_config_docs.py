"""docs/jobs-yaml.md names every key, and its examples are valid files."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from zeke_jobs.config import check, models
from zeke_jobs.config.entries import Keys
from zeke_jobs.config.json_schema import MODELS_BY_NAME, json_schema
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
    """Write a default as the documentation does."""
    if isinstance(default, timedelta):
        return format_duration(default)
    return f"{default:g}" if isinstance(default, float) else str(default).replace("False", "false")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_good_file(example: str) -> None:
    assert check(example, "example")[1] == []
