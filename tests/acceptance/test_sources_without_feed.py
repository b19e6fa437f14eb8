"""A page without a feed, a folder of newsletters and a podcast with a transcript, on a fresh ``zeke-jobs up``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.running import up_in_a_folder
from tests.actors.engine.test_newsletters import SECRET, letter
from tests.actors.imap_server import ImapServer
from tests.actors.scripted_site import Answer, ScriptedSite, page, paragraphs, rss
from tests.actors.sources.test_transcripts import VTT

if TYPE_CHECKING:
    from tests.actors.scripted_site import Asked

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

COOKIE = "c00kie-of-ada"


def article(title: str) -> Answer:
    return Answer(page(title, f"<div class=text>{paragraphs(title)}<p class=ad>Buy {title} now.</p></div>"))


def test_sources_without_a_feed_and_a_rule_for_a_site_by_real_commands() -> None:
    def for_readers(asked: Asked) -> Answer:
        return article("For readers only") if asked.headers.get("cookie") == f"id={COOKIE}" else Answer(status=403)

    with ScriptedSite() as site, ImapServer(password=SECRET) as imap, up_in_a_folder() as up:
        transcript = f'<podcast:transcript url="{site.url}/1.vtt" type="text/vtt"/>'
        audio = f'<enclosure url="{site.url}/1.mp3" type="audio/mpeg"/>{transcript}'
        podcast = rss(("1", "Episode 1", f"{site.url}/episode"), extra=audio)
        site.pages |= {
            "/news": Answer(
                page("The news", '<article><h2><a href="/paid">A link</a></h2></article><a href="/about">x</a>')
            ),
            "/paid": for_readers,
            "/letter": article("A letter on the web"),
            "/cast": Answer(podcast.replace("<rss", '<rss xmlns:podcast="https://podcastindex.org/namespace/1.0"', 1)),
            "/1.vtt": Answer(VTT, content_type="text/vtt"),
        }
        imap.folders["Letters"] = {1: letter(1, link=f'<a href="{site.url}/letter">View in browser</a>')}
        rule = '{cookies: {id: "${ADAS_COOKIE}"}, text: .text, remove: .ad}'
        mailbox = f'{{host: 127.0.0.1, port: {imap.port}, security: none, user: ada, password: "${{ADAS_PASSWORD}}"}}'
        engine = (
            f'    allow_networks: [127.0.0.0/8]\n    sites: {{"{site.url.removeprefix("http://")}": {rule}}}\n'
            f"    mailboxes: {{mine: {mailbox}}}\n    kind: local #"
        )
        text = (Path(__file__).parents[2] / "jobs.yaml").read_text()
        (up.folder / "jobs.yaml").write_text(text.replace("    kind: local #", engine, 1))
        up.env |= {"ADAS_COOKIE": COOKIE, "ADAS_PASSWORD": SECRET, "COLUMNS": "200"}
        up.start()
        up.wait_for("Worker process is ready")
        said = [
            up.run(f"zeke-news site test {site.url}/paid"),
            up.run(f"zeke-news sources add {site.url}/news --select 'article h2 a'"),
            up.run("zeke-news sources add imap://mine/Letters"),
            up.run(f"zeke-news sources add {site.url}/cast"),
        ]
        assert "forbidden" in said[0]
        assert "rule: '.ad' removes 1, '.text' finds 1" in said[0]
        assert [one.split()[:2] for one in said[1:]] == [
            ["added", "page"],
            ["added", "newsletter"],
            ["added", "podcast"],
        ]
        end = time.monotonic() + 90
        while len(stories := json.loads(up.run("zeke-news stories --json"))) < 3:
            assert time.monotonic() < end, up.text[-5000:]
            time.sleep(0.5)
        assert {one["title"] for one in stories} == {"For readers only", "Letter 1", "Episode 1"}
        for title, begins in (
            ("Episode", "Ada Lovelace: Guest 1"),
            ("For readers", "Paragraph 1"),
            ("Letter", "Paragraph 1"),
        ):
            (number,) = (one["number"] for one in stories if one["title"].startswith(title))
            told = up.run(f"zeke-news story {number} --text")
            assert begins in told
            assert "Buy " not in told
        said += [
            up.run("zeke-news sources health"),
            up.run(f"zeke-news why {site.url}/paid"),
            up.run("zeke-jobs history"),
        ]
        assert "found" in said[-2]
        assert [one for one in (*said, up.text) if COOKIE in one or SECRET in one] == []
