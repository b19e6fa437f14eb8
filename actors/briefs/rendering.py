"""Renders a digest as plain text, Markdown or HTML, escapes untrusted texts, and replaces files atomically."""

import os
import re
import tempfile
import textwrap
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from actors.engine.canonical import split

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~!])")
_MOST_SOURCES = 5
_WIDTH = 76  # columns of a line of plain text, as usual in mails
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:2em auto;padding:0 1em;color:#222}"
    "h2,h3{font-size:1.1em;margin:1.6em 0 0}p{margin:.3em 0}em{color:#666;font-size:.9em}"
)


def title(digest: Mapping[str, Any]) -> str:
    """Return the digest's own title, or else a generated title such as ``The day to 2026-11-26: 7 events``."""
    if digest.get("title"):
        return _line(digest["title"])
    count = len(digest["entries"])
    return f"The {digest['period']} to {digest['ends_on']}: {count} {'event' if count == 1 else 'events'}"


def text(digest: Mapping[str, Any]) -> str:
    """Return the digest as plain text, for a terminal or a mail."""
    parts, number = [title(digest)], 0
    for topic, entries in _topics(digest):
        parts += [f"== {_line(topic)}"] if topic else []
        for number, entry in enumerate(entries, number + 1):  # noqa: B020 (the numbers go on across topics)
            lines = _wrapped(f"{number}. {_line(entry['title']) or '(no title)'}", "") + _wrapped(_about(entry))
            lines += [part for words in said(entry) for part in _wrapped(words)]
            if link := address(entry):
                lines.append(f"   {link}")
            parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def markdown(digest: Mapping[str, Any]) -> str:
    """Return the digest as CommonMark. Each title is a link."""
    parts = [f"# {title(digest)}"]
    for topic, entries in _topics(digest):
        parts += [f"## {_marked(topic)}"] if topic else []
        mark = "###" if topic else "##"
        for entry in entries:
            named = _marked(entry["title"]) or "(no title)"
            link = address(entry)
            parts.append(f"{mark} [{named}](<{link}>)" if link else f"{mark} {named}")
            parts.append(f"*{_marked(_about(entry))}*")
            parts += [_marked(words) for words in said(entry)]
    return "\n\n".join(parts) + "\n"


def html(digest: Mapping[str, Any]) -> str:
    """Return the digest as a complete HTML page, without scripts and pictures."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).render(markdown(digest))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title(digest))}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _topics(digest: Mapping[str, Any]) -> list[tuple[str | None, list[Mapping[str, Any]]]]:
    """Return the entries grouped by topic. The best entry's topic is first, and entries without a topic are last."""
    found: dict[str | None, list[Mapping[str, Any]]] = {}
    for entry in digest["entries"]:
        found.setdefault(entry.get("topic"), []).append(entry)
    alone = found.pop(None, [])
    return [*found.items(), *([("More" if found else None, alone)] if alone else [])]


def said(entry: Mapping[str, Any]) -> list[str]:
    """Return the lines about an entry: its sentences in ``said``, or else its one-liner and why the story matters."""
    told = entry["said"] if "said" in entry else (entry.get("one_liner"), entry.get("why"))
    return [words for each in told if (words := _line(each))]


def line(entry: Mapping[str, Any]) -> str:
    """Return an entry on one line."""
    return f"{_line(entry['title']) or '(no title)'} ({_about(entry)})"


def _about(entry: Mapping[str, Any]) -> str:
    """Return an entry's chili score (how hot the story is) and its sources, by name if known."""
    names = [_line(name) for name in entry.get("told_by") or [] if name] or [_line(entry["source"]) or "?"]
    more = max(entry["sources"], len(names)) - len(names[:_MOST_SOURCES])
    told_by = ", ".join(names[:_MOST_SOURCES]) + (f" and {more} more" if more > 0 else "")
    return f"chili {entry['chili']:g} · {told_by}"


def _wrapped(words: str, first: str = "   ") -> list[str]:
    return textwrap.wrap(words, _WIDTH, initial_indent=first, subsequent_indent="   ", break_on_hyphens=False)


def _line(words: str | None) -> str:
    return " ".join((words or "").split())


def _marked(words: str | None) -> str:
    r"""Return the text on one line, with ``\`` before each character that Markdown would read as markup."""
    return re.sub(r"^(\d+)([.)])|^([-+=])", r"\1\\\2\3", _MARKS.sub(r"\\\1", _line(words)))


def address(entry: Mapping[str, Any]) -> str:
    """Return an entry's address if it is a web address, or else "". Characters that would end a link are encoded."""
    url = entry["url"] or ""
    return quote(url, safe="!#$%&'()*+,/:;=?@[]~-._") if split(url).scheme in {"http", "https"} else ""


def write_whole(path: Path, text: str) -> None:
    """Replace the file at ``path`` with ``text``, readable for every user. An OSError leaves the old file unchanged."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
