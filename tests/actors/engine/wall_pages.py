"""Invented pages that a site shows instead of an article, such as a login; each is as long as a short article."""

from pathlib import Path

_NAV = "<nav><a href='/'>Home</a> <a href='/news'>News</a> <a href='/sport'>Sport</a> <a href='/login'>Log in</a></nav>"
_FOOT = "<footer><a href='/imprint'>Imprint</a> <a href='/privacy'>Privacy</a> © Daily Example</footer>"


def _wall(part: str) -> tuple[str, tuple[str, str]]:
    """Parse a page that begins like ``# a login | paywall | en``; return its name, error code and HTML."""
    about, page = part.split("\n", 1)
    kind, code, language, *more = about.split(" | ")
    head, _, body = page.partition("</title>\n")
    if more:
        head, body = f"{head} | Daily Example", f"{_NAV}<main>{body}</main>{_FOOT}"
    top = f"<!doctype html><html lang='{language}'><head><meta charset='utf-8'>{head}</title></head>"
    return kind, (code, f"{top}<body>{body}</body></html>")


#: WALLS maps each kind to (code, page).
WALLS = dict(map(_wall, Path(__file__).with_suffix(".txt").read_text(encoding="utf-8")[2:].split("\n\n# ")))
