"""Checks an answer before any part of it is used: its type, its form, and the gate."""

import math
import re
from array import array
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from actors.ai import gate
from actors.ai.gate.quotations import place
from actors.ai.markdown import plain
from actors.ai.openai.answers import AnalysisAnswer, BriefAnswer, Form, StoryAnswer, SummaryAnswer, needed, read
from actors.ai.openai.client import CallFailed
from actors.ai.openai.settings import OpenAISettings
from actors.ai.openai.wire import WIRES
from actors.ai.prompting import repeats_instructions, visible
from actors.ai.protocol import Story, Unfounded
from zeke_jobs import Reject, Retry

_ADDRESS = re.compile(r"https?://[^\s)>\"'\]]+|\bwww\.[^\s)>\"'\]]+", re.IGNORECASE)


def checked(
    form: type[Form], got: Mapping[str, Any], settings: OpenAISettings, fault_of: Callable[[Form], str | None]
) -> Form:
    """Return the answer in a provider's reply.

    Raises:
        CallFailed: there is no answer, or ``fault_of`` finds a fault. The exception has the verdict for the job.
    """
    try:
        said = WIRES[settings.kind].said(got)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        reason = f"the model's answer is not one of kind {settings.kind}: it has no choices, output or content"
        raise _invalid(Retry(reason=reason)) from error
    if said.ending == "refused":
        why = visible((said.refusal or "its content filter stopped the answer")[:300])
        raise CallFailed("refused", Reject(f"the model refused: {why}"), is_charged=True)
    if said.ending == "length":
        verdict = Retry(reason="the model's answer was cut off; raise max_output_tokens if this goes on")
        raise CallFailed("truncated", verdict, is_charged=True)
    try:
        answer = read(form, *said.texts)
    except ValueError as error:
        raise _invalid(Retry(reason=f"the model's answer is not as asked: {error}")) from error
    answer = answer.model_copy(update={name: _visible(value) for name, value in answer})
    if wrong := fault_of(answer):
        raise _invalid(Unfounded(wrong, answer.model_dump_json()))
    return answer


def fault(answer: BaseModel, story: Story, language: str | None) -> str | None:
    """Return the reason why an answer must not be shown, or None. ``language`` is the requested language, if any."""
    is_translated = language is not None and not gate.is_in(language, story)
    for value in needed(answer):
        if repeats_instructions(value):
            return "the model repeated its instructions"
        for address in _ADDRESS.findall(value):
            if address not in story.document:
                return f"the model named an address that the story does not: {address[:100]}"
        if found := gate.fault(plain(value), story, is_translated=is_translated):
            return found
    if isinstance(answer, AnalysisAnswer) and not any(place(story.document, quote) for quote in answer.quotes):
        return "no quotation of the answer is in the story"
    return None


def without_faults(answer: Form, story: Story, language: str | None) -> Form:
    """Return the answer to ``analyze`` without a brief or summary that must not be shown. Other answers stay unchanged."""
    bad = dict[str, str]()
    for form in (BriefAnswer, SummaryAnswer) if isinstance(answer, StoryAnswer) else ():
        try:
            part = form.model_validate({name: getattr(answer, name) for name in form.model_fields})
            wrong = fault(part, story, language)
        except ValidationError as error:
            wrong = str(error)
        bad |= dict.fromkeys(form.model_fields, "") if wrong else {}
    return answer.model_copy(update=bad)


def checked_vectors(got: Mapping[str, Any], count: int, size: int) -> list[list[float] | CallFailed]:
    """Return the vectors of ``size`` finite numbers in the reply to ``count`` texts, or faults in place of missing vectors."""
    found = dict[int, Any]()
    for position, one in enumerate(got["data"]):
        at = one.get("index", position) if isinstance(one, dict) else None
        found |= {at: one} if isinstance(at, int) else {}
    return [_vector(found.get(at), size) for at in range(count)]


def _vector(found: Any, size: int) -> list[float] | CallFailed:
    try:
        vector = array("f", map(float, found["embedding"])).tolist()  # this is the database's precision
    except (KeyError, TypeError, ValueError, OverflowError):
        return _invalid(Retry(reason="the embedding answer has no vector"))
    if not all(map(math.isfinite, vector)):
        return _invalid(Retry(reason="the embedding has numbers that are none"))
    if len(vector) != size:
        reason = f"expected an embedding of {size} numbers, got {len(vector)}; set embedding_dimensions to what the model gives"
        return _invalid(Reject(reason))
    return vector


def _invalid(verdict: Exception) -> CallFailed:
    return CallFailed("invalid", verdict, is_charged=True)


def _visible(value: Any) -> Any:
    if isinstance(value, list):
        return [_visible(one) for one in value]
    return visible(value).strip() if isinstance(value, str) else value
