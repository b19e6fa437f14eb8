"""The Engine: fetches what strangers publish, in this process or in one elsewhere."""

from __future__ import annotations

from actors.engine.settings import Settings

__all__ = ["Settings"]
