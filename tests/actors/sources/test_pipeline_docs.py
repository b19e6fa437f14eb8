"""docs/pipeline.md and docs/engine.md are complete."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from actors.briefs.delivery.settings import DeliverySettings, Mail, Receiver, Webhook
from actors.briefs.generate import BriefSettings
from actors.engine import Settings
from actors.engine.contract import ContentItem, ContentSource
from actors.insights.events import EventSettings
from actors.insights.selection import Selection
from actors.outcomes import Outcome
from actors.schema import MAX_BATCH
from actors.sources.feed_items import FirstFetch
from actors.sources.rhythm import Rhythm
from tests.actors.sources.conftest import TASKS
from zeke_jobs import parse_duration

MODELS: list[type[BaseModel]] = [
    *(settings for task, (_, _, settings) in TASKS.items() if task != "ingest-pull-youtube"),
    *(Rhythm, FirstFetch, EventSettings, Selection, BriefSettings, DeliverySettings, Mail, Receiver, Webhook),
]
DOCS = Path(__file__).resolve().parents[3] / "docs"
PIPELINE = (DOCS / "pipeline.md").read_text()
ENGINE = (DOCS / "engine.md").read_text()


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_stands_in_the_table_with_its_status(outcome: Outcome) -> None:
    (line,) = [line for line in PIPELINE.splitlines() if line.startswith("|") and f"`{outcome}`" in line.split("|")[1]]
    assert line.split("|")[2].strip() == outcome.status


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_its_section_with_payload_and_settings(task: str) -> None:
    section = re.split(r"^## ", PIPELINE, flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(f"{task}\n")]
    _, payload, settings = TASKS[task]
    names = [field.alias or name for name, field in payload.model_fields.items()]
    names += [] if task == "ingest-pull-youtube" else list(settings.model_fields)
    missing = [name for name in names if f"`{name}" not in text]
    assert missing == []


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
    assert f"`rawItemIds`, 1 to {MAX_BATCH}." in PIPELINE


def test_each_field_of_the_contract_is_named() -> None:
    names = [str(field.alias) for model in (ContentItem, ContentSource) for field in model.model_fields.values()]
    assert [name for name in names if f"`{name}`" not in ENGINE] == []
