"""Finds possible addresses of feeds from a person's input, from rules for known sites, and from common paths."""

import re
from importlib.resources import files
from urllib.parse import urlunsplit

from actors.engine.canonical import split

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?!\d)")
_TYPED = (
    (re.compile(r"(UC[\w-]{22})", re.ASCII), r"https://www.youtube.com/channel/\1"),
    (re.compile(r"(@[\w.-]{2,60})"), r"https://www.youtube.com/\1"),
    (re.compile(r"@?([\w.-]{1,60})@([\w-]+(?:\.[\w-]+)+)", re.ASCII), r"https://\2/@\1"),
    (re.compile(r"/?r/(\w{2,30})/?", re.ASCII), r"https://www.reddit.com/r/\1/"),
)
_APPLE_ID = re.compile(r"/id(\d{4,15})", re.ASCII)
_KNOWN = [
    (re.compile(page), feeds)
    for page, *feeds in map(
        str.split, (files("actors.engine.discovery") / "sites.txt").read_text(encoding="utf-8").splitlines()
    )
    if page != "#"
]
_WELL_KNOWN = ("feed", "rss", "feed.xml", "rss.xml", "atom.xml", "index.xml", "feed.json", ".rss")
LOOKUP = "https://itunes.apple.com/lookup?entity=podcast&id="  # Apple's podcast directory


def typed(text: str) -> str:
    """Return the address that a person means by ``example.org``, ``@name``, ``@user@host``, ``r/name``, ``feed:…``."""
    text = text.strip()
    for form, address in _TYPED:
        if match := form.fullmatch(text):
            return match.expand(address)
    if text.lower().startswith("feed:"):
        text = text[5:]
        text = text if _SCHEME.match(text) else f"https:{text}" if text.startswith("//") else text
    if _SCHEME.match(text) or " " in text or ("." not in text and not text.startswith("localhost")):
        return text
    return f"https://{text}"


def is_mailbox(url: str) -> bool:
    """Return whether an address names a folder of a mailbox: ``imap://NAME/FOLDER``."""
    return url.strip().lower().startswith("imap:")


def of_known_site(url: str) -> list[str]:
    """Return the addresses of feeds of a page on a known site, the best first, or an empty list for another site."""
    parts = split(url)
    if parts.path.endswith((".atom", ".rss")) or "format=atom" in parts.query:
        return []
    place = f"{(parts.hostname or '').removeprefix('www.')}/{'/'.join(filter(None, parts.path.split('/')))}"
    found = ((match, feeds) for page, feeds in _KNOWN if (match := page.fullmatch(place)))
    return next(([f"https://{match.expand(feed)}" for feed in feeds] for match, feeds in found), [])


def of_directory(url: str) -> str | None:
    """If ``url`` is a podcast's page in Apple's directory, return the API address that tells its feed, or else None."""
    parts = split(url)
    if parts.hostname not in {"podcasts.apple.com", "itunes.apple.com"}:
        return None
    match = _APPLE_ID.search(parts.path)
    return f"{LOOKUP}{match[1]}" if match else None


def well_known(url: str) -> list[str]:
    """Return the usual addresses of feeds, first in the page's folder, then at the site's root."""
    parts = split(url)
    root = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    path = parts.path.rstrip("/")
    beside = [f"{root}{path}.rss"] if path.rpartition("/")[2].startswith("@") else []
    beside += [f"{root}{path}/{name}" for name in ("feed", "rss")] if path else []
    return list(dict.fromkeys([*beside, *(f"{root}/{name}" for name in _WELL_KNOWN)]))
