"""Provides the AI step (analyses, briefs, summaries, embeddings): its providers, its text tools and its settings."""

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, model_validator

from actors.ai.chili import Chili
from actors.ai.openai.settings import OpenAISettings

if TYPE_CHECKING:
    from actors.ai.local import Analyst


class Settings(BaseModel, frozen=True, extra="forbid"):
    """Defines the settings of the AI step."""

    provider: Literal["local", "openai"] = "local"  # local takes sentences from the story; openai asks a model
    chili: Chili = Chili()  # the formula of the local score
    embeddings: Literal["hashed", "wordllama"] = "hashed"  # of the provider local; the extra local installs wordllama
    batch: bool = False  # jobs that nobody waits for ask in batches, at half the price, with answers within a day
    openai: OpenAISettings | None = None

    @model_validator(mode="after")
    def _openai_is_set_up(self) -> Self:
        if self.provider == "openai" and self.openai is None:
            raise ValueError("expected openai: {model: …} where provider is openai, got nothing")
        if self.batch and (self.provider != "openai" or self.openai is None or not self.openai.cache):
            raise ValueError("expected provider: openai, with cache: true, where batch is true")
        return self

    def open(self) -> "Analyst":
        """Return the configured AI provider. Raises ConfigurationError if wordllama is needed but not installed."""
        from actors.ai import hashing
        from actors.ai.local import Analyst

        embedder = hashing.wordllama() if self.embeddings == "wordllama" else (hashing.embed, hashing.MODEL_VERSION)
        local = Analyst(self.chili, *embedder)
        if self.provider == "local" or self.openai is None:
            return local
        from actors.ai.openai.analyst import OpenAIAnalyst

        return OpenAIAnalyst(self.openai, local, in_batches=self.batch)
