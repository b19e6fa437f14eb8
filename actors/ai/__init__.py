"""Has the AI step: tools for texts, AI providers, and the interface that the tasks use."""

from actors.ai.settings import Settings as Settings

__all__ = ["Settings"]
