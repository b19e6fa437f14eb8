"""The Engine: fetches strangers' pages and feeds, in this process or elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.engine.settings import EngineSettings

if TYPE_CHECKING:
    from actors.engine.contract import Finder

__all__ = ["Settings"]


class Settings(EngineSettings):
    """``services.engine`` of jobs.yaml: its settings, and the choice between the two implementations."""

    def open(self) -> Finder:
        """Make the engine. Nothing is fetched yet."""
        if self.kind == "http":
            from actors.engine.client import HttpEngine

            assert self.url is not None
            token = self.token.get_secret_value() if self.token else None
            return HttpEngine(self.url, token, self.timeout.total_seconds(), self.max_entries)
        from actors.engine.local import LocalEngine

        return LocalEngine(self)
