"""In a week with ``zeke-jobs up``, addresses become stories, digests and alerts; ``why`` explains why some do not."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from actors.outcomes import IN_FLIGHT
from tests.acceptance.running import Up, up_in_a_folder
from tests.actors.conftest import mail_server, site
from tests.actors.engine.test_newsletters import SECRET, letter
from tests.actors.imap_server import ImapServer
from tests.actors.mail_server import MailServer
from tests.actors.scripted_site import Answer, Asked, Site, page, paragraphs, rss
from tests.actors.sources.test_feeds_text_counts import VTT
from tests.fleet import ROOT, eventually
from tests.lab.quality.corpora import CORPUS

__all__ = ["mail_server", "site"]


def article(name: str, n: int) -> str:
    body = "".join(
        f"<p>The {name} team measured release {n} of its {name} engine for {k} weeks, because latency of {name} number "
        f"{n * 31 + k} had doubled. It fell by {k + n} percent on Postgres once retries had a budget, said engineer {k}.</p>"
        for k in range(2, 9)
    )
    return page(f"Release {n} of {name} has a retry budget", body)


def feed(url: str, name: str, items: int) -> str:
    entries = "".join(
        f"<item><guid>{name}-{n}</guid><title>Release {n} of {name} has a retry budget</title><link>{url}/{name}/{n}</link>"
        f"<pubDate>{format_datetime(datetime.now(UTC) - timedelta(minutes=n))}</pubDate></item>"
        for n in range(1, items + 1)
    )
    return f'<rss version="2.0"><channel><title>The {name}</title><link>{url}</link>{entries}</channel></rss>'


@contextmanager
def up_with(changes: dict[str, str], **env: str) -> Iterator[Up]:
    text = (ROOT / "jobs.yaml").read_text()
    for old, new in changes.items():
        text = text.replace(old, new, 1)
    with up_in_a_folder({"jobs.yaml": text}, **env) as made:
        made.start()
        made.wait_for("Worker process is ready")
        yield made


def news(up: Up, *command: str) -> str:
    done = up.here("zeke-news", *command, apart=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr, up.text[-3000:])
    return done.stdout


def read_json(up: Up, *command: str) -> Any:
    return json.loads(news(up, *command, "--json"))


#: Digests are sent by mail and written as Markdown.
DIGESTS = """\
      folder: digests
      mail: {{host: 127.0.0.1, port: {mail}, security: none, from: news@a.example, to: [ada@b.example]}}
      # folder: /srv/digests"""
COOKIE = "c00kie-of-ada"
ALERTS = ("budgets to me", "budgets to team", "budgets to file", "walks to file")
REAL = CORPUS / "feeds" / "news" / "theverge_com.xml"
ENGINE = """\
    allow_networks: [127.0.0.0/8]
    sites:
      "{site}": {{cookies: {{id: "${{ADAS_COOKIE}}"}}, text: .text, remove: .ad, at_once: 4}}
      "{real}": {{feed_is_enough: true}}
    mailboxes: {{mine: {{host: 127.0.0.1, port: {imap}, security: none, user: ada, password: "${{ADAS_PASSWORD}}"}}}}
    kind: local #"""
RECEIVERS = """\
    settings:
      receivers:
        me: {{mail: {{host: 127.0.0.1, port: {mail}, security: none, from: news@a.example, to: [ada@b.example]}}}}
        team: {{webhook: {{url: "http://{site}/hook", secret: "${{ADAS_COOKIE}}", allow_networks: [127.0.0.0/8]}}}}
        file: {{command: [sh, -c, "cat >> alerts.txt"]}}
    # receivers:"""
DELAYS = """
import os, psycopg2
with psycopg2.connect(os.environ["DATABASE_URL"]) as conn, conn.cursor() as cursor:
    cursor.execute("SELECT max(extract(epoch FROM t.sent_at - o.analyzed_at)) FROM alert_stories AS t"
        " JOIN story_overlays AS o USING (story_id) WHERE receiver <> 'team'")
    print(cursor.fetchone()[0])
"""


@pytest.fixture
def imap(site: Site) -> Iterator[ImapServer]:
    """Serve three mails: one has a link to the web, one has no link, and one is from a sender that a filter drops."""
    with ImapServer(password=SECRET) as running:
        view = f'<a href="{site.url}/letter">View in browser</a>'
        bodies = {1: {"link": view}, 2: {"body": paragraphs("the letter")}, 3: {"sender": "Eve <eve@e.example>"}}
        running.folders["Letters"] = {n: letter(n, **given) for n, given in bodies.items()}
        yield running


def whole_week(site: Site) -> None:
    """Serve two feeds, a page behind a cookie, a podcast with a transcript, and a real feed; the webhook is down."""

    def for_readers(asked: Asked) -> Answer:
        text = f"<div class=text>{paragraphs('it')}<p class=ad>Buy it now.</p></div>"
        is_known = asked.headers.get("cookie") == f"id={COOKIE}"
        return Answer(page("For readers only", text)) if is_known else Answer(status=403)

    url = site.url
    weblog = feed(url, "weblog", 3).replace("Release 2 of weblog", "Crypto in release 2")
    paper = feed(url, "paper", 1).replace("Release 1 of paper has a retry budget", "A walk")
    audio = f'<enclosure url="{url}/1.mp3" type="audio/mpeg"/>'
    audio += f'<podcast:transcript url="{url}/1.vtt" type="text/vtt"/>'
    cast = rss(("1", "Episode 1", f"{url}/episode"), extra=audio)
    link = '<link rel="alternate" type="application/rss+xml" href="/weblog.xml">'
    site.pages |= {
        "/": Answer(page("Weblog", "x", link)),
        "/weblog.xml": Answer(weblog),
        **{f"/weblog/{n}": Answer(article("weblog", n)) for n in range(1, 4)},
        "/paper.xml": Answer(paper),
        "/paper/1": Answer(page("A walk", paragraphs("a walk through the woods"))),
        "/news": Answer(page("News", '<h2><a href="/paid">A link</a></h2><a href="/about">x</a>')),
        "/paid": for_readers,
        "/letter": Answer(page("A letter", f"<div class=text>{paragraphs('the letter on the web')}</div>")),
        "/cast": Answer(cast),
        "/1.vtt": Answer(VTT, content_type="text/vtt"),
        "/hook": Answer(status=503, headers={"Retry-After": "1"}),
    }
    if REAL.is_file():
        real = REAL.read_text().replace("https://www.theverge.com", url.replace("127.0.0.1", "localhost"))
        site.pages["/real.xml"] = Answer(real, content_type="application/atom+xml")


def test_a_readers_week(site: Site, imap: ImapServer, mail_server: MailServer) -> None:
    whole_week(site)
    host = site.url.removeprefix("http://")
    real_host = host.replace("127.0.0.1", "localhost")
    places = {"site": host, "real": real_host, "imap": imap.port, "mail": mail_server.port}
    changes = {
        "    kind: local #": ENGINE.format(**places),
        "      # filters:": "      filters: [{drop: {author: [Eve, Verge Staff]}}]\n      # filters:",
        "    # settings:\n    #   receivers:": RECEIVERS.format(**places),
        "      # folder: /srv/digests": DIGESTS.format(**places),
    }
    with up_with(changes, ADAS_COOKIE=COOKIE, ADAS_PASSWORD=SECRET) as up:
        said = [news(up, "site", "test", f"{site.url}/paid")]
        assert "without a rule:\n  forbidden: " in said[0]
        assert "'.ad' removes 1, '.text' finds 1" in " ".join(said[0].split())
        added = news(up, "filter", "add", "drop", "--words", "crypto in release")
        assert 'added filter 1: drop words "crypto in release"' in added
        news(up, "alert", "add", "budgets", '"retry budget" source:weblog', *("--to=me", "--to=team", "--to=file"))
        news(up, "alert", "add", "walks", "walk", "--to=file")
        real = [("real.xml",)] if REAL.is_file() else []
        for path, *more in ("",), ("paper.xml",), ("cast",), *real, ("news", "--select", "h2 a"):
            said += [news(up, "sources", "add", f"{site.url}/{path}", *more)]
        said += [news(up, "sources", "add", "imap://mine/Letters")]

        # ── the items become stories, except those that a rule drops
        def is_filed() -> bool:
            counts = [row["articles"].keys() for row in read_json(up, "sources")]
            return all(kinds - IN_FLIGHT == kinds > set() for kinds in counts)

        eventually(is_filed, 90, up, every=0.2)
        eventually(lambda: not read_json(up, "stories", "--state", "pending"), 90, up, every=0.2)
        stories = {one["title"]: one for one in read_json(up, "stories", "--limit", "100")}
        ours = {"A walk", "Episode 1", "For readers only", "Letter 1", "Letter 2"}
        ours |= {f"Release {n} of weblog has a retry budget" for n in (1, 3)}
        assert {name for name in stories if real_host not in (stories[name]["url"] or "")} == ours
        assert len(stories) == len(ours) + (8 if REAL.is_file() else 0)
        for title, begins in {
            "Episode 1": "Ada Lovelace: Guest 1",
            "For readers only": "Paragraph 1 says that it",
            "Letter 1": "Paragraph 1 says that the letter on the web",
            "Letter 2": "Paragraph 1 says that the letter was",
        }.items():
            told = read_json(up, "story", str(stories[title]["number"]), "--text")["text"]
            assert (told.startswith(begins), "Buy it" in told) == (True, False), title
        asked = {one.path for one in site.asked}
        assert not {"/weblog/2", "/about"} & asked, "what is dropped or not selected costs no page"
        assert not [one for one in site.asked if one.headers["host"] == real_host], "its feed is enough"
        assert 'filtered: filter 1: drop words "crypto in release"' in news(up, "why", f"{site.url}/weblog/2")
        assert "filtered: jobs.yaml 1: drop author Eve" in news(up, "why", "<3@a.example>")
        dropped = {row["name"]: row["articles"].get("filtered", 0) for row in read_json(up, "sources")}
        assert (dropped["The weblog"], dropped["Letters"]) == (1, 1)

        # ── each alert arrives once, even at the receiver that was down
        eventually(lambda: site.times("/hook") >= 2, 90, up, every=0.2)
        refused = site.times("/hook")
        site.pages["/hook"] = Answer(status=204)
        eventually(lambda: not any(row["waiting"] for row in read_json(up, "alert", "list")), 90, up, every=0.2)
        assert 0 < float(up.python(DELAYS)) < 60, "seconds from the analysis to the message"
        bodies = (one.message.get_body(("plain",)) for one in mail_server.mails)
        said += ["".join(body.get_content() for body in bodies if body), (up.folder / "alerts.txt").read_text()]
        sent = [re.findall(r"^\d+\. ([^\r\n]+)", text, re.MULTILINE) for text in said[-2:]]
        got = [one for one in site.asked if one.path == "/hook"][refused:]
        sent += [[entry["title"] for one in got for entry in json.loads(one.body)["entries"]]]
        releases = [title for title in stories if "weblog" in title]
        events = {stories[title]["cluster_id"] or title for title in releases}
        assert [sorted(set(titles)) for titles in sent] == [sorted(titles) for titles in sent], "each once"
        assert [len(set(titles) & set(releases)) for titles in sent] == [len(events)] * 3, "one of each event"
        assert [set(titles) - set(releases) for titles in sent] == [set(), {"A walk"}, set()]
        assert all(one.headers["webhook-signature"].startswith("v1,") for one in got)
        for title, story in stories.items():
            (item,) = read_json(up, "why", str(story["number"]))["items"]
            fates = {step["name"]: step["detail"] for step in item["steps"] if step["name"].startswith("alert")}
            assert fates.keys() == {f"alert {name}" for name in ALERTS}
            for name, fate in fates.items():
                is_sent = title in releases or (title == "A walk" and name.endswith("to file"))
                same = r"story \d+ is about the same event: "
                reason = f"({same})?sent " if is_sent else f"{same}|not sent: its? "
                assert re.match(reason, fate), (title, name, fate)

        # ── a digest is delivered exactly once on each channel, and a command refreshes a source
        today, mails = datetime.now(UTC).date().isoformat(), len(mail_server.mails)
        for delivered in (2, 0):
            done = up.here("zeke-jobs", "send", "deliver-digest", f"ends_on={today}", "--wait", apart=True)
            assert json.loads(done.stdout)["delivered"] == delivered, (done.stdout, done.stderr)
        (received,) = mail_server.mails[mails:]
        assert received.message["Subject"].startswith(f"The day to {today}: ")
        written = (up.folder / "digests" / f"day-{today}.md").read_text()
        assert (f"](<{site.url}/" in written, written) == (True, news(up, "digest", "--format", "markdown"))
        assert site.url in news(up, "feed")
        assert "none is left" in news(up, "sources", "backfill", "The weblog")
        del site.pages["/paper.xml"]
        failed = up.here("zeke-news", "sources", "refresh", "The paper", apart=True)
        assert (failed.returncode, "could not be read" in failed.stdout) == (1, True)
        assert "answers 404" in failed.stdout
        site.pages["/weblog.xml"] = Answer(feed(site.url, "weblog", 4))
        assert "The weblog: 1 new" in news(up, "sources", "refresh", "The weblog")
        said += [news(up, "sources", "health"), up.run("zeke-jobs history"), up.text]
        assert [one for one in said if COOKIE in one or SECRET in one] == []
