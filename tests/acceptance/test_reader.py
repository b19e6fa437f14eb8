"""On a reader's first day with ``zeke-jobs up``, five addresses give stories within a minute, and a digest."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.acceptance.running import Up, up_in_a_folder
from tests.actors.mail_server import MailServer
from tests.actors.scripted_site import Answer, Site, page
from tests.fleet import ROOT, eventually

NEWS = ("weblog", "profile", "releases", "cast", "paper")


def article(name: str, n: int) -> str:
    body = "".join(
        f"<p>The {name} team measured release {n} of its {name} engine for {k} weeks, because latency of {name} number "
        f"{n * 31 + k} had doubled. It fell by {k + n} percent on Postgres once retries had a budget, said engineer {k}.</p>"
        for k in range(2, 9)
    )
    return page(f"Release {n} of {name} has a retry budget", body)


def feed(url: str, name: str, *, days: float, items: int, extra: str = "") -> str:
    entries = "".join(
        f"<item><guid>{name}-{n}</guid><title>Release {n} of {name} has a retry budget</title><link>{url}/{name}/{n}</link>"
        f"<pubDate>{format_datetime(datetime.now(UTC) - timedelta(days=days, minutes=n))}</pubDate>{extra}</item>"
        for n in range(1, items + 1)
    )
    return f'<rss version="2.0"><channel><title>The {name}</title><link>{url}</link>{entries}</channel></rss>'


@pytest.fixture
def site() -> Iterator[Site]:
    """Serve a weblog, a profile, a repository, a podcast and a feed; the weblog's newest entry is 300 days old."""
    with Site() as running:
        url = running.url
        rss = "application/rss+xml"
        for name in NEWS:
            for n in range(1, 13):
                running.pages[f"/{name}/{n}"] = Answer(article(name, n))
        note = "<p>Guest {0} of the cast cut latency by {0} percent on Postgres once retries had a budget.</p>"
        notes = "".join(note.format(k) for k in range(2, 12))
        audio = f'<enclosure url="{url}/1.mp3" type="audio/mpeg" length="9"/>'
        audio += f"<description><![CDATA[{notes}]]></description>"
        link = f'<link rel="alternate" type="{rss}" href="%s">'
        running.pages |= {
            "/": Answer(page("Weblog", "x", link % "/feed/" + link % "/comments/feed/")),
            "/feed/": Answer(feed(url, "weblog", days=300, items=12), content_type=rss),
            "/comments/feed/": Answer(feed(url, "comments", days=0, items=1), content_type=rss),
            "/@ada": Answer(page("Ada", "x", link % "/@ada.rss")),
            "/@ada.rss": Answer(feed(url, "profile", days=0, items=2), content_type=rss),
            "/ada/engine": Answer(page("ada/engine", '<a href="/ada/engine/releases.rss">RSS</a>')),
            "/ada/engine/releases.rss": Answer(feed(url, "releases", days=0, items=2), content_type=rss),
            "/show": Answer(page("Show", "x", link % "/show.xml")),
            "/show.xml": Answer(feed(url, "cast", days=0, items=1, extra=audio), content_type=rss),
            "/paper.xml": Answer(feed(url, "paper", days=0, items=2), content_type="text/html"),
        }
        yield running


@contextmanager
def up_with(changes: dict[str, str], **env: str) -> Iterator[Up]:
    """Start the shipped jobs.yaml with some texts replaced."""
    with up_in_a_folder() as made:
        text = (ROOT / "jobs.yaml").read_text()
        for old, new in changes.items():
            text = text.replace(old, new, 1)
        (made.folder / "jobs.yaml").write_text(text)
        made.env |= env
        made.start()
        made.wait_for("Worker process is ready")
        yield made


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


#: Loopback is allowed, and digests are sent by mail and written as Markdown.
CHANGES = {
    "    kind: local #": "    allow_networks: [127.0.0.0/8]\n    kind: local #",
    "      # folder: /srv/digests": """\
      folder: digests
      mail: {host: 127.0.0.1, port: %d, security: none, from: news@a.example, to: [ada@b.example]}
      # folder: /srv/digests""",
}


@pytest.fixture
def up(mail: MailServer) -> Iterator[Up]:
    with up_with({old: new.replace("%d", str(mail.port)) for old, new in CHANGES.items()}) as made:
        yield made


def news(up: Up, *command: str) -> str:
    done = up.here("zeke-news", *command, apart=True)
    assert done.returncode == 0, (command, done.stdout, done.stderr, up.text[-3000:])
    return done.stdout


def read_json(up: Up, *command: str) -> Any:
    return json.loads(news(up, *command, "--json"))


def test_a_readers_first_day(up: Up, site: Site, mail: MailServer) -> None:
    begin = datetime.now(UTC)
    for path, name in (("/", "weblog"), ("/@ada", "profile"), ("/ada/engine", "releases"), ("/show", "cast"),
                       ("/paper.xml", "paper")):  # fmt: skip
        said = news(up, "sources", "add", f"{site.url}{path}")
        assert re.match(rf"added (rss|podcast)  The {name}  [0-9a-f]{{8}}\n", said), said
        assert f"Release 1 of {name} has a retry budget" in said
        assert "no worker runs" not in said
    # The stories are the weblog's newest ten of twelve old entries, and all entries of the other sources.
    eventually(lambda: sum(bool(one["one_liner"]) for one in read_json(up, "stories")) >= 17, 90, up, every=0.5)
    stories = read_json(up, "stories")
    first = min(datetime.fromisoformat(one["created_at"]) for one in stories)
    assert first - begin < timedelta(minutes=1)
    assert {one["source"] for one in stories} == {f"The {name}" for name in NEWS}
    assert "The weblog: 0 new" in news(up, "sources", "refresh", "The weblog")
    assert re.search(r"^5 read, 0 new items$", news(up, "sources", "refresh"), re.MULTILINE)
    older = news(up, "sources", "backfill", "The weblog")
    assert "2 items are fetched, and become stories unless a filter drops them; none is left" in older

    today = datetime.now(UTC).date().isoformat()
    for delivered in (2, 0):
        done = up.here("zeke-jobs", "send", "deliver-digest", f"ends_on={today}", "--wait", apart=True)
        assert json.loads(done.stdout)["delivered"] == delivered, (done.stdout, done.stderr)
    (received,) = mail.mails
    assert received.to == ["ada@b.example"]
    assert received.message["Subject"].startswith(f"The day to {today}: ")
    written = (up.folder / "digests" / f"day-{today}.md").read_text()
    assert f"](<{site.url}/" in written
    assert written == news(up, "digest", "--format", "markdown")
    assert site.url in news(up, "feed")
    del site.pages["/paper.xml"]
    failed = up.here("zeke-news", "sources", "refresh", "The paper", apart=True)
    assert (failed.returncode, failed.stdout.count("could not be read")) == (1, 1)
    assert "answers 404" in failed.stdout
    site.pages["/paper.xml"] = Answer(feed(site.url, "paper", days=0, items=3), content_type="text/html")
    assert "The paper: 1 new" in news(up, "sources", "refresh", "The paper")
