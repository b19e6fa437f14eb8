"""Verifies an answer: for each statement, a model names the story's sentences that support the statement."""

from collections.abc import Collection, Sequence

from pydantic import BaseModel, Field

from actors.ai import gate
from actors.ai.gate.evidence import STOPS, Evidence, evidence, keys
from actors.ai.gate.quotations import normal
from actors.ai.markdown import plain
from actors.ai.openai.answers import Form, Whole
from actors.ai.protocol import Story
from actors.ai.sentences import sentences
from actors.ai.standing import leans
from actors.ai.words import is_dense

_LEAST = 12  # minimum number of characters in a sentence


class Check(BaseModel, extra="forbid", strict=True):
    """Holds the model's verdict on one statement."""

    statement: Whole
    follows: bool
    sentences: list[str] = Field(max_length=10)


class VerifyAnswer(BaseModel, extra="forbid", strict=True):
    """Describes a model's answer to the prompt ``verify``."""

    checks: list[Check] = Field(max_length=100)


def statements(answer: BaseModel) -> list[str]:
    """Return the sentences of an answer's texts in order, without duplicates."""
    texts = (plain(value) for _, value in answer if isinstance(value, str))
    return list(dict.fromkeys(one.text for text in texts for one in sentences(text)))


def verified(asked: Sequence[str], answer: VerifyAnswer, story: Story, *, is_translated: bool) -> set[str]:
    """Return the statements that follow from the story. The answer must have exactly one verdict on each statement."""
    known = evidence(story)
    verdicts: dict[int, list[Check]] = {}
    for check in answer.checks:
        verdicts.setdefault(check.statement, []).append(check)
    return {
        text
        for number, text in enumerate(asked, 1)
        if len(found := verdicts.get(number, [])) == 1
        and found[0].follows
        and _shows(found[0].sentences, text, known, is_translated=is_translated)
    }


def without_others(answer: Form, kept: Collection[str]) -> Form:
    """Return the answer with only the statements in ``kept``. Statements that refer to removed ones are left out."""
    made = {}
    for name, value in answer:
        if isinstance(value, str):
            left: list[str] = []
            is_broken = False
            for one in sentences(plain(value)):
                is_broken = one.text not in kept or (is_broken and leans(one.text))
                left += [] if is_broken else [one.text]
            made[name] = ("" if left and is_dense(left[0]) else " ").join(left)
    return answer.model_copy(update=made)


def _shows(cited: Sequence[str], statement: str, story: Evidence, *, is_translated: bool) -> bool:
    places: set[int] = set()
    for sentence in cited:
        form = normal(sentence).strip(STOPS)
        found = {
            at
            for at, text in enumerate(story.forms)
            if (form in text and len(form) >= _LEAST) or (text and text in form)
        }
        if form not in story.normal or not found:
            return False
        places |= found
    said = keys(statement)
    told = frozenset().union(*(keys(story.sentences[at]) for at in places))
    near = sorted({0, *(at + step for at in places for step in (-1, 0, 1))} & set(range(len(story.sentences))))
    window = Evidence(tuple(story.sentences[at] for at in near), "")
    return bool(places) and (is_translated or not said or bool(said & told)) and gate.figures(statement, window) is None
