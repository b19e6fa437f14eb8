"""Reads a model's answers. Before any use, it checks their types and, with ``actors.ai.gate``, form and facts."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, field_validator

from actors.ai import gate
from actors.ai.gate.quotations import place
from actors.ai.markdown import plain
from actors.ai.openai.client import CallFailed, invalid
from actors.ai.openai.settings import OpenAISettings
from actors.ai.openai.wire import WIRES
from actors.ai.prompting import visible
from actors.ai.protocol import Story, Unfounded
from zeke_jobs import Reject, Retry

#: A model that writes 3.0 means 3, because JSON does not distinguish the two numbers.
Whole = Annotated[
    int, BeforeValidator(lambda said: int(said) if isinstance(said, float) and said.is_integer() else said)
]


class BriefAnswer(BaseModel, extra="forbid", strict=True):
    """Describes a model's answer to the prompt ``brief``."""

    one_liner: str = Field(min_length=1, max_length=1000)
    two_liner: str = Field(min_length=1, max_length=2000)
    elevator: str = Field(min_length=1, max_length=4000)


class SummaryAnswer(BaseModel, extra="forbid", strict=True):
    """Describes a model's answer to the prompt ``summarize``."""

    summary: str = Field(min_length=1, max_length=3000)


class SameEventAnswer(BaseModel, extra="forbid", strict=True):
    """Describes a model's answer to the prompt ``same_event``."""

    quote: str = Field(max_length=2000)
    other: Whole  # the number of the story that tells the same event, or 0
    other_quote: str = Field(max_length=2000)


Form = TypeVar("Form", bound=BaseModel)


class StoryAnswer(BaseModel, extra="forbid", strict=True):
    """Describes a model's answer to ``analyze``. The analysis must be valid; brief and summary may be invalid."""

    why_it_matters: str = Field(min_length=1, max_length=1200)
    chili: Whole = Field(ge=0, le=5)
    confidence: float = Field(ge=0, le=1)
    quotes: list[str] = Field(max_length=10)
    one_liner: str = ""
    two_liner: str = ""
    elevator: str = ""
    summary: str = ""

    @field_validator("one_liner", "two_liner", "elevator", "summary", mode="before")
    @classmethod
    def _none_without_a_text(cls, value: Any) -> str:
        return value if isinstance(value, str) else ""


_THOUGHT = re.compile(r"</think(?:ing)?>")
_TRIES = 30
_DECODER = json.JSONDecoder()
_ADDRESS = re.compile(r"https?://[^\s)>\"'\]]+|\bwww\.[^\s)>\"'\]]+", re.IGNORECASE)
_UNSUPPORTED = frozenset(
    ("title", "description", "default", "minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems")
)


@cache
def strict_schema(form: type[BaseModel]) -> dict[str, Any]:
    """Return the strict-mode schema: all keys required, no limits like maxLength. Do not change the cached result."""

    def bare(schema: Any) -> Any:
        if isinstance(schema, list):
            return [bare(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        kept = {key: bare(each) for key, each in schema.items() if key not in _UNSUPPORTED}
        return kept | {"required": list(kept["properties"])} if "properties" in kept else kept

    schema: dict[str, Any] = bare(form.model_json_schema())
    return schema


def read(form: type[Form], *texts: str) -> Form:
    """Return the first JSON object in ``texts`` that fits ``form``, even in prose, in a code fence or after reasoning.

    Raises:
        ValueError: no object fits. The message names the field with the fault, or says that there is no object.
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
    """Yield the JSON objects in a text. The search tries a limited number of opening braces."""
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


def checked(
    form: type[Form], got: Mapping[str, Any], settings: OpenAISettings, fault_of: Callable[[Form], str | None]
) -> Form:
    """Check a provider's reply, and return the answer in it.

    Raises:
        CallFailed: there is no answer, or ``fault_of`` finds a fault.
    """
    try:
        texts, ending, refusal = WIRES[settings.kind].said(got)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = f"the model's answer is not one of kind {settings.kind}: it has no choices, output or content"
        raise invalid(Retry(reason=reason)) from error
    if ending == "refused":
        why = visible((refusal or "its content filter stopped the answer")[:300])
        raise CallFailed("refused", Reject(f"the model refused: {why}"), is_charged=True)
    if ending == "length":
        verdict = Retry(reason="the model's answer was cut off; raise max_output_tokens if this goes on")
        raise CallFailed("truncated", verdict, is_charged=True)
    try:
        answer = read(form, *texts)
    except ValueError as error:
        raise invalid(Retry(reason=f"the model's answer is not as asked: {error}")) from error
    answer = answer.model_copy(update={name: _visible(value) for name, value in answer})
    if wrong := fault_of(answer):
        raise invalid(Unfounded(wrong, answer.model_dump_json()))
    return answer


def needed(answer: BaseModel) -> list[str]:
    """Return those texts of an answer that must pass the checks. Without them, the answer cannot be used."""
    if isinstance(answer, StoryAnswer):
        return [answer.why_it_matters]
    return [value for _, value in answer if isinstance(value, str)]


def fault(answer: BaseModel, story: Story, *, is_translated: bool) -> str | None:
    """Return the reason why an answer must not be shown, or None."""
    for value in needed(answer):
        for address in _ADDRESS.findall(value):
            if address not in story.document:
                return f"the model named an address that the story does not: {address[:100]}"
        if found := gate.fault(plain(value), story, is_translated=is_translated):
            return found
    if isinstance(answer, StoryAnswer) and not any(place(story.document, quote) for quote in answer.quotes):
        return "no quotation of the answer is in the story"
    return None


def event_fault(story: Story, others: Sequence[Story], answer: SameEventAnswer) -> str | None:
    """Return the reason why an answer to ``same_event`` cannot be used, or None."""
    if answer.other == 0:
        return None
    if answer.other not in range(1, len(others) + 1):
        return f"expected a number from 0 to {len(others)}, got {answer.other}"
    quotes = ((story, answer.quote), (others[answer.other - 1], answer.other_quote))
    is_quoted = all(place(f"{one.title}\n{one.document}", quote) for one, quote in quotes)
    return None if is_quoted else "a quotation is not in its story"


def without_faults(answer: Form, story: Story, *, is_translated: bool) -> Form:
    """Return the answer to ``analyze`` without a brief or summary that must not be shown. Other answers stay unchanged."""
    bad = dict[str, str]()
    for form in (BriefAnswer, SummaryAnswer) if isinstance(answer, StoryAnswer) else ():
        try:
            part = form.model_validate({name: getattr(answer, name) for name in form.model_fields})
            is_bad = fault(part, story, is_translated=is_translated) is not None
        except ValidationError:
            is_bad = True
        bad |= dict.fromkeys(form.model_fields, "") if is_bad else {}
    return answer.model_copy(update=bad)


def _visible(value: Any) -> Any:
    if isinstance(value, list):
        return [_visible(one) for one in value]
    return visible(value).strip() if isinstance(value, str) else value
