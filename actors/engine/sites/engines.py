"""Several Engines as one: each site is asked by the Engine of its rule."""

from collections.abc import Mapping

from actors.engine.contract import ContentItem, ContentSource, Finder, Found
from actors.engine.discovery.addresses import typed
from actors.engine.sites.rules import Site, SiteSettings


class SiteEngines:
    """Asks the Engine of an address's rule: ``engines`` has it by the rule's host, and by an empty one the default."""

    def __init__(self, settings: SiteSettings, engines: Mapping[str, Finder]) -> None:
        self._settings = settings
        self._engines = engines

    def rule(self, url: str) -> Site:
        """The rule for the site of an address."""
        return self._settings.rule_for(url)[1]

    def fetch_item(self, url: str) -> ContentItem:
        """See ``Finder``."""
        return self._of(url).fetch_item(url)

    def fetch_source(self, url: str, etag: str | None = None, last_modified: str | None = None) -> ContentSource:
        """See ``Finder``."""
        return self._of(url).fetch_source(url, etag, last_modified)

    def discover(self, text: str) -> Found:
        """See ``Finder``."""
        return self._of(typed(text)).discover(text)

    def _of(self, url: str) -> Finder:
        return self._engines.get(self._settings.rule_for(url)[0], self._engines[""])
