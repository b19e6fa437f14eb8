"""Defines the Engine's settings in jobs.yaml, and rules for sites, such as headers, selectors and pauses."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal, Self

import httpx
from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints, model_validator

from actors.engine.canonical import USUAL_PORTS
from actors.engine.selectors import Selector
from zeke_jobs import Duration, parse_duration

_SENDABLE = re.compile(r"[!-~](?:[ -~]{0,7998}[!-~])?")
_OURS = re.compile(r"(?i)host|user-agent|cookie|connection|content-.*|transfer-encoding|accept-encoding|if-.*|range")
_HOST = re.compile(r"(?:\*\.)?(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


def sendable(value: SecretStr) -> SecretStr:
    """Raise ValueError if the value cannot be sent in one line of HTTP or IMAP."""
    if not _SENDABLE.fullmatch(value.get_secret_value()):
        raise ValueError("expected a value of printable ASCII characters, got none, or one with others")
    return value


class Mailbox(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
    """Describes a mailbox whose folders can be sources. The address of a folder is ``imap://NAME/FOLDER``.

    Attributes:
        security: ``tls`` from the first byte (port 993), ``starttls`` (port 143), or ``none`` in a private network.
    """

    host: str = Field(min_length=1)
    port: int = Field(default=993, ge=1, le=65535)
    security: Literal["tls", "starttls", "none"] = "tls"
    user: str = Field(pattern=r"^[ -~]+$")
    password: Annotated[SecretStr, AfterValidator(sendable)]


class EngineSettings(BaseModel, extra="forbid", frozen=True):
    """Defines ``services.engine.settings`` of jobs.yaml.

    Attributes:
        kind: ``local`` fetches in the worker's own process; ``http`` asks an Engine at the base address ``url``.
        token: The bearer token for kind ``http``; ``timeout`` is the maximum time for an answer.
        contact: A mail address or page in the User-Agent, so that a site can reach the operator. This and all following
            settings except ``max_entries`` are for kind ``local`` only.
        allow_networks: Networks that are allowed although they are not public, such as loopback in a demo or test.
        page_bytes: The maximum size of a page in bytes; ``feed_bytes`` is that of a feed.
        page_timeout: The maximum time from the first connection to a page's last byte; ``feed_timeout`` is for feeds.
        max_entries: The maximum number of entries that are read from a feed.
        youtube_key: The key of YouTube's Data API. Without it, or if the API fails, channels' public feeds are read.
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


def _header(name: str) -> str:
    if _OURS.fullmatch(name):
        raise ValueError(f"expected a header that the Engine does not set itself, got {name!r}; see cookies")
    return name


_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}$")]
_Secret = Annotated[SecretStr, AfterValidator(sendable)]


class Site(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
    """Describes the rule for one site.

    Attributes:
        headers: Sent only to this site, and only by https or to a port in the rule's key. So are the ``cookies``.
        text: A selector of the elements with the text of a page; ``remove`` selects elements to leave out.
        feed_is_enough: Do not fetch a page if the feed has its text.
        engine: Another Engine for this site. A setting that is missing here has the default Engine's value.
        pause: The shortest time between two requests.
        at_once: The maximum number of requests at the same time.
    """

    headers: dict[Annotated[_Name, AfterValidator(_header)], _Secret] = Field(default_factory=dict)
    cookies: dict[_Name, _Secret] = Field(default_factory=dict)
    text: Selector | None = None
    remove: Selector | None = None
    feed_is_enough: bool = False
    engine: EngineSettings | None = None
    pause: Duration | None = None
    at_once: int = Field(default=1, ge=1, le=8)

    @model_validator(mode="after")
    def _one_pace(self) -> Self:
        if self.pause and self.at_once > 1:
            raise ValueError("expected either a pause or more than one request at_once, got both")
        return self


NONE = Site()


def _site(key: str) -> str:
    """Return the key of a rule, which is a host, in ASCII (Punycode), as ``_names`` spells hosts."""
    try:
        host = key.lower() if key.isascii() else key.encode("idna").decode()
    except UnicodeError:
        host = ""
    if not _HOST.fullmatch(host) or host.startswith("www.") or (key.isascii() and key != host):
        known = "example.org (www. is the same), *.example.org or intranet.example:8080"
        raise ValueError(f"expected a host in small letters, such as {known}, got {key!r}")
    return host


class SiteSettings(EngineSettings, extra="forbid", frozen=True, hide_input_in_errors=True):
    """Holds the settings of the default Engine, and the rules for sites by host."""

    sites: dict[Annotated[str, AfterValidator(_site)], Site] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _local_engine_reads(self) -> Self:
        for host, site in self.sites.items():
            theirs = [one for one in ("headers", "cookies", "text", "remove") if getattr(site, one)]
            if theirs and self.of(site).kind == "http":
                raise ValueError(f"expected an Engine of kind local for {theirs[0]} of {host}, got one of kind http")
        return self

    def of(self, site: Site) -> Self:
        """Return the settings of the Engine for a site: the default Engine's, except what the site's rule sets."""
        named = site.engine or EngineSettings()
        return self.model_copy(update={one: getattr(named, one) for one in named.model_fields_set})

    def rule_for(self, url: str) -> tuple[str, Site]:
        """Return the host of the most specific rule for an address, and the rule. If no rule fits, return "" and ``NONE``."""
        return next(((name, self.sites[name]) for name in _names(url) if name in self.sites), ("", NONE))

    def credentials(self, url: httpx.URL) -> Mapping[str, str]:
        """Return the headers of the rule for ``url``. They are sent only by https, or to a port that the rule names."""
        name, site = self.rule_for(str(url)) if self.sites else ("", NONE)
        if url.scheme != "https" and not re.search(r":\d+$", name):
            return {}
        sent = {header: value.get_secret_value() for header, value in site.headers.items()}
        cookies = "; ".join(f"{cookie}={value.get_secret_value()}" for cookie, value in site.cookies.items())
        return {**sent, "Cookie": cookies} if cookies else sent


def _names(url: str) -> Iterator[str]:
    """Yield the host of the address, then the host's parent domains."""
    try:
        parsed = httpx.URL(url.strip())
    except (httpx.InvalidURL, ValueError):
        return
    host = parsed.raw_host.decode("ascii", "replace").lower().rstrip(".").removeprefix("www.")
    host = f"[{host}]" if ":" in host else host
    usual = USUAL_PORTS.get(parsed.scheme)
    ends = [f":{parsed.port or usual}", *([""] if parsed.port in {None, usual} else [])]
    yield from (f"{host}{end}" for end in ends)
    while "." in host:
        host = host.partition(".")[2]
        yield from (f"*.{host}{end}" for end in ends)


def rule_of(engine: object, url: str) -> Site:
    """Return an Engine's rule for the site of an address, or ``NONE`` if the Engine has no rules."""
    rule: Site = getattr(engine, "rule", lambda _: NONE)(url)
    return rule
