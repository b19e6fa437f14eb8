"""Addresses of feeds: from a person's input, from known sites' pages, and from common places."""

import re
from urllib.parse import quote, urlunsplit

from actors.engine.canonical import split

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?!\d)")
_CHANNEL = re.compile(r"UC[\w-]{22}", re.ASCII)
_HANDLE = re.compile(r"@[\w.-]{2,60}")
_ACCOUNT = re.compile(r"@?([\w.-]{1,60})@([\w-]+(?:\.[\w-]+)+)", re.ASCII)
_SUBREDDIT = re.compile(r"/?r/(\w{2,30})/?", re.ASCII)
_APPLE_ID = re.compile(r"/id(\d{4,15})", re.ASCII)
_NO_REPOSITORY = {
    "about", "apps", "collections", "explore", "features", "login", "marketplace", "orgs", "pricing", "settings",
    "sponsors", "topics", "trending",
}  # fmt: skip
_WELL_KNOWN = ("feed", "rss", "feed.xml", "rss.xml", "atom.xml", "index.xml", "feed.json", ".rss")
LOOKUP = "https://itunes.apple.com/lookup?entity=podcast&id="
"""Apple's directory of podcasts: it names the feed of each."""


def typed(text: str) -> str:
    """A person's input as an address: ``example.org``, ``@name``, ``@user@host``, ``r/name``, ``feed:…``."""
    text = text.strip()
    if _CHANNEL.fullmatch(text):
        return f"https://www.youtube.com/channel/{text}"
    if _HANDLE.fullmatch(text):
        return f"https://www.youtube.com/{text}"
    if match := _ACCOUNT.fullmatch(text):
        return f"https://{match[2]}/@{match[1]}"
    if match := _SUBREDDIT.fullmatch(text):
        return f"https://www.reddit.com/r/{match[1]}/"
    if text.lower().startswith("feed:"):
        text = text[5:]
        text = text if _SCHEME.match(text) else f"https:{text}" if text.startswith("//") else text
    if _SCHEME.match(text) or " " in text or ("." not in text and not text.startswith("localhost")):
        return text
    return f"https://{text}"


def is_mailbox(url: str) -> bool:
    """Whether an address is that of a folder of a mailbox: ``imap://NAME/FOLDER``."""
    return url.strip().lower().startswith("imap:")


def of_known_site(url: str) -> list[str]:
    """The addresses of a page's feed on a known site, the best first; empty for an unknown site."""
    parts = split(url)
    host = (parts.hostname or "").removeprefix("www.")
    path = [step for step in parts.path.split("/") if step]
    if parts.path.endswith((".atom", ".rss")) or "format=atom" in parts.query:
        return []
    if host == "github.com":
        return _github(path)
    if host == "gitlab.com" and len(path) >= 2:
        project = "/".join(path[: path.index("-")] if "-" in path else path)
        return [f"https://gitlab.com/{project}/-/releases.atom", f"https://gitlab.com/{project}/-/tags?format=atom"]
    if host == "codeberg.org" and len(path) >= 2:
        return [f"https://codeberg.org/{path[0]}/{path[1]}/releases.rss"]
    if host in {"reddit.com", "old.reddit.com", "new.reddit.com"} and len(path) >= 2 and path[0] in {"r", "user", "u"}:
        kind = "r" if path[0] == "r" else "user"
        return [f"https://www.reddit.com/{kind}/{quote(path[1])}/.rss"]
    if host == "bsky.app" and path[:1] == ["profile"] and len(path) == 2:
        return [f"https://bsky.app/profile/{path[1]}/rss"]
    if host == "medium.com" and path and path[0] != "feed":
        return [f"https://medium.com/feed/{path[0]}"]
    return []


def _github(path: list[str]) -> list[str]:
    if not path or path[0] in _NO_REPOSITORY:
        return []
    if len(path) == 1:
        return [f"https://github.com/{path[0]}.atom"]
    repository = f"https://github.com/{path[0]}/{path[1].removesuffix('.git')}"
    if path[2:3] == ["commits"]:
        return [f"{repository}/commits/{'/'.join(path[3:])}.atom" if path[3:] else f"{repository}/commits.atom"]
    return [f"{repository}/tags.atom"] if path[2:3] == ["tags"] else [f"{repository}/releases.atom"]


def of_directory(url: str) -> str | None:
    """The address at which a directory of podcasts names the feed of its page; None for other sites."""
    parts = split(url)
    if parts.hostname not in {"podcasts.apple.com", "itunes.apple.com"}:
        return None
    match = _APPLE_ID.search(parts.path)
    return f"{LOOKUP}{match[1]}" if match else None


def well_known(url: str) -> list[str]:
    """The usual places of a feed that a site does not name: beside the page, then at the site's root."""
    parts = split(url)
    root = urlunsplit((parts.scheme, parts.netloc, "", "", ""))
    path = parts.path.rstrip("/")
    beside = [f"{root}{path}.rss"] if path.rpartition("/")[2].startswith("@") else []
    beside += [f"{root}{path}/{name}" for name in ("feed", "rss")] if path else []
    return list(dict.fromkeys([*beside, *(f"{root}/{name}" for name in _WELL_KNOWN)]))
