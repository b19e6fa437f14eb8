"""The Engine's settings in jobs.yaml."""

import re
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator

from zeke_jobs import Duration, parse_duration

_SENDABLE = re.compile(r"[!-~](?:[ -~]{0,7998}[!-~])?")
_DEFAULT_AGENT = "zeke-jobs/0.1"


def sendable(value: SecretStr) -> SecretStr:
    """The value, if it can be sent in a line of a protocol.

    Raises:
        ValueError: it cannot.
    """
    if not _SENDABLE.fullmatch(value.get_secret_value()):
        raise ValueError("expected a value of printable ASCII characters, got none, or one with others")
    return value


class Mailbox(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
    """A mailbox whose folders are sources, as ``imap://NAME/FOLDER``.

    Attributes:
        host: The IMAP server; ``port`` is its port.
        security: ``tls`` from the first byte (port 993), ``starttls`` (port 143), or ``none`` on a network of your own.
        user: Name for the login, with ``password``.
    """

    host: str = Field(min_length=1)
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    user: str = Field(pattern=r"^[ -~]+$")
    password: Annotated[SecretStr, AfterValidator(sendable)]


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
        mailboxes: Mailboxes by name.
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
    mailboxes: dict[str, Mailbox] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _http_has_an_address(self) -> Self:
        if self.kind == "http" and not self.url:
            raise ValueError("expected a url where kind is http, got none")
        return self

    @property
    def user_agent(self) -> str:
        """The User-Agent of the local engine."""
        return f"{_DEFAULT_AGENT} (+{self.contact})" if self.contact else _DEFAULT_AGENT
