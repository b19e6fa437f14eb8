"""Finds the one address that identifies a page, even if links to the page are written in different ways."""

import re
from contextlib import suppress
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from actors.patterns import patterns

_TRACKING = patterns("actors.engine", "tracking.txt")["tracking"]
_FEED_PARTNER = {("source", "rss"), ("ref", "rss"), ("rss", "1"), ("from", "rss"), ("partner", "rss")}
USUAL_PORTS = {"http": 80, "https": 443}
_MOBILE = re.compile(r"^(?:m|mobile|amp|www)\.(?=[^.]+\.[^.])")
_AMP_SUFFIX = re.compile(r"(?:/amp/?|\.amp(?=\.html?$)|/amp(?=\.html?$))$|\.amp$", re.IGNORECASE)
# Pages in an AMP cache are at site-org.cdn.ampproject.org/c/s/site.org/page or google.com/amp/s/site.org/page.
_AMP_CACHE = re.compile(
    r"^https?://(?:(?:[\w-]+\.cdn\.ampproject\.org/[cv]/|(?:www\.)?google\.com/amp/)(?:s/)?)+(?=[^/]+\.)", re.IGNORECASE
)
LONGEST_HOST = 253  # characters of a DNS name (RFC 1035)
LONGEST_ADDRESS = 8192  # characters; servers refuse longer addresses


def split(url: str) -> SplitResult:
    """Return the parts of a web address. All parts are empty if the address is not valid."""
    with suppress(ValueError):
        parts = urlsplit(url.strip())
        _ = parts.port  # this line raises ValueError for a wrong port
        return parts
    return SplitResult("", "", "", "", "")


def canonical_url(url: str) -> str:
    """Return a normalised address, which is equal for all links to a page. A request to this address may fail.

    Links to the same page may differ in scheme, ``www.``, mobile or AMP host, default port, tracking parameters, the
    order of parameters, fragment, or a slash at the end. A string that is not a web address is only stripped.
    """
    if len(url) > LONGEST_ADDRESS:
        return url.strip()
    parts = split(_AMP_CACHE.sub("https://", url.strip()))
    if parts.scheme not in USUAL_PORTS or not parts.hostname:
        return url.strip()
    host = parts.hostname.rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    elif not host.isascii() and len(host) <= LONGEST_HOST:
        with suppress(UnicodeError):  # the host is no DNS name, but it identifies the page
            host = host.encode("idna").decode("ascii")
    while (shorter := _MOBILE.sub("", host)) != host:
        host = shorter
    if parts.port and parts.port not in USUAL_PORTS.values():
        host = f"{host}:{parts.port}"
    pairs = [
        (name, value)
        for name, value in parse_qsl(parts.query, keep_blank_values=True, errors="surrogateescape")
        if not _TRACKING.fullmatch(name) and (name.lower(), value.lower()) not in _FEED_PARTNER
    ]
    query = urlencode(sorted(pairs), errors="surrogateescape")
    path = quote(unquote(parts.path, errors="surrogateescape"), safe="/:@!$&'()*+,;=-._~", errors="surrogateescape")
    path = re.sub(r"/{2,}", "/", path)
    while (shorter := _AMP_SUFFIX.sub("", path.rstrip("/"))) != path:
        path = shorter
    return urlunsplit(("https", host, path or "/", query, ""))


def is_web(url: str) -> bool:
    """Return whether the text is an absolute http or https address that is not too long for servers."""
    parts = split(url)
    return len(url) <= LONGEST_ADDRESS and parts.scheme in USUAL_PORTS and bool(parts.hostname)


def site_of(url: str) -> str:
    """Return the site of ``url``, its host without a prefix such as ``www.``, or an empty string if it has no host."""
    parts = split(canonical_url(url))
    return parts.netloc.lower() if len(parts.hostname or "") <= LONGEST_HOST else ""


def joined(base: str, href: str, *, with_fragment: bool = False) -> str:
    """Return a link's absolute web address, or an empty string if the link is no web address."""
    try:
        address = urljoin(base, href.strip()) if href.strip() else ""
    except ValueError:
        return ""
    address = address if with_fragment else address.partition("#")[0]
    return address if is_web(address) else ""
