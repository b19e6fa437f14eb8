"""Embeddings: ``vector`` where pgvector is installed, ``real[]`` where it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from actors.store.statements import SQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from psycopg2.extensions import connection as Connection

DIMENSIONS = 1536


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A story near another one. ``cosine`` goes from -1 to 1."""

    story_id: UUID
    cluster_id: UUID | None
    cosine: float


@dataclass(frozen=True, slots=True)
class Written:
    """A vector as this database writes it, made once for looking up and storing."""

    model_version: str
    vector: Sequence[float]
    is_pgvector: bool
    literal: str


def written(conn: Connection, model_version: str, vector: Sequence[float]) -> Written:
    """Check a vector and write it down.

    Raises:
        ValueError: it does not have 1536 numbers, or one of them is not finite.
    """
    if len(vector) != DIMENSIONS:
        raise ValueError(f"expected {DIMENSIONS} numbers, got {len(vector)} from {model_version}")
    if not all(map(math.isfinite, vector)):
        raise ValueError(f"expected finite numbers, got a NaN or an infinity from {model_version}")
    row = SQL.one(conn, "embedding_kind")
    is_pgvector = row is not None and row["kind"] == "vector"
    numbers = ",".join(["%.7g"] * DIMENSIONS) % tuple(vector)
    return Written(model_version, vector, is_pgvector, f"[{numbers}]" if is_pgvector else f"{{{numbers}}}")


def save(conn: Connection, story_id: UUID, embedding: Written) -> bool:
    """Store a story's embedding; whether that changed anything."""
    touched = SQL.run(
        conn,
        "embedding_save",
        story_id=str(story_id),
        model_version=embedding.model_version,
        embedding=embedding.literal,
    )
    return touched > 0


def nearest(
    conn: Connection,
    story_id: UUID,
    embedding: Written,
    *,
    since: datetime,
    until: datetime,
    least: float = -1.0,
    limit: int = 1000,
) -> list[Neighbour]:
    """The other stories that were published between ``since`` and ``until``, of at least this cosine, nearest first.

    Without pgvector only the newest 500 of them are compared, here and not in the database.
    """
    found = {"story_id": str(story_id), "model_version": embedding.model_version, "since": since, "until": until}
    if embedding.is_pgvector:
        rows = SQL.all(conn, "embedding_nearest", **found, embedding=embedding.literal, least=least, limit=limit)
        neighbours = [(row, float(row["cosine"])) for row in rows]
    else:
        rows = SQL.all(conn, "embedding_window", **found, limit=500)
        near = ((row, cosine) for row in rows if (cosine := _cosine(embedding.vector, row["embedding"])) >= least)
        neighbours = sorted(near, key=lambda pair: -pair[1])[:limit]
    return [
        Neighbour(
            UUID(str(row["story_id"])), None if row["cluster_id"] is None else UUID(str(row["cluster_id"])), cosine
        )
        for row, cosine in neighbours
        if not math.isnan(cosine)
    ]


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    norm = math.sqrt(sum(a * a for a in left) * sum(b * b for b in right))
    return sum(a * b for a, b in zip(left, right, strict=True)) / norm if norm else 0.0
