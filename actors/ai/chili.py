"""How hot a story is, 0 to 5, by a stated formula and nobody's opinion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from actors.ai.keywords import DEFAULT_KEYWORDS, hits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.ai.protocol import Story


class ChiliWeights(BaseModel):
    """How much each part counts; they are divided by their sum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    authority: float = Field(default=0.30, ge=0)
    keywords: float = Field(default=0.35, ge=0)
    cluster: float = Field(default=0.20, ge=0)
    freshness: float = Field(default=0.15, ge=0)


class Chili(BaseModel):
    """Settings of the local chili score: ``round(5 * weighted mean of four parts from 0 to 1)``, to three digits each.

    Attributes:
        weights: How much each part counts.
        keywords: Looked for as whole words in title and text.
        enough_keywords: So many different keywords count as 1.
        full_cluster: So many sources that tell of the event count as 1; a lone story counts as 0.
        fresh_days: After so many days freshness is 0.
        default_authority: Stands in where nobody rated the source, 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: ChiliWeights = ChiliWeights()
    keywords: tuple[str, ...] = DEFAULT_KEYWORDS
    enough_keywords: int = Field(default=5, ge=1)
    full_cluster: int = Field(default=4, ge=2)
    fresh_days: float = Field(default=7, gt=0)
    default_authority: float = Field(default=0.7, ge=0, le=1)

    def score(self, story: Story) -> tuple[int, dict[str, Any]]:
        """The score from 0 to 5, and its parts."""
        found = hits(f"{story.title}\n{story.document}", self.keywords)
        parts = {
            "authority": self.default_authority if story.authority is None else story.authority,
            "keywords": min(1.0, len(found) / self.enough_keywords),
            "cluster": self._cluster(story.cluster_size),
            "freshness": max(0.0, 1 - story.age_days / self.fresh_days),
        }
        return self._of({name: round(part, 3) for name, part in parts.items()}, found)

    def rescore(
        self, chili: object, breakdown: Mapping[str, Any], cluster_size: int
    ) -> tuple[int, dict[str, Any]] | None:
        """The score as it is once ``cluster_size`` sources tell of the event; the other parts stay as they were.

        The same parts give the same score, so that it does not matter in which order the stories of an event came.

        Args:
            chili: The score that is there.
            breakdown: Its parts as they were stored.
            cluster_size: How many sources tell of the event by now.

        Returns:
            None where the score is not this formula's: a model gave it, or a person.
        """
        parts = {name: breakdown.get(name) for name in self.weights.model_dump()}
        value = breakdown.get("value")
        if not all(isinstance(part, int | float) for part in (*parts.values(), value)) or chili != _rounded(value):
            return None
        return self._of({**parts, "cluster": round(self._cluster(cluster_size), 3)}, breakdown.get("found"))

    def _cluster(self, size: int) -> float:
        return min(1.0, (size - 1) / (self.full_cluster - 1))

    def _of(self, parts: Mapping[str, Any], found: Any) -> tuple[int, dict[str, Any]]:
        """The score of rounded parts: what is stored is all that it depends on."""
        weights = self.weights.model_dump()
        total = sum(weights.values()) or 1.0
        value = round(sum(weights[name] * part for name, part in parts.items()) / total, 3)
        shares = {name: round(weight / total, 3) for name, weight in weights.items()}
        return _rounded(value), {**parts, "found": found, "value": value, "weights": shares}


def _rounded(value: Any) -> int:
    return round(5 * min(1.0, float(value)))
