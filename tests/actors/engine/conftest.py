"""Fixtures of the engine's tests."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from actors.engine import Settings
from actors.engine.contract import EngineError
from actors.engine.fetch import Fetcher
from actors.engine.local import LocalEngine


def failure(call: Callable[..., object], *given: Any, **named: Any) -> EngineError:
    """The error that a call ends in."""
    with pytest.raises(EngineError) as caught:
        call(*given, **named)
    return caught.value


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
