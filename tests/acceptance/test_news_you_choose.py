"""Filters and alerts by the real command lines: a dropped item is never fetched, and an alert's story arrives once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.running import up_in_a_folder
from tests.acceptance.test_reader import article, feed, news, read_json, run
from tests.actors.mail_server import MailServer
from tests.actors.scripted_site import Answer, ScriptedSite, page, paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.running import Up

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
LATEST = """
import os, psycopg2
with psycopg2.connect(os.environ["DATABASE_URL"]) as conn, conn.cursor() as cursor:
    cursor.execute("SELECT max(extract(epoch FROM t.sent_at - o.analyzed_at)) FROM alert_stories AS t"
        " JOIN story_overlays AS o USING (story_id)")
    print(cursor.fetchone()[0])
"""
SETTINGS = """\
    settings:
      receivers:
        me: {{mail: {{host: 127.0.0.1, port: {port}, security: none, from: news@a.example, to: [ada@b.example]}}}}
        team: {{webhook: {{url: "{url}/hook", secret: "${{HOOK_SECRET}}", allow_networks: [127.0.0.0/8]}}}}
        file: {{command: [sh, -c, "cat >> alerts.txt"]}}
"""


@pytest.fixture
def site() -> Iterator[ScriptedSite]:
    """Two feeds; the webhook is away until the test says otherwise."""
    with ScriptedSite() as running:
        for name in ("weblog", "paper"):
            for n in range(1, 4):
                running.pages[f"/{name}/{n}"] = Answer(article(name, n))
        weblog = feed(running.url, "weblog", days=0, items=3).replace("Release 2 of weblog", "Crypto in release 2")
        running.pages["/weblog.xml"] = Answer(weblog, content_type="application/rss+xml")
        running.pages["/paper/1"] = Answer(page("A walk", paragraphs("a walk through the woods")))
        paper = feed(running.url, "paper", days=0, items=1).replace("Release 1 of paper has a retry budget", "A walk")
        running.pages["/paper.xml"] = Answer(paper, content_type="application/rss+xml")
        running.pages["/hook"] = Answer(status=503, headers={"Retry-After": "1"})
        yield running


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def up(site: ScriptedSite, mail: MailServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Up]:
    """The shipped jobs.yaml with a filter and three receivers."""
    monkeypatch.setenv("HOOK_SECRET", "s")
    with up_in_a_folder() as made:
        text = (ROOT / "jobs.yaml").read_text()
        text = text.replace("    kind: local #", "    allow_networks: [127.0.0.0/8]\n    kind: local #", 1)
        text = text.replace("      # filters:", "      filters: [{drop: {words: [nonsense]}}]\n      # filters:", 1)
        receivers = SETTINGS.format(port=mail.port, url=site.url)
        text = text.replace("    # settings:\n    #   receivers:", f"{receivers}    # receivers:", 1)
        (made.folder / "jobs.yaml").write_text(text)
        yield made


def wait_for(up: Up, what: Any) -> None:
    end = time.monotonic() + 90
    while not what():
        assert time.monotonic() < end, up.text[-5000:]
        time.sleep(0.2)


def test_a_rule_drops_before_anything_is_paid_and_an_alert_arrives_once(
    up: Up, site: ScriptedSite, mail: MailServer
) -> None:
    up.start()
    up.wait_for("Worker process is ready")
    assert "added filter 1: drop words crypto" in news(up, "filter", "add", "drop", "--words", "crypto")
    listed = news(up, "filter", "list")
    assert "drop words nonsense" in listed
    assert "filter 1" in listed
    to = ("--to", "me", "--to", "team", "--to", "file")
    assert "goes to me, team, file" in news(up, "alert", "add", "budgets", '"retry budget" source:weblog', *to)
    refused = run(up, "zeke-news", "alert", "add", "x", "y", "--to", "phone")
    assert (refused.returncode, "there are: file, me, team" in refused.stderr) == (2, True)
    for name in ("weblog", "paper"):
        news(up, "sources", "add", f"{site.url}/{name}.xml")

    said = up.folder / "alerts.txt"
    wait_for(up, lambda: said.exists() and said.read_text().count("Release") >= 2 and len(mail.mails) >= 1)
    wait_for(up, lambda: site.times("/hook") >= 2)
    site.pages["/hook"] = Answer(status=204)
    assert site.times("/weblog/2") == 0, "the page of a dropped item is not asked for"
    assert "2; 1 of 3 dropped" in news(up, "sources")
    assert "filtered: filter 1: drop words crypto" in news(up, "why", f"{site.url}/weblog/2")
    assert "1 of 4 items of the last 7 days" in news(up, "filter", "test")

    wait_for(up, lambda: read_json(up, "alert", "list")[0]["waiting"] == 0)
    for n in (1, 3):
        told = news(up, "why", f"{site.url}/weblog/{n}")
        assert all(f"alert budgets to {name}" in told for name in ("me", "team", "file"))
    told = " ".join(news(up, "why", f"{site.url}/paper/1").split())
    assert "alert budgets to me ended not sent: its words do not fit; it is of another source" in told
    sent = read_json(up, "alert", "list")[0]["sent"]
    stories = {one["url"]: one for one in read_json(up, "stories")}
    events = {stories[f"{site.url}/weblog/{n}"]["cluster_id"] or n for n in (1, 3)}
    assert sent == 3 * len(events), "each event once to each receiver"
    done = [asked for asked in site.asked if asked.path == "/hook"][-1]
    assert json.loads(done.body)["type"] == "alert"
    assert done.headers["webhook-signature"].startswith("v1,")
    assert 0 < float(up.python(LATEST)) < 60, "seconds from the analysis to the message"
    before = len(mail.mails), site.times("/hook"), said.read_text()
    number = str(stories[f"{site.url}/weblog/1"]["number"])
    story = read_json(up, "story", number)["id"]
    again = run(up, "zeke-jobs", "send", "analyze-story", f"story_id={story}", "trigger=manual", "--wait")
    assert again.returncode == 0, again.stderr
    assert run(up, "zeke-jobs", "jobs", "--task", "deliver-alert", "--status", "created", "--json").stdout.strip() in {
        "",
        "[]",
    }
    assert (len(mail.mails), site.times("/hook"), said.read_text()) == before
