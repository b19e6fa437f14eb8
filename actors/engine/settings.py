"""The Engine's settings in jobs.yaml."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from zeke_jobs import Duration, parse_duration

_DEFAULT_AGENT = "zeke-jobs/0.1"


class EngineSettings(BaseModel, extra="forbid", frozen=True):
    """``services.engine.settings`` of jobs.yaml.

    Attributes:
        kind: ``local`` fetches in the worker's own process, ``http`` asks an Engine at ``url``.
        url: Base address of the Engine (``http`` only).
        token: Bearer token for the Engine, if it requires one.
        timeout: Longest time for one answer of the Engine.
        contact: An address or page in the User-Agent, so that a site can reach the operator (``local`` only, like
            all following settings).
        allow_networks: Networks that are allowed although they are not public: loopback in a demo or test.
        page_bytes: Most bytes of a page; ``feed_bytes`` of a feed.
        page_timeout: Longest time from the first connection to the last byte of a page; ``feed_timeout`` of a feed.
        max_entries: Most entries of a feed (for both kinds).
        redirects: Most redirects.
        youtube_key: Key of YouTube's Data API; without it, or if it fails, channels are read by their keyless feed.
        youtube_api: Address of that API.
    """

    kind: Literal["local", "http"] = "local"
    url: str | None = None
    token: SecretStr | None = None
    timeout: Duration = parse_duration("60s")
    contact: str = ""
    allow_networks: list[IPv4Network | IPv6Network] = Field(default_factory=list)
    page_bytes: int = Field(default=5_000_000, ge=1_000)
    feed_bytes: int = Field(default=15 * 1024 * 1024, ge=1_000)
    page_timeout: Duration = parse_duration("20s")
    feed_timeout: Duration = parse_duration("20s")
    max_entries: int = Field(default=300, ge=1)
    redirects: int = Field(default=5, ge=0, le=20)
    youtube_key: SecretStr | None = None
    youtube_api: str = "https://www.googleapis.com/youtube/v3"

    @model_validator(mode="after")
    def _http_has_an_address(self) -> Self:
        if self.kind == "http" and not self.url:
            raise ValueError("expected a url where kind is http, got none")
        return self

    @property
    def user_agent(self) -> str:
        """The User-Agent of the local engine."""
        return f"{_DEFAULT_AGENT} (+{self.contact})" if self.contact else _DEFAULT_AGENT
