"""The ``ai`` service of jobs.yaml: which provider, and how it is tuned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from actors.ai.chili import Chili

if TYPE_CHECKING:
    from actors.ai.protocol import Analyst


class Settings(BaseModel):
    """Settings of the AI step.

    Attributes:
        provider: ``local`` takes sentences from the story itself and needs nothing.
        chili: The formula of the local chili score.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["local"] = "local"
    chili: Chili = Chili()

    def open(self) -> Analyst:
        """The provider; one for each process."""
        from actors.ai.local import local_analyst

        return local_analyst(self.chili)
