"""docs/pipeline.md, docs/engine.md and docs/ai.md are complete."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from actors import schema
from actors.ai.chili import Chili
from actors.ai.openai.settings import OpenAISettings
from actors.ai.settings import Settings as AISettings
from actors.briefs.delivery.settings import AlertSettings, DeliverySettings, Mail, Receiver, Webhook
from actors.briefs.generate import BriefSettings
from actors.engine import Settings
from actors.engine.contract import ContentItem, ContentSource
from actors.insights.events import EventSettings
from actors.insights.relevance import RelevanceSettings
from actors.insights.selection import Selection
from actors.outcomes import Outcome
from actors.sources.rhythm import Rhythm
from actors.sources.source import FirstFetch
from tests.actors.sources.conftest import TASKS as FIRST_HALF
from zeke_jobs import parse_duration

ROOT = Path(__file__).parents[2]
PIPELINE, ENGINE, AI = (
    (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("pipeline", "engine", "ai")
)
#: Each task has a payload model, settings, and a module of outcomes; the docs show score-relevance's settings as a
#: formula.
SECOND_HALF: dict[str, tuple[type[BaseModel], type[BaseModel] | None, str]] = {
    "analyze-story": (schema.AnalyzeStory, EventSettings, "insights/analyze.py"),
    "embed-story": (schema.EmbedStory, None, "insights/embed.py"),
    "ask-batch": (schema.AskBatch, None, "batches/ask.py"),
    "poll-batches": (schema.PollBatches, None, "batches/poll.py"),
    "extract-highlights": (schema.ExtractHighlights, Selection, "insights/extract.py"),
    "dedupe-insights": (schema.DedupeInsights, None, "insights/dedupe.py"),
    "score-relevance": (schema.ScoreRelevance, None, "insights/relevance.py"),
    "generate-brief": (schema.GenerateBrief, BriefSettings, "briefs/generate.py"),
    "deliver-digest": (schema.DeliverDigest, DeliverySettings, "briefs/digest.py"),
    "deliver-alert": (schema.DeliverAlert, AlertSettings, "briefs/alert.py"),
    "story-summarize": (schema.StorySummarize, None, "stories/summarize.py"),
    "stories-update-status": (schema.StoriesUpdateStatus, None, "stories/status.py"),
}


TASKS: dict[str, tuple[type[BaseModel], type[BaseModel] | None]] = {
    **{task: (payload, settings) for task, (_, payload, settings) in FIRST_HALF.items()},
    **{task: (payload, settings) for task, (payload, settings, _) in SECOND_HALF.items()},
    "ingest-pull-youtube": (schema.IngestPullYoutube, None),
}
MODELS = [
    *(settings for task, (_, settings) in TASKS.items() if settings and task in FIRST_HALF),
    *(Rhythm, FirstFetch, EventSettings, Selection, BriefSettings, DeliverySettings, Mail, Receiver, Webhook),
]


def section(task: str) -> str:
    (text,) = [part for part in re.split(r"^## ", PIPELINE, flags=re.MULTILINE) if part.startswith(f"{task}\n")]
    return text


@pytest.mark.parametrize("outcome", Outcome)
def test_each_outcome_stands_in_the_table_with_its_status(outcome: Outcome) -> None:
    (line,) = [line for line in PIPELINE.splitlines() if line.startswith("|") and f"`{outcome}`" in line.split("|")[1]]
    assert line.split("|")[2].strip() == outcome.status


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_its_section_with_payload_and_settings(task: str) -> None:
    payload, settings = TASKS[task]
    names = [field.alias or name for name, field in payload.model_fields.items()]
    names += list(settings.model_fields) if settings else []
    assert [name for name in names if f"`{name}" not in section(task)] == []


@pytest.mark.parametrize("task", SECOND_HALF)
def test_each_outcome_of_a_task_is_named(task: str) -> None:
    source = (ROOT / "actors" / SECOND_HALF[task][2]).read_text(encoding="utf-8")
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
@pytest.mark.parametrize("task", [task for task, (_, settings) in TASKS.items() if settings] + ["score-relevance"])
def test_each_setting_in_jobs_yaml_is_its_default_but_the_digest(task: str, path: str) -> None:
    model = TASKS[task][1] or RelevanceSettings
    given = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))["tasks"][task].get("settings") or {}
    assert model.model_validate({**given, "digest": None} if "digest" in given else given) == model()


def test_each_field_of_the_contract_is_named() -> None:
    names = [str(field.alias) for model in (ContentItem, ContentSource) for field in model.model_fields.values()]
    assert [name for name in names if f"`{name}`" not in ENGINE] == []


def test_each_setting_of_an_ai_provider_is_explained() -> None:
    assert [name for name in OpenAISettings.model_fields if f"| `{name}` |" not in AI] == []
    assert [name for name in (*Chili.model_fields, *AISettings.model_fields) if f"`{name}`" not in AI] == []
