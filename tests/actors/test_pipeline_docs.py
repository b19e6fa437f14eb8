"""Every outcome, task, setting, command and option is in docs/pipeline.md, engine.md, ai.md or news.md."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel

from actors import schema
from actors.ai import Settings as AISettings
from actors.ai.chili import Chili
from actors.ai.openai.settings import OpenAISettings
from actors.briefs.delivery.settings import DeliverySettings, Mail, Receiver, Webhook
from actors.briefs.generate import BriefSettings
from actors.cli.app import app
from actors.engine import Settings
from actors.engine.contract import ContentItem, ContentSource
from actors.insights.events import EventSettings
from actors.insights.selection import Selection
from actors.outcomes import Outcome
from actors.sources.rhythm import Rhythm
from actors.sources.source import FirstFetch
from tests.actors.tasks import FIRST_HALF, ROOT, TASKS
from zeke_jobs import parse_duration

PAGES = ("pipeline", "engine", "ai", "news")
PIPELINE, ENGINE, AI, NEWS = ((ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in PAGES)
#: The docs show score-relevance's settings as a formula, and those of ingest-pull-youtube at ingest-pull.
ELSEWHERE = {"score-relevance": None, "ingest-pull-youtube": None}
SETTINGS = {name: task.settings_model for name, task in TASKS.items()} | ELSEWHERE
SECOND_HALF = [name for name in TASKS if name not in {*FIRST_HALF, "batch-questions"}]
MODELS = [
    *(TASKS[name].settings_model for name in FIRST_HALF),
    *(Rhythm, FirstFetch, EventSettings, Selection, BriefSettings, DeliverySettings, Mail, Receiver, Webhook),
]


def section(task: str) -> str:
    (text,) = [part for part in re.split(r"^## ", PIPELINE, flags=re.MULTILINE) if part.startswith(f"{task}\n")]
    return text


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_stands_in_the_table_with_its_status(outcome: Outcome) -> None:
    (line,) = [line for line in PIPELINE.splitlines() if line.startswith("|") and f"`{outcome}`" in line.split("|")[1]]
    assert line.split("|")[2].strip() == outcome.status


@pytest.mark.parametrize("task", SETTINGS)
def test_each_task_has_its_section_with_payload_and_settings(task: str) -> None:
    names = [field.alias or name for name, field in TASKS[task].payload_model.model_fields.items()]
    names += list(settings.model_fields) if (settings := SETTINGS[task]) else []
    assert [name for name in names if f"`{name}" not in section(task)] == []


@pytest.mark.parametrize("task", SECOND_HALF)
def test_each_outcome_of_a_task_is_named(task: str) -> None:
    module = TASKS[task].function.__module__.replace("actors.briefs.deliver", "actors.briefs.digest")
    source = (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    lines = [line for line in source.splitlines() if '"outcome"' in line or "outcome = " in line or "kept = " in line]
    outcomes = {word for line in lines for word in re.findall(r'"([a-z_]+)"', line)} - {"outcome"}
    told = {"state", "chili", "same_event", "found", "teams", "changed", "added", "person", "model", "stories"}
    fields = told | {"asked", "open", "ended"}
    assert outcomes - fields, "the test reads the outcomes from the source"
    assert [name for name in sorted(outcomes - fields) if f"`{name}`" not in section(task)] == []


@pytest.mark.parametrize(("model", "text"), [(Settings, ENGINE), (Rhythm, PIPELINE), (FirstFetch, PIPELINE)])
def test_each_setting_is_described(model: type[BaseModel], text: str) -> None:
    assert [name for name in model.model_fields if not re.search(rf"[`{{ ]{name}[`:]", text)] == []


@pytest.mark.parametrize("model", MODELS)
def test_each_figure_of_a_setting_is_its_default(model: type[BaseModel]) -> None:
    told = re.findall(r"\b([a-z_]+)`?:? (\.?\d+(?:\.\d+)?)([a-z]*)", PIPELINE)
    for name, field in model.model_fields.items():
        if isinstance(field.default, int | float | timedelta):
            read = parse_duration if isinstance(field.default, timedelta) else float
            assert field.default in [read(figure + unit) for one, figure, unit in told if one == name], name
    assert f"`rawItemIds`, 1 to {schema.MAX_BATCH}." in PIPELINE


@pytest.mark.parametrize("path", ["jobs.yaml", "docker/jobs.yaml"])
@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.settings_model])
def test_each_setting_in_jobs_yaml_is_its_default_but_the_digest(task: str, path: str) -> None:
    model = TASKS[task].settings_model
    assert model is not None
    given = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))["tasks"][task].get("settings") or {}
    assert model.model_validate({**given, "digest": None} if "digest" in given else given) == model()


def test_each_field_of_the_contract_and_each_setting_of_an_ai_provider_is_explained() -> None:
    names = [str(field.alias) for model in (ContentItem, ContentSource) for field in model.model_fields.values()]
    assert [name for name in names if f"`{name}`" not in ENGINE] == []
    assert [name for name in OpenAISettings.model_fields if f"| `{name}` |" not in AI] == []
    assert [name for name in (*Chili.model_fields, *AISettings.model_fields) if f"`{name}`" not in AI] == []
    defaults = {name: field.default for name, field in (OpenAISettings.model_fields | Settings.model_fields).items()}
    told = {name: int(default) for name, default in re.findall(r"(?m)^\| `(\w+)` \| (\d+) \|", AI + ENGINE)}
    assert told == {name: defaults[name] or 1000 for name in told}
    assert len(told) > 4


def commands(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in getattr(command, "commands", {}).items():
        yield f"{path} {name}".strip(), each
        yield from commands(each, f"{path} {name}".strip())


ALL = list(commands(typer.main.get_command(app())))


def test_every_command_and_option_is_documented_and_listed_with_a_whole_sentence_that_fits_the_line() -> None:
    options = [(path, option) for path, each in ALL for one in each.params for option in one.opts]
    there = [(path, option) for path, option in options if option.startswith("--") and option != "--help"]
    assert [path for path, _ in ALL if f"`{path}" not in NEWS] == []
    assert [one for one in there if one[1] not in NEWS] == []
    assert len(ALL) > 20
    assert [path for path, one in ALL if not re.fullmatch(r".{,58}[^.]\.", one.get_short_help_str(61))] == []
