"""Computes a story's chili score (how hot it is, from 0 to 5) by a fixed formula, partly from keywords."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, Field

from actors.ai.protocol import Story

DEFAULT_KEYWORDS = tuple(
    """agent, agents, AI, API, benchmark, breaking change, CVE, database, deprecated, embedding, embeddings, GPU, inference,
    Kubernetes, latency, LLM, LLMs, migration, model, models, open source, performance, Postgres, PostgreSQL, Python, RAG,
    release, Rust, security, throughput, TypeScript, vector, vulnerability""".replace("\n    ", " ").split(", ")
)


class ChiliWeights(BaseModel, frozen=True, extra="forbid"):
    """Holds the weight of each part of the score. The weights are divided by their sum."""

    authority: float = Field(default=0.30, ge=0)
    keywords: float = Field(default=0.35, ge=0)
    cluster: float = Field(default=0.20, ge=0)
    freshness: float = Field(default=0.15, ge=0)


class Chili(BaseModel, frozen=True, extra="forbid"):
    """Computes a story's score (0 to 5) without a model: five times the weighted mean of four parts from 0 to 1."""

    weights: ChiliWeights = ChiliWeights()
    keywords: tuple[str, ...] = DEFAULT_KEYWORDS  # searched as whole words in title and text
    enough_keywords: int = Field(default=5, ge=1)  # with this number of different keywords, their part is 1
    full_cluster: int = Field(default=4, ge=2)  # with this number of sources of the event, their part is 1
    fresh_days: float = Field(default=7, gt=0)  # the age in days at which freshness becomes 0
    default_authority: float = Field(default=0.7, ge=0, le=1)  # of a source that nobody rated

    def score(self, story: Story) -> tuple[int, dict[str, Any]]:
        """Return the score (0 to 5) of a story that only one source reports, and the values to store with the score."""
        found = hits(f"{story.title}\n{story.document}", self.keywords)
        parts = {
            "authority": self.default_authority if story.authority is None else story.authority,
            "keywords": min(1.0, len(found) / self.enough_keywords),
            "cluster": 0.0,
            "freshness": max(0.0, 1 - story.age_days / self.fresh_days),
        }
        return self._of({name: round(part, 3) for name, part in parts.items()}, found)

    def rescore(self, chili: object, breakdown: Mapping[str, Any], sources: int) -> tuple[int, dict[str, Any]] | None:
        """Recompute a score with a new number of sources. Return None if a model or a person gave the stored score."""
        parts = {name: breakdown.get(name) for name in self.weights.model_dump()}
        value = breakdown.get("value")
        if not all(isinstance(part, int | float) for part in (*parts.values(), value)) or chili != _rounded(value):
            return None
        cluster = min(1.0, (sources - 1) / (self.full_cluster - 1))
        return self._of({**parts, "cluster": round(cluster, 3)}, breakdown.get("found"))

    def _of(self, parts: Mapping[str, Any], found: Any) -> tuple[int, dict[str, Any]]:
        """Return the score and the values to store. The stored ``parts`` are rounded, and give the same score."""
        weights = self.weights.model_dump()
        total = sum(weights.values()) or 1.0
        value = round(sum(weights[name] * part for name, part in parts.items()) / total, 3)
        shares = {name: round(weight / total, 3) for name, weight in weights.items()}
        return _rounded(value), {**parts, "found": found, "value": value, "weights": shares}


def _rounded(value: Any) -> int:
    return round(5 * min(1.0, float(value)))


def hits(text: str, keywords: tuple[str, ...]) -> list[str]:
    """Return the ``keywords`` that are whole words in ``text``, ignoring case. "Storage" does not have ``rag``."""
    lower = text.lower()
    # The search for the keyword's first word is cheap, and avoids most searches by regular expression.
    return [one for one in keywords if one.split() and one.lower().split()[0] in lower and _pattern(one).search(text)]


@lru_cache(maxsize=1024)
def _pattern(keyword: str) -> re.Pattern[str]:
    inner = r"[\s-]+".join(re.escape(part) for part in keyword.split())
    return re.compile(rf"(?<!\w){inner}(?!\w)", re.IGNORECASE)
