"""Stores embeddings as ``vector`` if pgvector is installed, and otherwise as ``real[]``, and compares them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import shake_128
from operator import add, mul, sub
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from actors.store import SQL, by_index, news

DIMENSIONS = 1536
_HALF = 1024
_FLIPS = [1.0 if byte % 2 else -1.0 for byte in shake_128(b"signs").digest(DIMENSIONS)]


@dataclass(frozen=True, slots=True)
class Written:
    """Holds a vector as text for the database, and its signs (see ``_signs``) to compare many vectors fast."""

    model_version: str
    literal: str
    signs: str


def written(model_version: str, vector: Sequence[float]) -> Written:
    """Check a vector and convert it for the database. Raises ValueError unless the vector has 1536 finite numbers."""
    if len(vector) != DIMENSIONS:
        raise ValueError(f"expected {DIMENSIONS} numbers, got {len(vector)} from {model_version}")
    if not all(map(math.isfinite, vector)):
        raise ValueError(f"expected finite numbers, got a NaN or an infinity from {model_version}")
    return Written(model_version, "{" + ",".join(["%.7g"] * DIMENSIONS) % tuple(vector) + "}", _signs(vector))


def _signs(vector: Sequence[float]) -> str:
    """Apply a fixed pseudo-random rotation to the vector, and return the signs of 1,024 resulting numbers as bits.

    The rotation negates some numbers, then applies a Walsh-Hadamard transform. If a share s of the signs of two vectors
    differs, the angle between the vectors is about s * 180°. The standard error of s is at most .016.
    """
    mixed = [*map(mul, _FLIPS, vector)] + [0.0] * (2 * _HALF - DIMENSIONS)
    for _ in range(_HALF.bit_length()):
        first, second = mixed[:_HALF], mixed[_HALF:]
        mixed[0::2], mixed[1::2] = map(add, first, second), map(sub, first, second)
    return "".join("1" if value > 0 else "0" for value in mixed[::2])


def near(conn: Connection, embedding: Written, stories: Iterable[UUID], least: float) -> dict[UUID, float]:
    """Return the cosines of those ``stories`` whose embedding has the same model and a cosine of at least ``least``."""
    model, vector = embedding.model_version, embedding.literal
    rows = SQL.all(conn, "story_cosines", stories=list(stories), model_version=model, vector=vector)
    # The cosine with a vector of zeros is NULL, or NaN if pgvector is installed.
    return {row["story_id"]: row["cosine"] for row in rows if row["cosine"] is not None and row["cosine"] >= least}


def alike(
    conn: Connection, embedding: Written, *, other_than: UUID | None = None, **asked: Any
) -> tuple[list[dict[str, Any]], bool]:
    """Return the nearest stories with their ``cosine``, and whether another model's vectors were left out.

    First, only the signs of the vectors are compared; if words are given, only of the newest 2,000 stories with these
    words. Then the full vectors of the best stories (a hundred, or ``limit`` if it is larger) are compared. ``asked``
    has ``words`` (which may be empty), ``sources``, ``since`` and ``limit``, as for ``news.search``.
    """
    compared = {"model": embedding.model_version, "vector": embedding.literal, "signs": embedding.signs}
    with by_index(conn):
        rows = SQL.all(conn, "news_alike", **compared, **asked, other_than=other_than or UUID(int=0))
        return news.lines(conn, rows), rows[0]["is_mixed"]
