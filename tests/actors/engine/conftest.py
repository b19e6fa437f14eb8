"""Fixtures of the engine's tests."""

from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from actors.engine import Settings
from actors.engine.fetch import Fetcher
from actors.engine.local import LocalEngine
from tests.actors.scripted_site import ScriptedSite


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    with ScriptedSite() as running:
        yield running


@pytest.fixture
def fetcher() -> Fetcher:
    """It may reach loopback."""
    return Fetcher("tests/1", (ip_network("127.0.0.0/8"),))


@pytest.fixture
def settings() -> Settings:
    """Loopback is allowed, and everything is small and quick."""
    return Settings.model_validate(
        {
            "allow_networks": ["127.0.0.0/8"],
            "contact": "https://news.example/bot",
            "page_bytes": 300_000,
            "page_timeout": "2s",
            "feed_timeout": "2s",
        }
    )


@pytest.fixture
def engine(settings: Settings) -> LocalEngine:
    return LocalEngine(settings)
