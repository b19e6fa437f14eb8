"""docs/pipeline.md and docs/ai.md describe the whole second half of the pipeline."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from actors import schema
from actors.ai.chili import Chili
from actors.ai.openai.settings import OpenAISettings
from actors.ai.settings import Settings
from actors.briefs.delivery.settings import AlertSettings, DeliverySettings
from actors.briefs.generate import BriefSettings
from actors.insights.events import EventSettings
from actors.insights.selection import Selection

DOCS = Path(__file__).resolve().parents[3] / "docs"
PIPELINE = (DOCS / "pipeline.md").read_text(encoding="utf-8")
AI = (DOCS / "ai.md").read_text(encoding="utf-8")
ACTORS = DOCS.parent / "actors"

# score-relevance shows its settings as a formula.
TASKS: dict[str, tuple[type[BaseModel], type[BaseModel] | None, str]] = {
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


def section(task: str) -> str:
    (text,) = [part for part in re.split(r"^## ", PIPELINE, flags=re.MULTILINE) if part.startswith(f"{task}\n")]
    return text


@pytest.mark.parametrize("task", TASKS)
def test_each_task_has_its_section_with_payload_and_settings(task: str) -> None:
    payload, settings, _ = TASKS[task]
    names = [field.alias or name for name, field in payload.model_fields.items()]
    names += list(settings.model_fields) if settings else []
    assert [name for name in names if f"`{name}`" not in section(task)] == []


@pytest.mark.parametrize("task", TASKS)
def test_each_outcome_of_a_task_is_named(task: str) -> None:
    source = (ACTORS / TASKS[task][2]).read_text(encoding="utf-8")
    lines = [line for line in source.splitlines() if '"outcome"' in line or "outcome = " in line or "kept = " in line]
    outcomes = {word for line in lines for word in re.findall(r'"([a-z_]+)"', line)} - {"outcome"}
    fields = {
        "state",
        "chili",
        "same_event",
        "found",
        "teams",
        "changed",
        "added",
        "person",
        "model",
        "stories",
        "asked",
        "open",
        "ended",
    }
    assert outcomes - fields, "the test reads the outcomes from the source"
    assert [name for name in sorted(outcomes - fields) if f"`{name}`" not in section(task)] == []


def test_each_setting_of_a_provider_is_explained() -> None:
    assert [name for name in OpenAISettings.model_fields if f"| `{name}` |" not in AI] == []


def test_each_setting_of_the_local_provider_is_explained() -> None:
    assert [name for name in (*Chili.model_fields, *Settings.model_fields) if f"`{name}`" not in AI] == []
