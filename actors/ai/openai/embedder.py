"""Embeddings by the provider: many texts in one request, and for each its own call in the ledger of its job."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple
from uuid import UUID

from actors.ai.openai.answers import packed, unpacked
from actors.ai.openai.bookkeeping import OVERHEAD_TOKENS, end_of, key_of
from actors.ai.openai.checks import checked_vectors
from actors.ai.openai.client import CallFailed, Client, ContentRefused, Reply
from actors.ai.openai.settings import OpenAISettings
from actors.ai.prompting import material
from actors.ai.protocol import CallEnd, CallStart, Embedding, Ledger, Story
from zeke_jobs import Defer, Retry

DIMENSIONS = 1536
_EMBEDDED_CHARS = 4000


class _Text(NamedTuple):
    """A text to embed: its place among the stories, the key of its answer, and the ledger of its job."""

    place: int
    text: str
    key: str
    books: Ledger


class Embedder:
    """The embedding model of a provider."""

    def __init__(self, settings: OpenAISettings, client: Client) -> None:
        self._settings = settings
        self._client = client

    def embed_many(self, stories: Sequence[Story], ledgers: Sequence[Ledger]) -> list[Embedding | Exception]:
        """The vectors of titles and beginnings, padded to 1536, by one request; the verdict instead of a vector that is missing.

        A request that the provider refuses for its content is asked again in halves, so that one text spoils no other.

        Raises:
            Retry, Defer, Reject: the verdict on all of them.
        """
        model, size = self._settings.embedding_model, self._settings.embedding_dimensions
        assert model is not None
        version, texts = f"{model}@{size}", list[_Text]()
        for at, (story, books) in enumerate(zip(stories, ledgers, strict=True)):
            text = material(story, _EMBEDDED_CHARS)
            texts.append(_Text(at, text, key_of("embed", version, text), books))
        return [
            one if isinstance(one, Exception) else Embedding(tuple(one) + (0.0,) * (DIMENSIONS - size), version)
            for _, one in sorted(self._vectors(model, texts).items())
        ]

    def _vectors(self, model: str, wanted: Sequence[_Text]) -> dict[int, list[float] | Exception]:
        """The vectors of some texts by their places: kept ones, and all others by one request, shared by their ledgers."""
        settings, found, asked = self._settings, dict[int, list[float] | Exception](), list[tuple[_Text, UUID]]()
        try:
            for one in wanted:
                most = settings.cost(model, len(one.text.encode()) + OVERHEAD_TOKENS, 0)
                begun = one.books.begin(CallStart("embed", model, None, most), one.key, recalls=settings.cache)
                if begun.kept is None:
                    asked.append((one, begun.id))
                else:
                    found[one.place] = unpacked(begun.kept)
                    one.books.settle(begun.id, CallEnd("cached", model=model, cost=0.0))
            if not asked:
                return found
            reply = self._reply(model, [one.text for one, _ in asked])
        except (CallFailed, Defer) as error:
            failure = error if isinstance(error, CallFailed) else CallFailed("failed", error, is_charged=False)
            rests = None if failure.rests is None else (model, failure.rests)
            for one, call in asked:
                end = CallEnd(failure.outcome, str(failure), is_charged=failure.is_charged, rests=rests)
                one.books.settle(call, end)
            if not isinstance(failure, ContentRefused):
                raise failure.verdict from error
            if len(asked) == 1:
                return found | {asked[0][0].place: failure.verdict}
            half = len(asked) // 2
            halves = [one for one, _ in asked[:half]], [one for one, _ in asked[half:]]
            return found | self._vectors(model, halves[0]) | self._vectors(model, halves[1])
        answered, total, _, _, _, latency = end_of(settings, model, reply)
        vectors = checked_vectors(reply.body, len(asked), settings.embedding_dimensions)
        shares = _shares(total, [one.text for one, _ in asked])
        for (one, call), vector, used in zip(asked, vectors, shares, strict=True):
            cost = None if used is None else settings.cost(model, used, 0)
            if isinstance(vector, CallFailed):
                found[one.place] = vector.verdict
                outcome, detail, keep = vector.outcome, str(vector), None
            else:
                found[one.place] = vector
                outcome, detail, keep = "ok", None, (one.key, packed(vector)) if settings.cache else None
            one.books.settle(call, CallEnd(outcome, detail, answered, used, 0, cost, latency_ms=latency), keep)
        return found

    def _reply(self, model: str, texts: Sequence[str]) -> Reply:
        reply = self._client.post("/embeddings", self._body(model, texts))
        if not isinstance(reply.body.get("data"), list):
            raise CallFailed("invalid", Retry(reason="the embedding answer has no vectors"), is_charged=True)
        return reply

    def _body(self, model: str, texts: Sequence[str]) -> bytes:
        given = texts if len(texts) > 1 else texts[0]
        body: dict[str, Any] = {"model": model, "input": given, "encoding_format": "float"}
        if self._settings.send_dimensions:
            body["dimensions"] = self._settings.embedding_dimensions
        return json.dumps(body, ensure_ascii=False).encode()


def _shares(tokens: int | None, texts: Sequence[str]) -> list[int | None]:
    """The tokens of a request, shared out by the lengths of its texts."""
    if tokens is None:
        return [None for _ in texts]
    ends = [0, *accumulate(len(text) for text in texts)]
    return [tokens * end // ends[-1] - tokens * begin // ends[-1] for begin, end in pairwise(ends)]
