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
