"""Defines the forms of a model's answers, and the strict JSON Schema that asks for them."""

import base64
import hashlib
import json
import re
from array import array
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator

#: A model that writes 3.0 means 3, because JSON does not distinguish the two numbers.
Whole = Annotated[
    int, BeforeValidator(lambda said: int(said) if isinstance(said, float) and said.is_integer() else said)
]


class AnalysisAnswer(BaseModel, extra="forbid", strict=True):
    """Is the part of the answer to ``analyze`` that must be valid."""

    why_it_matters: str = Field(min_length=1, max_length=1200)
    chili: Whole = Field(ge=0, le=5)
    confidence: float = Field(ge=0, le=1)
    quotes: list[str] = Field(max_length=10)


class BriefAnswer(BaseModel, extra="forbid", strict=True):
    """Is the answer to ``brief``."""

    one_liner: str = Field(min_length=1, max_length=1000)
    two_liner: str = Field(min_length=1, max_length=2000)
    elevator: str = Field(min_length=1, max_length=4000)


class SummaryAnswer(BaseModel, extra="forbid", strict=True):
    """Is the answer to ``summarize``."""

    summary: str = Field(min_length=1, max_length=3000)


Form = TypeVar("Form", bound=BaseModel)


class StoryAnswer(AnalysisAnswer):
    """Is the answer to ``analyze``: the analysis, and a brief and a summary, each of which may be invalid on its own."""

    one_liner: str = ""
    two_liner: str = ""
    elevator: str = ""
    summary: str = ""

    @field_validator("one_liner", "two_liner", "elevator", "summary", mode="before")
    @classmethod
    def _none_without_a_text(cls, value: Any) -> str:
        return value if isinstance(value, str) else ""


def needed(answer: BaseModel) -> list[str]:
    """Return the texts that an answer must have."""
    form = AnalysisAnswer if isinstance(answer, AnalysisAnswer) else type(answer)
    return [value for name in form.model_fields if isinstance(value := getattr(answer, name), str)]


_THOUGHT = re.compile(r"</think(?:ing)?>")
_TRIES = 30
_DECODER = json.JSONDecoder()

_UNSUPPORTED = frozenset(
    ("title", "description", "default", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")
)


@cache
def strict_schema(form: type[BaseModel]) -> dict[str, Any]:
    """Return the form's JSON Schema for strict mode: every key is required, and no value has bounds. Do not change it."""
    schema: dict[str, Any] = _bare(form.model_json_schema())
    return schema


def read(form: type[Form], *texts: str) -> Form:
    """Return the first answer in ``texts``, which is a JSON object, alone, in prose, in a fence or after reasoning.

    Raises:
        ValueError: no text has an answer of this form; the message names the wrong place.
    """
    fault = ValueError("no JSON object")
    for text in texts:
        for found in _objects(_THOUGHT.split(text)[-1]):
            try:
                return form.model_validate(found)
            except ValidationError as error:
                first = error.errors(include_input=False, include_url=False)[0]
                where = ".".join(map(str, first["loc"])) or "the answer"
                fault = ValueError(f"{where}: {first['msg']}")
            except RecursionError as error:
                fault = ValueError(f"no JSON object: {error}")
    raise fault


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a text, from a limited number of places."""
    at = text.find("{")
    for _ in range(_TRIES):
        if at < 0:
            return
        try:
            found, end = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield found
        at = text.find("{", end)


def key_of(*parts: Any) -> str:
    """Return the identity of a question. Questions with equal identities may share an answer."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def packed(vector: list[float]) -> str:
    """Return a vector as a short text, with four bytes for each number, which is the precision of stored embeddings."""
    return base64.b64encode(array("f", vector).tobytes()).decode()


def unpacked(text: str) -> list[float]:
    """Return the vector in a text from ``packed``."""
    return array("f", base64.b64decode(text)).tolist()


def _bare(schema: Any) -> Any:
    """Return the schema without bounds, titles and defaults."""
    if isinstance(schema, list):
        return [_bare(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    bare = {key: _bare(each) for key, each in schema.items() if key not in _UNSUPPORTED}
    return bare | {"required": list(bare["properties"])} if "properties" in bare else bare
