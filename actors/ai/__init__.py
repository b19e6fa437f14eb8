"""The AI step: text tools, providers and the one interface that handlers see."""

from actors.ai.settings import Settings as Settings

__all__ = ["Settings"]
