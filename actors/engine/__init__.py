"""Fetches pages and feeds from the web with an Engine, which runs in this process or on another server."""

from collections.abc import Mapping

from actors.engine.contract import ContentItem, ContentSource, Finder, Found
from actors.engine.discovery.addresses import typed
from actors.engine.settings import Site, SiteSettings

__all__ = ["Settings"]


class SiteEngines:
    """Sends each request to the Engine that the site's rule names. ``engines[""]`` is the default Engine."""

    def __init__(self, settings: SiteSettings, engines: Mapping[str, Finder]) -> None:
        self._settings = settings
        self._engines = engines

    def rule(self, url: str) -> Site:
        """Return the rule for the site of an address."""
        return self._settings.rule_for(url)[1]

    def fetch_item(self, url: str) -> ContentItem:
        return self._of(url).fetch_item(url)

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        return self._of(url).fetch_source(url, etag, last_modified)

    def discover(self, text: str) -> Found:
        return self._of(typed(text)).discover(text)

    def close(self) -> None:
        """Close the Engines that have a method ``close``."""
        for engine in self._engines.values():
            if (close := getattr(engine, "close", None)) is not None:
                close()

    def _of(self, url: str) -> Finder:
        return self._engines.get(self._settings.rule_for(url)[0], self._engines[""])


class Settings(SiteSettings):
    """Holds the settings in ``services.engine`` of jobs.yaml, and opens the Engine that these settings choose."""

    def open(self) -> Finder:
        """Make the Engine. Opening an Engine sends no request."""
        if self.sites:
            named = {host: self.of(site).one() for host, site in self.sites.items() if site.engine}
            return SiteEngines(self, {"": self.one(), **named})
        return self.one()

    def one(self) -> Finder:
        """Make one Engine from these settings, without the other Engines that the rules of sites name."""
        if self.kind == "http":
            from actors.engine.client import HttpEngine

            assert self.url is not None
            token = self.token.get_secret_value() if self.token else None
            return HttpEngine(self.url, token, self.timeout.total_seconds(), self.max_entries)
        from actors.engine.local import LocalEngine

        return LocalEngine(self)
