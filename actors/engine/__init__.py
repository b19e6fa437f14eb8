"""The Engine: fetches strangers' pages and feeds, in this process or elsewhere."""

from actors.engine.contract import Finder
from actors.engine.sites.rules import SiteSettings

__all__ = ["Settings"]


class Settings(SiteSettings):
    """``services.engine`` of jobs.yaml: its settings, and the choice between the implementations."""

    def open(self) -> Finder:
        """Make the engine. Nothing is fetched yet."""
        if self.sites:
            from actors.engine.sites.engines import SiteEngines

            named = {host: self.of(site).one() for host, site in self.sites.items() if site.engine}
            return SiteEngines(self, {"": self.one(), **named})
        return self.one()

    def one(self) -> Finder:
        """Make the engine that these settings name for sites without one of their own."""
        if self.kind == "http":
            from actors.engine.client import HttpEngine

            assert self.url is not None
            token = self.token.get_secret_value() if self.token else None
            return HttpEngine(self.url, token, self.timeout.total_seconds(), self.max_entries)
        from actors.engine.local import LocalEngine

        return LocalEngine(self)
