import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from actors import schema
from zeke_jobs import Payload

MODELS = [
    one for one in vars(schema).values() if isinstance(one, type) and issubclass(one, Payload) and one is not Payload
]
ID = str(uuid4())


def test_there_is_a_model_for_each_task() -> None:
    assert len(MODELS) == 19


def test_payloads_are_light_to_import() -> None:
    code = "import sys, actors.schema; print([m for m in ('feedparser', 'trafilatura', 'httpx', 'dramatiq') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("model", "camel", "snake"),
    [
        (schema.IngestSource, {"sourceId": ID}, {"source_id": ID}),
        (schema.FetchContent, {"rawItemIds": [ID]}, {"raw_item_ids": [ID]}),
        (schema.ExtractHighlights, {"storyId": ID, "userId": "u"}, {"story_id": ID, "user_id": "u"}),
        (
            schema.IngestFromUpload,
            {"sourceId": ID, "items": [{"externalId": "1"}], "uploadedBy": "u"},
            {"source_id": ID, "items": [{"external_id": "1"}], "uploaded_by": "u"},
        ),
    ],
)
def test_both_spellings_of_a_key_are_read(model: type[Payload], camel: Any, snake: Any) -> None:
    assert model.model_validate(camel) == model.model_validate(snake)


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
