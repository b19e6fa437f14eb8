"""jobs.yaml has a JSON Schema, and its first line names the version of the schema."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from zeke_jobs.cli.configuration.check import schema_text
from zeke_jobs.config import load_text
from zeke_jobs.config.json_schema import COMMENT, VERSION, json_schema

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


def test_our_own_jobs_yaml_fits_and_names_the_schema_in_its_first_line() -> None:
    text = (ROOT / "jobs.yaml").read_text(encoding="utf-8")
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert text.splitlines()[0] == COMMENT.format(path="docs/jobs.schema.json", version=VERSION)


def test_an_editor_marks_what_the_checks_refuse() -> None:
    wrong = ("handler: f, concurrency: 0", "handler: f, timeout: soon", "handler: f, timout: 5m", "handler: f, cron: ")
    for keys in (*wrong, "concurrency: 1"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(yaml.safe_load(f"version: 1\ntasks: {{a: {{{keys}}}}}"), json_schema())
