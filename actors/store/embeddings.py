"""Embeddings: ``vector`` if pgvector is installed, else ``real[]``; written and compared in the same way."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from psycopg2.extensions import connection as Connection

DIMENSIONS = 1536


@dataclass(frozen=True, slots=True)
class Written:
    """A vector in the database's form, made once for storing and comparing."""

    model_version: str
    literal: str


def written(model_version: str, vector: Sequence[float]) -> Written:
    """Check a vector and convert it.

    Raises:
        ValueError: it does not have 1536 numbers, or one of them is not finite.
    """
    if len(vector) != DIMENSIONS:
        raise ValueError(f"expected {DIMENSIONS} numbers, got {len(vector)} from {model_version}")
    if not all(map(math.isfinite, vector)):
        raise ValueError(f"expected finite numbers, got a NaN or an infinity from {model_version}")
    return Written(model_version, "{" + ",".join(["%.7g"] * DIMENSIONS) % tuple(vector) + "}")


def near(conn: Connection, embedding: Written, stories: Iterable[UUID], least: float) -> dict[UUID, float]:
    """The cosines of those ``stories`` that have an embedding of the same model and at least this cosine."""
    model, vector = embedding.model_version, embedding.literal
    rows = SQL.all(conn, "story_cosines", stories=list(stories), model_version=model, vector=vector)
    # A vector of zeros has no cosine: NULL, or NaN by pgvector.
    known = {row["story_id"]: float(row["cosine"]) for row in rows if row["cosine"] is not None}
    return {story: cosine for story, cosine in known.items() if cosine >= least}
