import ast
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import ValidationError

from actors import schema
from actors.engine.contract import ContentItem, EngineError
from actors.outcomes import REASONS, Outcome
from tests.each import cases

ACTORS = Path(schema.__file__).parent
ID = str(uuid4())


def test_a_batch_has_one_to_twenty_items_and_an_upload_is_given_either_here_or_by_reference() -> None:
    for count in (0, 21):
        with pytest.raises(ValidationError):
            schema.FetchContent.model_validate({"raw_item_ids": [ID] * count})
    uploads: list[dict[str, Any]] = [{}, {"items": []}, {"items": [{"external_id": "1"}], "upload_id": ID}]
    for more in uploads:
        with pytest.raises(ValidationError):
            schema.IngestFromUpload.model_validate({"source_id": ID, **more})
    alone = schema.IngestFromUpload.model_json_schema(by_alias=False)["anyOf"]
    assert alone == [{"required": ["items"]}, {"required": ["upload_id"]}], "the schema refuses an upload without items"


HANDLERS = "actors.insights.analyze, actors.insights.extract, actors.insights.dedupe, actors.insights.relevance, actors.ai.local"
WRITERS = "actors.briefs.generate, actors.stories.summarize, actors.stories.status"


@cases(
    "imported heavy",
    ("actors.schema", ["feedparser", "trafilatura", "httpx", "dramatiq"]),
    ("actors.ai; actors.ai.Settings().open()", ["httpx", "numpy"]),
    (f"{HANDLERS}, {WRITERS}", ["httpx", "feedparser", "trafilatura", "wordllama", "numpy", "dramatiq"]),
    ("actors.engine.__main__, actors.engine.local", ["psycopg2"]),
)
def test_nothing_heavy_is_imported(imported: str, heavy: list[str]) -> None:
    code = f"import {imported}; import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_no_reason_is_given_that_is_no_outcome() -> None:
    given = [
        (path.name, node.lineno, argument.value)
        for path in ACTORS.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "EngineError" and node.args
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
    assert len(given) > 20
    assert [one for one in given if one[2] not in REASONS] == []


def test_what_is_no_reason_is_refused_where_it_is_given_and_only_what_a_page_can_show_is_an_obstacle() -> None:
    for code in ("blocked?", "stored", "queued"):
        with pytest.raises(ValueError, match="expected one of"):
            EngineError(code, "no")
    assert ContentItem(id="1", obstacle=Outcome.CONSENT).obstacle is Outcome.CONSENT
    with pytest.raises(ValidationError, match="expected one of"):
        ContentItem.model_validate({"id": "1", "obstacle": "timeout"})
