"""The documentation builds as a site without network, and all its links have targets."""

import fcntl
import os
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer.main

from tests.fleet import ROOT
from zeke_jobs.cli.root import app
from zeke_jobs.config.json_schema import json_schema

PAGES = sorted(path.stem for path in (ROOT / "docs").glob("*.md"))


class Page(HTMLParser):
    """The parser collects a page's links, loaded files and anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.anchors.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        elif tag == "link" and found.get("rel") in {"stylesheet", "icon", "preconnect"}:
            self.loads.add(found["href"])
        elif "src" in found:
            self.loads.add(found["src"])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once for all processes of the run."""
    ours = tmp_path_factory.getbasetemp()
    folder = (ours.parent if "PYTEST_XDIST_WORKER" in os.environ else ours) / "site"
    away = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:1")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            env = {**os.environ, **away, "NO_MKDOCS_2_WARNING": "1"}
            done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_each_page_is_in_the_site_and_in_its_navigation_and_begins_with_the_use_of_it(site: Path) -> None:
    links = Page(site / "index.html").links
    assert [page for page in PAGES if not (site / f"{page}.html").is_file()] == []
    assert [page for page in PAGES if not links & {f"{page}.html", f"./{page}.html"}] == []
    for page in set(PAGES) - {"index"}:
        _, _, text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8").split("\n", 2)
        assert text.startswith("After this page you "), f"{page}: {text[:80]}"


def test_links_lead_to_pages_and_to_places_in_them_and_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    read = cache(Page)
    for page, link in [(one, link) for one in PAGES for link in read(site / f"{one}.html").links]:
        parts = urlsplit(link)
        if parts.scheme:
            assert parts.scheme in {"https", "mailto"}, (page, link)
            continue
        target = site / unquote(parts.path or f"{page}.html")
        target = target / "index.html" if target.is_dir() else target
        assert target.is_file(), (page, link)
        assert not parts.fragment or unquote(parts.fragment) in read(target).anchors, (page, link)

    loads = {load for page in PAGES for load in read(site / f"{page}.html").loads}
    assert {load for load in loads if urlsplit(load).scheme or load.startswith("//")} == set()
    assert all((site / urlsplit(load).path).is_file() for load in loads)


def test_the_page_of_the_command_line_has_every_command_and_that_of_jobs_yaml_every_key(site: Path) -> None:
    text = (site / "command-line.html").read_text(encoding="utf-8")
    commands = getattr(typer.main.get_command(app()), "commands")  # noqa: B009 (typer does not export click's group)
    assert [name for name in commands if f"zeke-jobs {name} --help" not in text] == []
    assert "Usage: zeke-jobs schedule backfill" in text

    text = (site / "jobs-yaml.html").read_text(encoding="utf-8").partition("Every key, from the models")[2]
    parts = [json_schema(), *json_schema()["$defs"].values()]
    keys = {key for part in parts for key in part.get("properties", {})}
    assert len(keys) > 30
    assert [key for key in sorted(keys) if f"<code>{key}</code>" not in text] == []
