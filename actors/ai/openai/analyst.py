"""Analyses stories with a model. It uses versioned prompts, checks answers, and records every call in the ledger."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from actors.ai import gate
from actors.ai.gate.quotations import place
from actors.ai.local import Analyst, opening
from actors.ai.markdown import plain
from actors.ai.openai import answers
from actors.ai.openai.answers import BriefAnswer, Form, SameEventAnswer, StoryAnswer, SummaryAnswer
from actors.ai.openai.batches import AnthropicBatches, Batches
from actors.ai.openai.client import CallFailed, Client, Reply
from actors.ai.openai.embedder import Embedder, key_of
from actors.ai.openai.settings import OVERHEAD, TEXT, OpenAISettings
from actors.ai.openai.verification import VerifyAnswer, statements, verified, without_others
from actors.ai.openai.wire import WIRES, Turn
from actors.ai.prompting import fenced, material, prompt
from actors.ai.protocol import Analysis, Brief, CallEnd, CallStart, Embedding, Provenance, Story, Summary, Unfounded

if TYPE_CHECKING:
    from actors.store.ai_calls import Ledger

_AGAIN = (
    "This answer is not taken. Answer again, in the same form, with nothing that the story does not say. The fault:"
)


class OpenAIAnalyst(Analyst):
    """Analyses stories with a model. If ``in_batches``, questions that no person waits for are put into batches."""

    def __init__(self, settings: OpenAISettings, local: Analyst, *, in_batches: bool = False) -> None:
        self._local = local
        self.rescore = local.rescore
        self._settings = settings
        self._client = Client(settings)
        self._wire = WIRES[settings.kind]
        self._in_batches = in_batches
        self.batches = (AnthropicBatches if settings.kind == "anthropic" else Batches)(settings, self._client)
        self._embedder = Embedder(settings, self._client) if settings.embedding_model else None
        self.embeds_together = self._embedder is not None
        self.same_event = self._same_event if settings.same_event else None

    def analyze(self, story: Story, ledger: Ledger | None = None) -> Analysis:
        """Ask for a brief, a summary, and why the story matters. Omit a brief or summary that fails the checks."""
        answer, made_by = self._ask("analyze", StoryAnswer, story, ledger, self._local.analyze)
        places = [span for quote in answer.quotes if (span := place(story.document, quote)) is not None]
        return Analysis(
            why_it_matters=plain(answer.why_it_matters),
            chili=answer.chili,
            state="completed",
            made_by=made_by,
            confidence=answer.confidence,
            quotes=places,
            breakdown={"quotes_asked": len(answer.quotes), "quotes_found": len(places)},
            brief=_brief(answer, made_by) if answer.one_liner or answer.two_liner or answer.elevator else None,
            summary=Summary(plain(answer.summary), made_by) if answer.summary else None,
        )

    def brief(self, story: Story, ledger: Ledger | None = None) -> Brief:
        """Ask for a brief. The caller enforces the brief's limits."""
        return _brief(*self._ask("brief", BriefAnswer, story, ledger, self._local.brief))

    def summarize(self, story: Story, ledger: Ledger | None = None) -> Summary:
        """Ask for a summary of one paragraph."""
        answer, made_by = self._ask("summarize", SummaryAnswer, story, ledger, self._local.summarize)
        return Summary(plain(answer.summary), made_by)

    def embed_many(self, stories: Sequence[Story], ledger: Ledger | None = None) -> list[Embedding | Exception]:
        """Embed stories with the provider's model (see ``Embedder``), or locally."""
        if self._embedder is None:
            return self._local.embed_many(stories)
        assert ledger is not None, "a provider that costs money needs a ledger"
        return self._embedder.embed_many(stories, ledger)

    def _same_event(self, story: Story, others: Sequence[Story], ledger: Ledger) -> Story | None:
        """Ask a model which of ``others`` reports the same event. It sees titles and leads, and quotes both stories.

        Raises:
            Unfounded: the model names a story that is not among ``others``, or a quotation is not in the quoted story.
        """
        settings = self._settings.asking(self._settings.same_event, self._settings.output_tokens)
        one, *rest = (replace(each, document=opening(each)) for each in (story, *others))
        wrong = partial(answers.event_fault, one, rest)
        _, answer = self._question(ledger, settings, "same_event", SameEventAnswer, one, others=rest, fault_of=wrong)
        return others[answer.other - 1] if answer.other else None

    def _ask(
        self, operation: str, form: type[Form], story: Story, books: Ledger | None, local: Callable[[Story], Any]
    ) -> tuple[Form, Provenance]:
        """Return a model's answer without unverified statements. If the answer fails the checks, ask once more.

        Raises:
            Unfounded: the second answer failed the checks too. The attribute ``instead`` is what ``local`` returns.
        """
        assert books is not None, "a provider that costs money needs a ledger"
        settings = self._settings
        settings = settings.asking(True, settings.output_tokens + TEXT) if form is StoryAnswer else settings
        is_translated = settings.language is not None and not gate.is_in(settings.language, story)
        told: dict[str, Any] = {"story": story, "is_translated": is_translated}
        fault_of, again = partial(answers.fault, **told), tuple[Turn, ...]()
        while True:
            try:
                model, found = self._question(books, settings, operation, form, story, again=again, fault_of=fault_of)
                found = answers.without_faults(found, **told)
                made_by = Provenance("openai", model, prompt(operation).name)
                if not settings.verify:
                    return found, replace(made_by, checked="by rule")
                # The verification quotes sentences of the story, so it may be longer than the verified answer.
                longer = settings.asking(settings.verify, 2 * settings.output_tokens)
                asked = statements(found)
                beside = "\n".join(["\n\nStatements:", *(f"{at}. {text}" for at, text in enumerate(asked, 1))])
                _, verdicts = self._question(books, longer, "verify", VerifyAnswer, story, beside, is_first=not again)
                left = without_others(found, verified(asked, verdicts, **told))
                if any(answers.needed(left)):
                    return left, replace(made_by, checked="verified")
                fault = Unfounded("the story has no sentence that shows it", found.model_dump_json())
            except Unfounded as refused:
                fault = refused
            if again:
                raise Unfounded(fault.reason, fault.said, local(story)) from fault
            asks = {"role": "user", "content": f"{_AGAIN} {fault.reason}"}
            again = ({"role": "assistant", "content": fault.said}, asks)

    def _question(
        self,
        books: Ledger,
        settings: OpenAISettings,
        operation: str,
        form: type[Form],
        story: Story,
        beside: str = "",
        others: Sequence[Story] = (),
        again: Sequence[Turn] = (),
        fault_of: Callable[[Form], str | None] = lambda _: None,
        *,
        is_first: bool = True,
    ) -> tuple[str, Form]:
        """Ask a model about a story, and return the model's name and the answer.

        The question also contains more text (``beside``), other stories (``others``), and the earlier answer with its
        fault (``again``). Only a first question (``is_first``) may be answered from the cache or put into a batch.

        Raises:
            Retry, Defer, Reject: calls are paused, or the ledger has the reason why this call gave no usable answer.
        """
        instructions, schema, is_first = prompt(operation), answers.strict_schema(form), is_first and not again
        text, *texts = (material(one, settings.max_input_chars) for one in (story, *others))

        def body(nonce: str, *turns: Turn) -> dict[str, Any]:
            system = instructions.text.replace("{language}", settings.language or "the language of the story")
            system = system.replace("{nonce}", nonce)
            if settings.answer_format != "json_schema":
                system += f"\n\nAnswer with one JSON object of this schema and nothing else:\n{json.dumps(schema)}"
            numbered = [f"\n\n{number}.\n{fenced(one, nonce)}" for number, one in enumerate(texts, 1)]
            told = {"role": "user", "content": "".join([fenced(text, nonce), beside, *numbered])}
            return self._wire.body(settings, system, [told, *turns], operation, schema) | settings.extra_body

        key, asked = key_of(body("")), body(secrets.token_hex(8), *again)
        payload = json.dumps(asked, ensure_ascii=False).encode()
        # A token has at least one byte, so counting the bytes as tokens gives an upper bound of the cost.
        most = settings.cost(settings.model, len(payload) + OVERHEAD, settings.output_tokens)
        start = CallStart(operation, settings.model, instructions.name, most)
        question = {"path": self._wire.path, "body": asked} if is_first and self._in_batches else None
        begun = books.begin(start, key, question, recalls=settings.cache and is_first, may_wait=is_first)
        if begun.kept is not None:
            found = form.model_validate(begun.kept["answer"])
            wrong = fault_of(found)
            books.settle(begun.id, CallEnd("invalid" if wrong else "cached", wrong, settings.model, cost=0.0))
            if wrong is None:
                return begun.kept["model"], found
            begun = books.begin(start, key, question, recalls=False, may_wait=is_first)
        end = CallEnd("ok")
        try:
            reply = self._client.post(self._wire.path, payload) if begun.reply is None else Reply(begun.reply)
            end = reply.end(settings, settings.model)
            answer = answers.checked(form, reply.body, settings, fault_of)
        except CallFailed as failure:
            books.settle(begun.id, failure.end(settings.model, end))
            raise failure.verdict from failure
        model = end.model or settings.model
        books.settle(begun.id, end, (key, {"answer": answer.model_dump(), "model": model}) if settings.cache else None)
        return model, answer


def _brief(answer: BriefAnswer | StoryAnswer, made_by: Provenance) -> Brief:
    one, two, elevator = (plain(part) or None for part in (answer.one_liner, answer.two_liner, answer.elevator))
    return Brief(one, two, elevator, made_by)
