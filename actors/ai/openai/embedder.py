"""Makes embeddings with a provider's model. One request embeds many texts; the ledger records a call for each text."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any
from uuid import UUID

from actors.ai.hashing import DIMENSIONS
from actors.ai.openai.client import CallFailed, Client, invalid
from actors.ai.openai.settings import OVERHEAD, OpenAISettings
from actors.ai.prompting import material
from actors.ai.protocol import CallEnd, CallStart, Embedding, Story
from zeke_jobs import Reject, Retry

if TYPE_CHECKING:
    from actors.store.ai_calls import Ledger

_EMBEDDED_CHARS = 4000


def key_of(*parts: Any) -> str:
    """Return the key under which the answer to a question with these parts is stored, so that it can be used again."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Embedder:
    """Gets embeddings from a provider's embedding model."""

    def __init__(self, settings: OpenAISettings, client: Client) -> None:
        assert settings.embedding_model is not None
        self._settings = settings
        self._client = client
        self._model = settings.embedding_model
        self._version = f"{self._model}@{settings.embedding_dimensions}"

    def embed_many(self, stories: Sequence[Story], books: Ledger) -> list[Embedding | Exception]:
        """Return the vector of each story's title and beginning, padded to 1536 numbers, or an exception for the story.

        If a request is refused because of its content, its texts are sent again in halves, down to single texts.

        Raises:
            Retry, Defer, Reject: calls to the model are paused, or the request failed for all stories.
        """
        made = self._vectors({at: material(story, _EMBEDDED_CHARS) for at, story in enumerate(stories)}, books)
        return [one for _, one in sorted(made.items())]

    def _vectors(self, wanted: Mapping[int, str], books: Ledger) -> dict[int, Embedding | Exception]:
        """Return each text's vector. One request gets the vectors that are not stored, and the texts share the cost."""
        model, settings = self._model, self._settings
        keys = {at: key_of("embed", self._version, text) for at, text in wanted.items()}
        most = {at: settings.cost(model, len(text.encode()) + OVERHEAD, 0) for at, text in wanted.items()}
        starts = {at: (CallStart("embed", model, None, most[at]), keys[at]) for at in wanted}
        begun = books.begin_all(starts, recalls=settings.cache)
        kept = {at: array("f", base64.b64decode(one.kept)) for at, one in begun.items() if one.kept is not None}
        found: dict[int, Embedding | Exception] = {at: self._padded(vector) for at, vector in kept.items()}
        books.settle_all({at: (begun[at].id, CallEnd("cached", model=model, cost=0.0), None) for at in found})
        asked = {at: text for at, text in wanted.items() if at not in found}
        if not asked:
            return found
        try:
            texts = list(asked.values())
            body: dict[str, Any] = {"model": model, "input": texts if len(texts) > 1 else texts[0]}
            body |= {"encoding_format": "float"}
            if settings.send_dimensions:
                body["dimensions"] = settings.embedding_dimensions
            reply = self._client.post("/embeddings", json.dumps(body, ensure_ascii=False).encode())
            vectors = self._checked(reply.body.get("data"))
        except CallFailed as failure:
            end = failure.end(model, CallEnd("ok"))
            books.settle_all({at: (begun[at].id, end, None) for at in asked})
            if not failure.is_about_content:
                raise failure.verdict from failure
            if len(asked) == 1:
                return found | dict.fromkeys(asked, failure.verdict)
            for places in (list(asked)[: len(asked) // 2], list(asked)[len(asked) // 2 :]):
                found |= self._vectors({at: asked[at] for at in places}, books)
            return found
        whole = reply.end(settings, model)
        # The tokens of the request are divided among the texts in proportion to their lengths.
        ends_at, tokens = [0, *accumulate(map(len, asked.values()))], whole.input_tokens
        parts = ((tokens or 0) * end // ends_at[-1] for end in ends_at)
        shares = [None if tokens is None else end - begin for begin, end in pairwise(parts)]
        ends = dict[int, tuple[UUID, CallEnd, tuple[str, Any] | None]]()
        for place, (at, used) in enumerate(zip(asked, shares, strict=True)):
            vector = vectors.get(place) or invalid(Retry(reason="the embedding answer has no vector"))
            cost = None if used is None else settings.cost(model, used, 0)
            end, keep = replace(whole, input_tokens=used, output_tokens=0, cost=cost), None
            if isinstance(vector, CallFailed):
                found[at], end = vector.verdict, vector.end(model, end)
            else:
                found[at] = self._padded(vector)
                keep = (keys[at], base64.b64encode(vector.tobytes()).decode()) if settings.cache else None
            ends[at] = begun[at].id, end, keep
        books.settle_all(ends)
        return found

    def _padded(self, vector: array[float]) -> Embedding:
        return Embedding((*vector, *[0.0] * (DIMENSIONS - len(vector))), self._version)

    def _checked(self, data: Any) -> dict[int, array[float] | CallFailed]:
        """Return the vectors by index of the text. A wrong length, a NaN or an infinite number becomes a failure."""
        if not isinstance(data, list):
            raise invalid(Retry(reason="the embedding answer has no vectors"))
        found: dict[int, array[float] | CallFailed] = {}
        size = self._settings.embedding_dimensions
        for position, one in enumerate(data):
            try:
                at, vector = one.get("index", position), array("f", map(float, one["embedding"]))
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
                continue
            if not isinstance(at, int):
                continue
            if not all(map(math.isfinite, vector)):
                found[at] = invalid(Retry(reason="the embedding has numbers that are none"))
            elif len(vector) != size:
                told = f"expected an embedding of {size} numbers, got {len(vector)}"
                found[at] = invalid(Reject(f"{told}; set embedding_dimensions to what the model gives"))
            else:
                found[at] = vector
        return found
