"""Embeddings: ``vector`` if pgvector is installed, else ``real[]``; written and compared in the same way."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import shake_128
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.store import news
from actors.store.statements import SQL, by_index

DIMENSIONS = 1536
_HALF = 1024
_FLIPS = [1.0 if byte % 2 else -1.0 for byte in shake_128(b"signs").digest(DIMENSIONS)]


@dataclass(frozen=True, slots=True)
class Written:
    """A vector in the database's form, made once for storing and comparing; and its signs."""

    model_version: str
    literal: str
    signs: str


def written(model_version: str, vector: Sequence[float]) -> Written:
    """Check a vector and convert it.

    Raises:
        ValueError: it does not have 1536 numbers, or one of them is not finite.
    """
    if len(vector) != DIMENSIONS:
        raise ValueError(f"expected {DIMENSIONS} numbers, got {len(vector)} from {model_version}")
    if not all(map(math.isfinite, vector)):
        raise ValueError(f"expected finite numbers, got a NaN or an infinity from {model_version}")
    return Written(model_version, "{" + ",".join(["%.7g"] * DIMENSIONS) % tuple(vector) + "}", _signs(vector))


def _signs(vector: Sequence[float]) -> str:
    """1,024 signs of the vector after a rotation: the share in which two differ is their angle / 180°, ± .016.

    The rotation is a random one that is fast: some numbers are negated, then a Walsh-Hadamard transform mixes all.
    """
    mixed = [flip * value for flip, value in zip(_FLIPS, vector, strict=True)] + [0.0] * (2 * _HALF - DIMENSIONS)
    for _ in range(_HALF.bit_length()):
        first, second = mixed[:_HALF], mixed[_HALF:]
        mixed[0::2] = [one + other for one, other in zip(first, second, strict=True)]
        mixed[1::2] = [one - other for one, other in zip(first, second, strict=True)]
    return "".join("1" if value > 0 else "0" for value in mixed[::2])


def near(conn: Connection, embedding: Written, stories: Iterable[UUID], least: float) -> list[dict[str, Any]]:
    """``story_id``, ``cosine`` and ``facts`` of those ``stories`` that have the same model and at least this cosine."""
    model, vector = embedding.model_version, embedding.literal
    rows = SQL.all(conn, "story_cosines", stories=list(stories), model_version=model, vector=vector)
    # A vector of zeros has no cosine: NULL, or NaN by pgvector.
    return [row for row in rows if row["cosine"] is not None and row["cosine"] >= least]


def of_story(conn: Connection, story_id: UUID) -> Written | None:
    """The embedding of a story; None if it has none yet."""
    row = SQL.one(conn, "embedding_get", story_id=story_id)
    return None if row is None else written(row["model_version"], row["vector"])


def alike(
    conn: Connection, embedding: Written, *, other_than: UUID | None = None, **asked: Any
) -> tuple[list[dict[str, Any]], bool]:
    """The stories nearest to a vector, by ``cosine``; and whether there are some of another model, which are not compared.

    All are compared by their signs, or the newest 2,000 with words; the first hundred by their vectors. ``asked`` are words,
    sources, since and limit as for ``news.search``; words may be empty.
    """
    compared = {"model": embedding.model_version, "vector": embedding.literal, "signs": embedding.signs}
    with by_index(conn):
        rows = SQL.all(conn, "news_alike", **compared, **asked, other_than=other_than or UUID(int=0))
        return news.lines(conn, rows), rows[0]["is_mixed"]
