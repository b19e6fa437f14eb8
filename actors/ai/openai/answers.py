"""What a model has to answer: checked forms, and the strict JSON Schema that asks for them."""

from __future__ import annotations

import base64
import json
from array import array
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class AnalysisAnswer(BaseModel):
    """The answer to ``analyze``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    why_it_matters: str = Field(min_length=1, max_length=1200)
    chili: int = Field(ge=0, le=5)
    confidence: float = Field(ge=0, le=1)
    quotes: list[str] = Field(max_length=10)


class BriefAnswer(BaseModel):
    """The answer to ``brief``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    one_liner: str = Field(min_length=1, max_length=1000)
    two_liner: str = Field(min_length=1, max_length=2000)
    elevator: str = Field(min_length=1, max_length=4000)


class SummaryAnswer(BaseModel):
    """The answer to ``summarize``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    summary: str = Field(min_length=1, max_length=3000)


Form = TypeVar("Form", bound=BaseModel)

_UNSUPPORTED = {
    "title",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "description",
    "default",
}


@cache
def strict_schema(form: type[BaseModel]) -> dict[str, Any]:
    """The form's JSON Schema as strict mode wants it: every key required, nothing else allowed, no bounds.

    The bounds are checked when the answer comes: see ``read``. Computed once for each form; callers leave it as it is.
    """
    schema = _strict(form.model_json_schema())
    assert isinstance(schema, dict)
    return schema


def read(form: type[Form], content: str, *, is_loose: bool) -> Form:
    """The answer in ``content``; where ``is_loose``, the JSON object may stand in prose or a code fence.

    Raises:
        ValueError: it does not have the form; the message says where.
    """
    text = content[content.find("{") : content.rfind("}") + 1] if is_loose else content
    try:
        return form.model_validate(_whole_numbers(json.loads(text)))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise ValueError(f"{where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON object: {error}") from error


def packed(vector: list[float]) -> str:
    """A vector as short text, to the four bytes a number that embeddings are stored with."""
    return base64.b64encode(array("f", vector).tobytes()).decode()


def unpacked(text: str) -> list[float]:
    """The vector that ``packed`` made ``text`` of."""
    return array("f", base64.b64decode(text)).tolist()


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if key not in _UNSUPPORTED}
    if "properties" in made:
        made["properties"] = {name: _strict(each) for name, each in made["properties"].items()}
        made["required"] = list(made["properties"])
        made["additionalProperties"] = False
    if "items" in made:
        made["items"] = _strict(made["items"])
    return made


def _whole_numbers(value: Any) -> Any:
    """JSON does not tell 3 from 3.0; a model that writes 3.0 means 3."""
    if isinstance(value, dict):
        return {key: _whole_numbers(each) for key, each in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
