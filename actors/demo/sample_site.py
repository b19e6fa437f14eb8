"""Serves the bundled sample site. Its pages and feeds are rendered for a given base address and current time."""

import json
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from html import escape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

from zeke_jobs.postgres.queries import Row

_FOLDER = files("actors.demo") / "site"
_RELATED = 4  # links below each article


def entries() -> list[Row]:
    """Return the entries of both feeds, in the order of ``catalogue.toml``.

    ``age`` is in hours. If an entry is ``missing``, a request for the page at its ``path`` gets 404.
    """
    rows = tomllib.loads(_read("catalogue.toml"))["entry"]
    return [Row(**{"missing": False, **row, "path": f"/{row['publication']}/{row['slug']}"}) for row in rows]


def render(base_url: str, now: datetime) -> dict[str, str]:
    """Return every page and feed of the site by path, with dates counted back from ``now``. Paths of feeds end with ``.xml``."""
    pages: dict[str, str] = {}
    for row in tomllib.loads(_read("catalogue.toml"))["publication"]:
        own = sorted((one for one in entries() if one.publication == row["slug"]), key=lambda one: one.age)
        home = f"/{row['slug']}/"
        site = {
            "home": base_url + home,
            "feed": f"{base_url}{home}{row['feed']}",
            **_moments("updated", now, own[0].age),
        }
        site |= _texts(publication=row["name"], tagline=row["tagline"])
        items = []
        for entry in own:
            told = {**site, "url": base_url + entry.path, "id": f"urn:sample:{row['slug']}:{entry.slug}"}
            told |= _texts(title=entry.title, author=entry.author, topic=entry.topic, summary=entry.summary)
            told |= _moments("published", now, entry.age)
            items.append(_filled(f"{row['format']}_entry.xml", told).strip())
            if not entry.missing:
                others = [other for other in own if other is not entry][:_RELATED]
                told["related"] = "\n".join(f'<li><a href="{e.path}">{escape(e.title)}</a></li>' for e in others)
                told["body"] = _read(f"articles/{entry.slug}.html").strip()
                pages[entry.path] = _filled(row["template"], told)
        pages[home + row["feed"]] = _filled(f"{row['format']}.xml", {**site, "entries": "\n".join(items)})
    return pages


def _texts(**texts: str) -> dict[str, str]:
    return {name: escape(text) for name, text in texts.items()} | {f"{n}_json": json.dumps(t) for n, t in texts.items()}


def _moments(name: str, now: datetime, age: int) -> dict[str, str]:
    then = now - timedelta(hours=age)
    forms = {"": then.isoformat(timespec="seconds"), "_rfc822": format_datetime(then, usegmt=True)}
    return {f"{name}{form}": text for form, text in forms.items()} | {"date": f"{then:%d %B %Y}"}


def _filled(template: str, values: dict[str, str]) -> str:
    return Template(_read(template)).substitute(values)


def _read(name: str) -> str:
    return _FOLDER.joinpath(name).read_text(encoding="utf-8")


@contextmanager
def served() -> Iterator[tuple[str, list[str]]]:
    """Serve the site on loopback. Yields the addresses of the site and of its two feeds."""
    with (
        TemporaryDirectory() as folder,
        ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=folder)) as server,
    ):
        url = f"http://127.0.0.1:{server.server_port}"
        pages = render(url, datetime.now(UTC).replace(microsecond=0))
        for path, page in pages.items():
            file = Path(folder + path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(page, encoding="utf-8")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield url, [url + path for path in pages if path.endswith(".xml")]
        server.shutdown()
        thread.join()


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {"": "text/html; charset=utf-8", ".xml": "application/xml; charset=utf-8"}  # noqa: RUF012

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class has this name)
        """Log nothing, because the demo shows the work of the pipeline, not each request."""
