"""Has the AI step: text tools, AI providers, and the interface that handlers use."""

from actors.ai.settings import Settings as Settings

__all__ = ["Settings"]
