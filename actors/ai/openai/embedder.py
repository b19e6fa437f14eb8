"""Makes embeddings by the provider: many texts in one request, with a call in the ledger for each text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any
from uuid import UUID

from actors.ai.hashing import DIMENSIONS
from actors.ai.openai.answers import key_of, packed, unpacked
from actors.ai.openai.checks import checked_vectors
from actors.ai.openai.client import CallFailed, Client, ContentRefused, Reply
from actors.ai.openai.settings import OVERHEAD, OpenAISettings
from actors.ai.prompting import material
from actors.ai.protocol import CallEnd, CallStart, Embedding, Ledger, Story
from zeke_jobs import Retry

_EMBEDDED_CHARS = 4000


class Embedder:
    """Is the embedding model of a provider."""

    def __init__(self, settings: OpenAISettings, client: Client) -> None:
        self._settings = settings
        self._client = client

    def embed_many(self, stories: Sequence[Story], books: Ledger) -> list[Embedding | Exception]:
        """Return the vectors of titles and beginnings, padded to 1536, or an exception for each missing vector.

        The texts are in one request. If a request is refused for its content, the request is sent again in halves, so
        that one text does not fail the others.

        Raises:
            Retry, Defer, Reject: the verdict on all stories.
        """
        model, size = self._settings.embedding_model, self._settings.embedding_dimensions
        assert model is not None
        texts = {at: material(story, _EMBEDDED_CHARS) for at, story in enumerate(stories)}
        vectors = self._vectors(model, f"{model}@{size}", texts, books)
        return [
            one
            if isinstance(one, Exception)
            else Embedding(tuple(one) + (0.0,) * (DIMENSIONS - size), f"{model}@{size}")
            for _, one in sorted(vectors.items())
        ]

    def _vectors(
        self, model: str, version: str, wanted: Mapping[int, str], books: Ledger
    ) -> dict[int, list[float] | Exception]:
        """Return the vectors of texts by index. One request asks for vectors that are not stored. These texts share the cost."""
        settings, keys = self._settings, {at: key_of("embed", version, text) for at, text in wanted.items()}
        most = {at: settings.cost(model, len(text.encode()) + OVERHEAD, 0) for at, text in wanted.items()}
        starts = {at: (CallStart("embed", model, None, most[at]), keys[at]) for at in wanted}
        begun = books.begin_all(starts, recalls=settings.cache)
        found: dict[int, list[float] | Exception]
        found = {at: unpacked(one.kept) for at, one in begun.items() if one.kept is not None}
        ends: dict[int, tuple[UUID, CallEnd, tuple[str, Any] | None]]
        ends = {at: (begun[at].id, CallEnd("cached", model=model, cost=0.0), None) for at in found}
        asked = {at: text for at, text in wanted.items() if at not in found}
        if not asked:
            books.settle_all(ends)
            return found
        try:
            reply = self._reply(model, list(asked.values()))
        except CallFailed as failure:
            end = failure.end(model, CallEnd("ok"))
            books.settle_all(ends | {at: (begun[at].id, end, None) for at in asked})
            if not isinstance(failure, ContentRefused):
                raise failure.verdict from failure
            if len(asked) == 1:
                return found | dict.fromkeys(asked, failure.verdict)
            for places in (list(asked)[: len(asked) // 2], list(asked)[len(asked) // 2 :]):
                found |= self._vectors(model, version, {at: asked[at] for at in places}, books)
            return found
        whole = reply.end(settings, model)
        vectors = checked_vectors(reply.body, len(asked), settings.embedding_dimensions)
        for at, vector, used in zip(asked, vectors, _shares(whole.input_tokens, list(asked.values())), strict=True):
            cost = None if used is None else settings.cost(model, used, 0)
            end = replace(whole, input_tokens=used, output_tokens=0, cost=cost)
            if isinstance(vector, CallFailed):
                found[at] = vector.verdict
                ends[at] = begun[at].id, vector.end(model, end), None
            else:
                found[at] = vector
                ends[at] = begun[at].id, end, (keys[at], packed(vector)) if settings.cache else None
        books.settle_all(ends)
        return found

    def _reply(self, model: str, texts: Sequence[str]) -> Reply:
        asked = texts if len(texts) > 1 else texts[0]
        body: dict[str, Any] = {"model": model, "input": asked, "encoding_format": "float"}
        if self._settings.send_dimensions:
            body["dimensions"] = self._settings.embedding_dimensions
        reply = self._client.post("/embeddings", json.dumps(body, ensure_ascii=False).encode())
        if not isinstance(reply.body.get("data"), list):
            raise CallFailed("invalid", Retry(reason="the embedding answer has no vectors"), is_charged=True)
        return reply


def _shares(tokens: int | None, texts: Sequence[str]) -> list[int | None]:
    """Return the tokens of a request, divided among its texts by their lengths."""
    if tokens is None:
        return [None for _ in texts]
    ends = [0, *accumulate(len(text) for text in texts)]
    return [tokens * end // ends[-1] - tokens * begin // ends[-1] for begin, end in pairwise(ends)]
