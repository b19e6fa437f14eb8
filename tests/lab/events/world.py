"""Many invented stories are stored as the pipeline would store them, recent enough for several to report one event.

The stories use the words of real news: they mix and reword sentences from the corpora.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice
from typing import Any

import numpy as np
from psycopg2.extensions import connection as Connection

from actors.ai import hashing
from actors.ai.local import lead
from actors.ai.protocol import Story
from actors.insights.events import sketch
from tests.fleet import query, scalar
from tests.lab.quality.corpora import CORPUS

SAME = 0.6
_SOURCES = 400
_HOURS = 70.0
_PARTS = {"authority": 0.7, "keywords": 0.0, "cluster": 0.0, "freshness": 0.5, "found": [], "value": 0.285}
_CITATIONS = json.dumps({"chili": 1, "breakdown": _PARTS})
_SIZES = range(1, 61)  # The sizes are stories per event; most events have one story.
_SENTENCES = 8


@dataclass(frozen=True, slots=True)
class Told:
    event: int
    title: str
    text: str


def sentences() -> list[str]:
    """Return sentences of the corpora beside the checkout, or invented sentences with the same word frequencies."""
    texts: list[str] = []
    if (CORPUS / "near_duplicates").is_dir():
        lines = (CORPUS / "near_duplicates" / "articles_1000.train").read_text(encoding="utf-8").splitlines()
        texts += [line.split(" ", 1)[1] for line in lines]
    if (CORPUS / "wcxb-articles-dev").is_dir():
        for page in sorted((CORPUS / "wcxb-articles-dev" / "ground-truth").iterdir()):
            texts.append(json.loads(page.read_text(encoding="utf-8"))["ground_truth"].get("main_content") or "")
    if not texts:
        return list(_invented(20_000))
    found = (part.strip() for text in texts for part in re.split(r"(?<=[.!?])\s+|\n+", text))
    return list(dict.fromkeys(part for part in found if 40 < len(part) < 300))


def stories(count: int, seed: int = 7) -> list[Told]:
    """Return stories in the order of arrival. An event has up to sixty stories, with different words and facts."""
    chance = random.Random(seed)
    pool = sentences()
    chance.shuffle(pool)
    words = [word for part in pool for word in part.split()]

    def draw() -> str:
        # Some sentences are common, such as quotations and boilerplate.
        return pool[int(len(pool) * chance.random() ** 1.5)]

    def reworded(text: str, share: float) -> str:
        return " ".join(chance.choice(words) if chance.random() < share else word for word in text.split())

    def told(event: int, base: list[str]) -> Told:
        kept, share = chance.randint(2, _SENTENCES), chance.choice([0, 0, 0.05, 0.1, 0.2, 0.3])
        parts = [reworded(part, share) for part in chance.sample(base, kept)]
        parts += [draw() for _ in range(_SENTENCES - kept)]
        if chance.random() < 0.5:
            chance.shuffle(parts)
        if chance.random() < 0.08:
            del parts[2:]
        named = base[0] if chance.random() < 0.8 else draw()
        return Told(event, reworded(" ".join(named.split()[:10]), share), " ".join(parts))

    weights = list(accumulate(size**-2.0 for size in _SIZES))
    made: list[Told] = []
    event = 0
    while len(made) < count:
        event += 1
        base = [draw() for _ in range(_SENTENCES)]
        made += [told(event, base) for _ in range(chance.choices(_SIZES, cum_weights=weights)[0])]
    chance.shuffle(made)
    return made[:count]


def _invented(count: int) -> Iterator[str]:
    """Invent sentences whose word frequencies follow Zipf's law, without the most common words such as "the"."""
    chance, letters = random.Random(3), str.maketrans("0123456789", "aeioulmnrs")
    for _ in range(count):
        ranks = [int(100 * 500 ** chance.random()) for _ in range(chance.randint(10, 22))]
        yield " ".join(str(rank).translate(letters) for rank in ranks).capitalize() + "."


def vector_and_terms(told: Told) -> tuple[bytes, list[int]]:
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
        told = stories(known + arriving, seed=11)
        with ProcessPoolExecutor() as pool:
            found = list(pool.map(vector_and_terms, told, chunksize=500))
        vectors = np.frombuffer(b"".join(vector for vector, _ in found), dtype=np.float32).reshape(len(told), -1)
        return cls(told, vectors, [terms for _, terms in found], [uuid.uuid4() for _ in told], known)

    def truth(self, place: int) -> list[int]:
        return [int(each) for each in np.nonzero(self.vectors[:place] @ self.vectors[place] >= SAME)[0]]

    def clusters(self) -> dict[int, uuid.UUID]:
        """Compare every pair of known stories of each event; return the cluster of each story that shares one."""
        by_event: dict[int, list[int]] = {}
        for place, told in enumerate(self.told[: self.known]):
            by_event.setdefault(told.event, []).append(place)
        cluster: dict[int, uuid.UUID] = {}
        for places in by_event.values():
            near = self.vectors[places] @ self.vectors[places].T >= SAME
            least, group = np.arange(0), np.arange(len(places))  # Each story takes the least group of those near it.
            while not np.array_equal(least, group):
                least, group = group, np.where(near, group, group[:, None]).min(axis=1)
            names = [uuid.uuid4() for _ in places]
            sizes = Counter(group.tolist())
            cluster |= {place: names[one] for place, one in zip(places, group.tolist(), strict=True) if sizes[one] > 1}
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
        with conn.cursor() as cursor:
            for table, rows in tables.items():
                left = iter(rows)
                while batch := list(islice(left, 2000)):
                    csv.writer(text := io.StringIO()).writerows(batch)
                    text.seek(0)
                    cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT csv)", text)
        query(conn, "VACUUM ANALYZE")
