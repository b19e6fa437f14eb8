"""A database has many stories in the window of same events, as the pipeline would leave them."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from psycopg2.extensions import connection as Connection

from actors.ai import hashing
from actors.ai.local import lead
from actors.ai.protocol import Story
from actors.insights.sketch import sketch
from tests.fleet import query, scalar
from tests.lab.events.texts import Told, stories

SAME = 0.6
_SOURCES = 400
_HOURS = 70.0
_PARTS = {"authority": 0.7, "keywords": 0.0, "cluster": 0.0, "freshness": 0.5, "found": [], "value": 0.285}
_CITATIONS = json.dumps({"chili": 1, "breakdown": _PARTS})


def vector_and_terms(told: Told) -> tuple[bytes, list[int]]:
    """Return the vector of a story by the default embeddings, and its terms."""
    text = lead(Story(uuid.UUID(int=0), told.title, told.text))
    return np.array(hashing.embed(text), dtype=np.float32).tobytes(), sketch(text)


@dataclass
class World:
    """The stories are in the order of arrival; the first ``known`` stories are already analysed."""

    told: list[Told]
    vectors: np.ndarray[Any, np.dtype[np.float32]]
    terms: list[list[int]]
    ids: list[uuid.UUID]
    known: int

    @classmethod
    def made(cls, known: int, arriving: int) -> World:
        """Make a world, which takes about three milliseconds per story."""
        told = stories(known + arriving, seed=11)
        with ProcessPoolExecutor() as pool:
            found = list(pool.map(vector_and_terms, told, chunksize=500))
        vectors = np.frombuffer(b"".join(vector for vector, _ in found), dtype=np.float32).reshape(len(told), -1)
        return cls(told, vectors, [terms for _, terms in found], [uuid.uuid4() for _ in told], known)

    def truth(self, place: int) -> list[int]:
        """Return all earlier stories of the same event, by comparison with each earlier story."""
        return [int(each) for each in np.nonzero(self.vectors[:place] @ self.vectors[place] >= SAME)[0]]

    def clusters(self) -> dict[int, uuid.UUID]:
        """Return the clusters of the known stories, by exact comparison within each generated event."""
        by_event: dict[int, list[int]] = {}
        for place, told in enumerate(self.told[: self.known]):
            by_event.setdefault(told.event, []).append(place)
        cluster: dict[int, uuid.UUID] = {}
        for places in by_event.values():
            near = self.vectors[places] @ self.vectors[places].T >= SAME
            left = set(range(len(places)))
            while left:
                group, edge = set(), {left.pop()}
                while edge:
                    group |= edge
                    edge = {other for one in edge for other in np.nonzero(near[one])[0].tolist()} - group
                left -= group
                if len(group) > 1:
                    cluster |= dict.fromkeys((places[one] for one in group), uuid.uuid4())
        return cluster

    def load(self, conn: Connection) -> None:
        """Write the world into an empty, migrated database, and analyze the tables."""
        start, step = datetime.now(UTC) - timedelta(hours=_HOURS), timedelta(hours=_HOURS) / len(self.told)
        cluster = self.clusters()
        known, everything = range(self.known), range(len(self.told))
        sources = [uuid.uuid4() for _ in range(_SOURCES)]

        def published(place: int) -> str:
            return (start + step * place).isoformat()

        def vector(place: int) -> str:
            numbers = ",".join(["%.7g"] * hashing.DIMENSIONS) % tuple(self.vectors[place].tolist())
            return f"[{numbers}]" if has_pgvector else f"{{{numbers}}}"

        kind = scalar(conn, "SELECT udt_name FROM information_schema.columns WHERE column_name = 'embedding'")
        ids, told, has_pgvector = self.ids, self.told, kind == "vector"
        source = [sources[place * 7919 % _SOURCES] for place in everything]
        title = "id, content_id, cluster_id, primary_source_id, title, published_at"
        tables: dict[str, Iterable[tuple[object, ...]]] = {
            "sources (id, type, name)": ((each, "rss", "Feed") for each in sources),
            "raw_items (id, source_id, external_id)": ((ids[at], source[at], at) for at in everything),
            "contents (id, raw_item_id, content_hash, text_body)": (
                (ids[at], ids[at], at, told[at].text) for at in everything
            ),
            "story_clusters (id, cluster_key)": ((each, each) for each in set(cluster.values())),
            f"stories ({title})": (
                (ids[at], ids[at], cluster.get(at), source[at], told[at].title, published(at)) for at in everything
            ),
            "story_overlays (story_id, citations)": ((ids[at], _CITATIONS) for at in known),
            "story_embeddings (story_id, model_version, embedding)": (
                (ids[at], hashing.MODEL_VERSION, vector(at)) for at in known
            ),
            "story_terms (term, happened_at, story_id)": (
                (term, published(at), ids[at]) for at in known for term in self.terms[at]
            ),
        }
        for table, rows in tables.items():
            copy(conn, table, rows)
        query(conn, "VACUUM ANALYZE")


_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def copy(conn: Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    def lines() -> Iterator[str]:
        for row in rows:
            yield "\t".join("\\N" if value is None else str(value).translate(_ESCAPED) for value in row) + "\n"

    left = lines()
    with conn.cursor() as cursor:
        while batch := "".join(islice(left, 2000)):
            cursor.copy_expert(f"COPY {table} FROM STDIN", io.StringIO(batch))
