import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from actors import schema

ID = str(uuid4())


@pytest.mark.parametrize("count", [0, 21])
def test_a_batch_has_one_to_twenty_items(count: int) -> None:
    with pytest.raises(ValidationError):
        schema.FetchContent.model_validate({"raw_item_ids": [ID] * count})


@pytest.mark.parametrize("more", [{}, {"items": []}, {"items": [{"external_id": "1"}], "upload_id": ID}])
def test_an_upload_is_given_either_here_or_by_reference(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        schema.IngestFromUpload.model_validate({"source_id": ID, **more})


def test_a_sender_is_refused_an_upload_without_items_by_the_schema_alone() -> None:
    assert schema.IngestFromUpload.model_json_schema(by_alias=False)["anyOf"] == [
        {"required": ["items"]},
        {"required": ["upload_id"]},
    ]


HANDLERS = "actors.insights.analyze, actors.insights.extract, actors.insights.dedupe, actors.insights.relevance, actors.ai.local"
WRITERS = "actors.briefs.generate, actors.stories.summarize, actors.stories.status"


@pytest.mark.parametrize(
    ("imported", "heavy"),
    [
        ("actors.schema", ["feedparser", "trafilatura", "httpx", "dramatiq"]),
        ("actors.ai; actors.ai.Settings().open()", ["httpx", "numpy"]),
        (f"{HANDLERS}, {WRITERS}", ["httpx", "feedparser", "trafilatura", "wordllama", "numpy", "dramatiq"]),
        ("actors.engine.__main__, actors.engine.local", ["psycopg2"]),
    ],
)
def test_nothing_heavy_is_imported(imported: str, heavy: list[str]) -> None:
    code = f"import {imported}; import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
