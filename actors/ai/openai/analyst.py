"""The AI step by a model: versioned prompts, checked answers, every call in the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from actors.ai import gate
from actors.ai.gate.quotations import place
from actors.ai.markdown import plain
from actors.ai.openai.answers import BriefAnswer, StoryAnswer, SummaryAnswer, needed, strict_schema
from actors.ai.openai.batches import Batches
from actors.ai.openai.bookkeeping import OVERHEAD_TOKENS, end_of, key_of
from actors.ai.openai.checks import checked, fault, without_faults
from actors.ai.openai.client import CallFailed, Client, Reply
from actors.ai.openai.embedder import Embedder
from actors.ai.openai.settings import TEXT, OpenAISettings
from actors.ai.openai.verification import VerifyAnswer, numbered, statements, verified, without_others
from actors.ai.openai.wire import WIRES, Question, Turn
from actors.ai.prompting import fenced, material, new_nonce, prompt
from actors.ai.protocol import (
    HALF,
    Analysis,
    Analyst,
    Begun,
    Brief,
    CallEnd,
    CallStart,
    Citation,
    Embedding,
    Ledger,
    Provenance,
    Story,
    Summary,
    Unfounded,
)

_OWN_LANGUAGE = "the language of the story"
_AGAIN = (
    "This answer is not taken. Answer again, in the same form, with nothing that the story does not say. The fault:"
)

Form = TypeVar("Form", bound=BaseModel)


class OpenAIAnalyst:
    """A model behind chat completions; embeddings from the provider or, if none are configured, local ones.

    Args:
        settings: Address, model, prices and others.
        local: Embeds if ``settings.embedding_model`` is None, and updates the scores that it once gave.
        in_batches: Whether the questions of jobs that nobody waits for are asked in batches.
    """

    def __init__(self, settings: OpenAISettings, local: Analyst, *, in_batches: bool = False) -> None:
        self._settings = settings
        self._client = Client(settings)
        self._wire = WIRES[settings.kind]
        self._local = local
        self._in_batches = in_batches
        self.batches = Batches(settings, self._client)
        self._embedder = Embedder(settings, self._client) if settings.embedding_model else None
        self.embeds_together = self._embedder is not None
        # A model's opinion does not depend on the number of sources; an earlier score of the local formula does.
        self.rescore = local.rescore

    def analyze(self, story: Story, ledger: Ledger | None = None) -> Analysis:
        """Ask why the story matters, and for brief and summary in the same answer.

        Quotations that are not in the story are dropped; at least one must be in it. A brief or summary that does not pass is
        left out.
        """
        answer, made_by = self._ask("analyze", StoryAnswer, story, _needed(ledger), self._local.analyze)
        places = [span for quote in answer.quotes if (span := place(story.document, quote)) is not None]
        return Analysis(
            why_it_matters=plain(answer.why_it_matters),
            chili=answer.chili,
            state="completed",
            made_by=made_by,
            confidence=answer.confidence,
            citations=tuple(Citation(story.document[start:end], start, end) for start, end in places),
            breakdown={"quotes_asked": len(answer.quotes), "quotes_found": len(places)},
            brief=_brief(answer, made_by) if answer.one_liner or answer.two_liner or answer.elevator else None,
            summary=Summary(plain(answer.summary), made_by) if answer.summary else None,
        )

    def brief(self, story: Story, ledger: Ledger | None = None) -> Brief:
        """Ask for three lengths; the caller enforces their limits."""
        return _brief(*self._ask("brief", BriefAnswer, story, _needed(ledger), self._local.brief))

    def summarize(self, story: Story, ledger: Ledger | None = None) -> Summary:
        """Ask for a paragraph."""
        answer, made_by = self._ask("summarize", SummaryAnswer, story, _needed(ledger), self._local.summarize)
        return Summary(plain(answer.summary), made_by)

    def embed(self, story: Story, ledger: Ledger | None = None) -> Embedding:
        """The provider's vector of title and beginning, padded to 1536; the local one if no model is configured."""
        if not self.embeds_together:
            return self._local.embed(story)
        (made,) = self.embed_many([story], ledger)
        if isinstance(made, Exception):
            raise made
        return made

    def embed_many(self, stories: Sequence[Story], ledger: Ledger | None = None) -> list[Embedding | Exception]:
        """See ``Embedder``."""
        return (
            self._embedder.embed_many(stories, _needed(ledger)) if self._embedder else self._local.embed_many(stories)
        )

    def _ask(
        self, operation: str, form: type[Form], story: Story, books: Ledger, local: Callable[[Story], Any]
    ) -> tuple[Form, Provenance]:
        """A model's answer that passes the gate, with its verified statements alone.

        The model is asked once more, with the fault named, if the first answer does not pass or no statement is verified.

        Raises:
            Unfounded: nor does the second; it carries the text of ``local``.
        """
        settings, nonce = self._settings, new_nonce()
        settings = settings.longer(settings.output_tokens + TEXT) if form is StoryAnswer else settings
        text = material(story, settings.max_input_chars)
        turns = [("user", fenced(text, nonce))]
        key = self._key(settings, operation, form, text)

        def accept(answer: Form) -> str | None:
            return fault(answer, story, settings.language)

        def ask(*, is_first: bool) -> tuple[Form, Provenance]:
            model, found = self._question(
                books, settings, operation, form, turns, nonce, key, accept, remembers=is_first, may_wait=is_first
            )
            checked_by: Literal["verified", "by rule"] = "verified" if settings.verify else "by rule"
            made_by = Provenance("openai", model, prompt(operation).name, checked_by)
            found = without_faults(found, story, settings.language)
            left = self._verified(settings, found, story, books, may_wait=is_first) if settings.verify else found
            return left, made_by

        try:
            return ask(is_first=True)
        except Unfounded as first:
            turns += [("assistant", first.said), ("user", f"{_AGAIN} {first.reason}")]
        try:
            return ask(is_first=False)
        except Unfounded as second:
            raise Unfounded(second.reason, second.said, local(story)) from second

    def _verified(self, settings: OpenAISettings, found: Form, story: Story, books: Ledger, *, may_wait: bool) -> Form:
        """The answer with those statements alone for which the model names the sentences of the story that show them.

        Raises:
            Unfounded: no statement is left.
        """
        nonce = new_nonce()
        model = settings.verify if isinstance(settings.verify, str) else settings.model
        # It copies sentences of the story, which may be longer than the answer.
        settings = settings.longer(2 * settings.output_tokens).model_copy(update={"model": model})
        asked, text = statements(found), material(story, settings.max_input_chars)
        turns = [("user", f"{fenced(text, nonce)}\n\nStatements:\n{numbered(asked)}")]
        key = self._key(settings, "verify", VerifyAnswer, text, asked)
        _, answer = self._question(books, settings, "verify", VerifyAnswer, turns, nonce, key, may_wait=may_wait)
        is_translated = settings.language is not None and not gate.is_in(settings.language, story)
        left = without_others(found, verified(asked, answer, story, is_translated=is_translated))
        if not any(needed(left)):
            raise Unfounded("the story has no sentence that shows it", found.model_dump_json())
        return left

    def _question(
        self,
        books: Ledger,
        settings: OpenAISettings,
        operation: str,
        form: type[Form],
        turns: Sequence[Turn],
        nonce: str,
        key: str,
        fault_of: Callable[[Form], str | None] = lambda _: None,
        *,
        remembers: bool = True,
        may_wait: bool = True,
    ) -> tuple[str, Form]:
        """The model that answered, and its answer: the remembered one to an equal question, else a new one.

        ``may_wait``: a batch may ask it. A question that follows from an answer without a batch is asked at once, so that no
        attempt asks it anew.
        """
        instructions = prompt(operation)
        system = instructions.system(language=settings.language or _OWN_LANGUAGE, nonce=nonce)
        body = self._body(settings, system, turns, strict_schema(form), operation)
        # A token has at least one byte, so this is never too low.
        payload = json.dumps(body, ensure_ascii=False).encode()
        most = settings.cost(settings.model, len(payload) + OVERHEAD_TOKENS, settings.output_tokens)
        start = CallStart(operation, settings.model, instructions.name, most)
        asked = {"path": self._wire.path, "body": body} if may_wait and self._in_batches else None
        begun = books.begin(start, key, asked, recalls=settings.cache and remembers, may_wait=may_wait)
        if begun.kept is not None:
            found = form.model_validate(begun.kept["answer"])
            wrong = fault_of(found)
            books.settle(begun.id, CallEnd("invalid" if wrong else "cached", wrong, settings.model, cost=0.0))
            if wrong is None:
                return begun.kept["model"], found
            begun = books.begin(start, key, asked, recalls=False, may_wait=may_wait)
        reply = self._reply(books, begun, start, payload)
        end = end_of(settings, settings.model, reply, 1.0 if begun.reply is None else HALF)
        try:
            answer = checked(form, reply.body, settings, fault_of)
        except CallFailed as failure:
            books.settle(begun.id, CallEnd(failure.outcome, str(failure), *end))
            raise failure.verdict from failure
        keep = (key, {"answer": answer.model_dump(), "model": end[0]})
        books.settle(begun.id, CallEnd("ok", None, *end), keep if settings.cache else None)
        return end[0], answer

    def _reply(self, books: Ledger, begun: Begun, start: CallStart, payload: bytes) -> Reply:
        """The provider's reply: that of a batch, else to a request now.

        Raises:
            Retry, Defer, Reject: there is none; the ledger has the reason.
        """
        if begun.reply is not None:
            return Reply(begun.reply, None)
        try:
            return self._client.post(self._wire.path, payload)
        except CallFailed as failure:
            rests = None if failure.rests is None else (start.model, failure.rests)
            books.settle(begun.id, CallEnd(failure.outcome, str(failure), is_charged=failure.is_charged, rests=rests))
            raise failure.verdict from failure

    @staticmethod
    def _key(settings: OpenAISettings, operation: str, form: type[BaseModel], *asked: Any) -> str:
        """The identity of a question: equal ones have equal answers."""
        params = {
            "max_tokens": settings.output_tokens,
            "temperature": settings.temperature,
            "effort": settings.reasoning_effort,
            "more": settings.extra_body,
            "as": settings.answer_format,
        }
        return key_of(prompt(operation).text, settings.model, settings.language, params, strict_schema(form), *asked)

    def _body(
        self, settings: OpenAISettings, system: str, turns: Sequence[Turn], schema: Mapping[str, Any], operation: str
    ) -> dict[str, Any]:
        if settings.answer_format != "json_schema":
            system += f"\n\nAnswer with one JSON object of this schema and nothing else:\n{json.dumps(schema)}"
        return self._wire.body(settings, Question(system, turns, operation, schema)) | settings.extra_body


def _brief(answer: BriefAnswer | StoryAnswer, made_by: Provenance) -> Brief:
    return Brief(
        plain(answer.one_liner) or None, plain(answer.two_liner) or None, plain(answer.elevator) or None, made_by
    )


def _needed(ledger: Ledger | None) -> Ledger:
    if ledger is None:
        raise TypeError("expected a ledger for a provider that costs money, got none")
    return ledger
