"""Reads transcripts of podcasts and videos, as WebVTT, SubRip or the podcast namespace's JSON."""

import html
import json
import re
from collections.abc import Iterator

from actors.engine.text import text_at

CAPTIONS = ("text/vtt", "text/srt", "application/srt", "application/x-subrip")  # media types

_TIMING = re.compile(r"\s*(?:\d+\s*\n)?(?:\d+:)?\d?\d:\d\d[,.]\d{3}[ \t]*-->")
_VOICE = re.compile(r"<v(?:\.[^ >]*)? ([^>]{1,100})>")
_MARKS = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,50}\}")
_HEAD = 200
_FULL, _MOST = 500, 2000  # characters after which a paragraph ends at the next end of a sentence, or at once


def spoken(text: str) -> str | None:
    """Return the words in paragraphs, with the speakers' names, or None if the text is not a transcript."""
    head = text[:_HEAD].replace("\r", "\n").lstrip("\ufeff")
    if head.startswith("WEBVTT") or _TIMING.match(head):
        return _paragraphs(_cues(text.replace("\r\n", "\n").replace("\r", "\n")))
    try:
        data = json.loads(text.lstrip("\ufeff")) if head.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        return None
    segments = data.get("segments") if isinstance(data, dict) else None
    if not isinstance(segments, list):
        return None
    return _paragraphs((text_at(one, "speaker"), text_at(one, "body") or text_at(one, "text")) for one in segments)


def _cues(text: str) -> Iterator[tuple[str, str]]:
    """Yield the speaker (or an empty string) and the words of each line. A repeated line is skipped."""
    last = ""
    for block in re.split(r"\n\s*\n", text):
        timing, _, lines = block.partition("-->")
        for line in lines.split("\n")[1:] if "NOTE" not in timing[:4] else ():
            voice = _VOICE.search(line)
            words = html.unescape(_MARKS.sub("", line)).strip()
            if words and words != last:
                yield voice[1] if voice else "", words
            last = words or last


def _paragraphs(said: Iterator[tuple[str, str]]) -> str:
    found: list[str] = []
    present, speaker = "", ""
    for who, words in said:
        is_full = len(present) > _MOST or (len(present) > _FULL and present.endswith((".", "!", "?", "…", "。")))
        if present and (is_full or (who and who != speaker)):
            found.append(present)
            present = ""
        if who and who != speaker:
            present, speaker = f"{who}:", who
        present = f"{present} {' '.join(words.split())}".strip()
    return "\n\n".join([*found, present])
