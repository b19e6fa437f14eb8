"""Commands add, try, rename, merge and remove sources."""

import io
import json
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from actors.outcomes import Outcome
from actors.store import clusters, items, sources, uploads
from actors.store.items import NewItem
from tests.actors.cli.conftest import JOBS
from tests.actors.conftest import News
from tests.actors.database import end_items, execute
from tests.actors.engine.test_newsletters import SECRET, letter
from tests.actors.imap_server import ImapServer
from tests.actors.scripted_site import Answer, Asked, Site, page, paragraphs, rss

ENGINE = """version: 1
services: {engine: {use: actors.engine:Settings, %s}}
tasks: {a: {handler: actors.stories.status:stories_update_status}}
"""


def three(site: Site, name: str = "A weblog") -> Answer:
    entries = [(f"{name} {n}", f"Entry {n} of {name}", f"{site.url}/{name}/{n}".replace(" ", "-")) for n in range(3)]
    return Answer(rss(*entries).replace("A feed", name))


def head(*paths: str) -> str:
    return "".join(f'<link rel="alternate" type="application/rss+xml" href="{path}">' for path in paths)


def test_a_page_becomes_a_source_that_is_read_at_once(news: News, in_force: Any, site: Site, rows: Any) -> None:
    site.pages |= {"/": Answer(page("A weblog", "x", head("/feed"))), "/feed": three(site)}
    out = news("sources", "add", site.url, "--folder", "Tech/Python")
    assert out.startswith("added rss  A weblog  ")
    assert f"{site.url}/feed" in out
    assert "Entry 0 of A weblog" in out
    (row,) = news.json("sources")
    assert (row["url"], row["folder"]) == (f"{site.url}/feed", ["Tech", "Python"])
    rest = f"the others too: zeke-news sources backfill {row['id'][:8]} --items 1"
    assert f"the newest 2 of 3 items become stories; {rest}" in out
    assert "no worker runs: zeke-jobs up starts them" in out
    job = {"task": "ingest-source", "data": {"source_id": row["id"], "reason": "manual"}}
    sent = "SELECT name AS task, data FROM zeke_jobs.job"
    assert rows(sent) == [job]
    for address in (site.url, f"{site.url}/feed", f" {site.url}/feed#latest "):
        assert news("sources", "add", address).startswith("already there: rss  A weblog")
    assert rows(sent) == [job]


def test_one_feed_at_two_addresses_is_told_and_of_several_feeds_one_is_chosen(
    news: News, in_force: Any, site: Site, conn: Any
) -> None:
    site.pages |= {"/feed": three(site), "/rss": three(site), "/other": three(site, "Another")}
    first = news.json("sources", "add", f"{site.url}/feed")
    put = """INSERT INTO raw_items (source_id, external_id, url)
      SELECT %s, 'A weblog ' || n, %s || '/A-weblog/' || n FROM generate_series(0, 4) AS n"""
    execute(conn, put, first["id"], site.url)
    out = news("sources", "add", f"{site.url}/rss")
    (second,) = [row for row in news.json("sources") if row["id"] != first["id"]]
    told = f"A weblog has all of these: where it is the same feed, zeke-news sources merge {second['id'][:8]} {first['id'][:8]}"
    assert told in out
    assert "has all of these" not in news("sources", "add", f"{site.url}/other")
    news("sources", "merge", second["id"], first["id"])
    # If a site has several feeds, the user chooses one.
    site.pages |= {"/a": three(site, "Tech"), "/b": three(site, "Sport")}
    site.pages["/"] = Answer(page("Paper", "x", head("/a", "/gone", "/b")))
    news("sources", "add", site.url, status=1, has=("2 feeds are there:", "1  rss  Tech", "2  rss  Sport"))
    assert len(news.json("sources")) == 2
    choices = json.loads(news("sources", "add", site.url, "--json", status=1))["choices"]
    assert [one["name"] for one in choices] == ["Tech", "Sport"]
    assert "added rss  Sport" in news("sources", "add", site.url, "--pick", "2")
    news("sources", "add", site.url, "--pick", "3", status=2)


def test_the_unreadable_is_not_added(news: News, in_force: Any, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages["/big"] = Answer(rss(("1", "One", "http://a.example/")) + " " * 30_000)
    blocked = "services.engine.allow_networks: [127.0.0.0/8] in jobs.yaml would allow it\n  help: zeke-jobs apply puts"
    for settings, path, words in (
        ("allow_networks: [127.0.0.0/8]", "/nothing", "answers 404"),
        ("allow_networks: []", "/", blocked),
        ("allow_networks: [127.0.0.0/8], feed_bytes: 2000", "/big", "help: services.engine.feed_bytes in jobs.yaml"),
    ):
        in_force(ENGINE % settings)
        said = news("sources", "add", f"{site.url}{path}", status=1)
        assert said.startswith(f"error: {site.url}{path} cannot be read: ")
        assert words in said
    assert news.json("sources") == []
    monkeypatch.setenv("ENGINE_TOKEN", "x")
    in_force(ENGINE % "token: '${ENGINE_TOKEN}'")
    monkeypatch.delenv("ENGINE_TOKEN")
    said = news("sources", "add", "https://a.example/", status=2)
    assert "expected what services.engine names in the environment, got nothing: ENGINE_TOKEN" in said


def test_an_address_is_added_before_a_jobs_yaml_is_in_force(news: News, jobs_yaml: Any, site: Site, conn: Any) -> None:
    site.pages["/feed"] = three(site)
    assert "can be read: rss  A weblog" in news("sources", "test", f"{site.url}/feed")
    assert news.json("sources", "test", f"{site.url}/feed")[0]["items"] == 3
    assert sources.listing(conn) == []
    assert "no jobs.yaml with ingest-source is in force yet" in news("sources", "add", f"{site.url}/feed")
    assert len(sources.listing(conn)) == 1


def test_a_refresh_that_is_put_off_or_without_a_worker_or_of_a_source_that_is_off_or_by_hand_says_so(
    news: News, in_force: Any, conn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    news("sources", "add", "--no-check", "https://b.example/feed", "--name", "B")
    for command in (("refresh",), ("refresh", "B"), ("backfill", "B")):
        assert "sent, but no worker runs: zeke-jobs up starts them" in news("sources", *command, status=1)
    worker = "INSERT INTO zeke_jobs.worker (id, kind, host, pid, version, queues) VALUES (gen_random_uuid(), 'worker', 'h', 1, '0', '{default}')"
    execute(conn, worker)
    with monkeypatch.context() as patch:
        patch.setattr(zeke_jobs, "send", partial(zeke_jobs.send, delay=3600))
        assert "B: could not be read: not yet, in 59m" in news("sources", "refresh", "B", status=1)
    sources.manual(conn, "https://a.example/x")
    news("sources", "off", "B")
    assert "whose items come by hand" in news("sources", "refresh", "a.example", status=1)
    assert "expected a source that is on, got 'B'; zeke-news sources on" in news("sources", "refresh", "B", status=1)


@pytest.fixture
def told_twice(conn: Connection, add_story: Any) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID, uuid.UUID]:
    """Add two sources that share a story; return (first source, second source, story of the first, shared story)."""
    first = uuid.uuid4()
    own, shared = (add_story(f"Text {n}", source=first, title=f"Title {n}") for n in range(2))
    second, _ = sources.add(conn, "rss", "https://b.example/feed", name="Second")
    copy = items.add(conn, second, NewItem(external_id="copy", url="https://b.example/copy"))
    end_items(conn, "stored")
    items.decide(conn, [copy.id], Outcome.DUPLICATE, story_id=shared)
    clusters.unite(conn, [own, shared])
    return first, second, own, shared


def test_a_removed_source_takes_its_stories_along_but_not_those_that_others_tell(
    news: News, told_twice: Any, rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, own, shared = told_twice
    assert own
    monkeypatch.setattr("sys.stdin", io.StringIO())
    shown = ("expected --yes without a terminal", "2 items, 1 stories of its own (0 starred)")
    news("sources", "remove", str(first), status=1, has=shown)
    assert len(rows("SELECT id FROM stories")) == 2
    assert "1 stories stay with other sources that have them" in news("sources", "remove", str(first), "--yes")
    assert rows("SELECT id, primary_source_id FROM stories") == [{"id": str(shared), "primary_source_id": str(second)}]
    assert rows("SELECT outcome FROM item_outcomes") == [{"outcome": "stored"}]
    (cluster,) = rows("SELECT primary_story_id, metrics FROM story_clusters")
    assert cluster == {"primary_story_id": str(shared), "metrics": {"stories": 1, "sources": 1}}


def test_a_merged_source_keeps_all_its_stories(news: News, told_twice: Any, rows: Any, conn: Any) -> None:
    first, second, *_ = told_twice
    items.add(conn, first, NewItem(external_id="copy", url="https://a.example/copy"))
    execute(conn, 'UPDATE sources SET metadata = \'{"teams": ["a", "b"]}\' WHERE id = %s', first)
    execute(conn, 'UPDATE sources SET metadata = \'{"teams": ["b"], "x": 1}\' WHERE id = %s', second)
    uploads.save(conn, first, [])
    assert "3 items moved to Second" in news("sources", "merge", str(first), "Second")
    assert rows("SELECT id, metadata FROM sources") == [{"id": str(second), "metadata": {"teams": ["a", "b"], "x": 1}}]
    assert len(rows("SELECT id FROM stories WHERE primary_source_id = %s", str(second))) == 2
    assert len(rows("SELECT id FROM raw_items")) == 4
    assert rows("SELECT source_id FROM uploads") == [{"source_id": str(second)}]
    assert rows("SELECT metrics FROM story_clusters") == [{"metrics": {"stories": 2, "sources": 1}}]
    news("sources", "merge", "Second", "Second", status=2)


def test_a_page_is_added_by_a_selector_and_shows_its_links(news: News, in_force: Any, site: Site, rows: Any) -> None:
    entries = "".join(f'<article><h2><a href="/{n}">Entry {n}</a></h2></article>' for n in range(3))
    site.pages["/news"] = Answer(page("The news", entries))
    select = ("--select", "article h2 a")
    news("sources", "add", f"{site.url}/news", status=1)
    assert "can be read: page  The news" in news("sources", "test", f"{site.url}/news", *select)
    out = news("sources", "add", f"{site.url}/news#top", *select)
    assert out.startswith("added page  The news  ")
    assert "Entry 0" in out
    assert "the newest 2 of 3 items become stories" in out
    address = f"{site.url}/news#select=article%20h2%20a"
    assert news("sources", "add", address).startswith("already there: page  The news")
    assert rows("SELECT type, url FROM sources") == [{"type": "page", "url": address}]
    for selector, status, words in (
        ("article >> a", 2, "expected a CSS selector"),
        ("h3 a", 1, "'h3 a' finds no elements"),
    ):
        said = news("sources", "add", f"{site.url}/news", "--select", selector, status=status)
        assert words in " ".join(said.replace("│", "").split())
    assert news("sources", "export").count("<outline") == 0


def test_a_folder_of_a_mailbox_is_added(news: News, in_force: Any, rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAS_PASSWORD", SECRET)
    with ImapServer(password=SECRET, folders={"News": {n: letter(n) for n in range(1, 4)}}) as imap:
        mailbox = f'host: 127.0.0.1, port: {imap.port}, security: none, user: ada, password: "${{ADAS_PASSWORD}}"'
        in_force(JOBS.replace("feed_timeout: 5s", f"mailboxes: {{mine: {{{mailbox}}}}}"))
        assert "can be read: newsletter  News" in news("sources", "test", "imap://mine/News")
        assert "Letter 3" in news("sources", "add", "imap://mine/News", "--name", "Letters")
        assert rows("SELECT type, url FROM sources") == [{"type": "newsletter", "url": "imap://mine/News"}]
        assert news("sources", "add", "imap://mine/News").startswith("already there: newsletter  News")
        imap.password = "another"
        said = news("sources", "add", "imap://mine/Other", status=1)
        assert "imap://mine/Other cannot be read: 127.0.0.1 refuses the login of ada" in said
        assert "help:" not in said
        news("sources", "add", "imap://mine/A", "--select", "a", status=2)


def test_a_rule_is_shown_with_what_each_part_gives_and_no_secret(
    news: News, in_force: Any, site: Site, monkeypatch: pytest.MonkeyPatch, jobs_yaml: Path
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.headers.get("cookie") != "session=s3cret-of-ada":
            return Answer(status=403)
        text = f"<div class=text>{paragraphs('it', 2)}<p class=ad>Buy it.</p></div>{paragraphs('more')}"
        return Answer(page("A", text))

    site.pages["/a"] = answer
    monkeypatch.setenv("ADAS_COOKIE", "s3cret-of-ada")
    rule = '{cookies: {session: "${ADAS_COOKIE}"}, text: .text, remove: .ad, pause: 2s, feed_is_enough: true}'
    sites = f'sites: {{"{site.url.removeprefix("http://")}": {rule}}}'
    in_force(JOBS.replace("feed_timeout: 5s", sites))
    out = news("site", "test", f"{site.url}/a")
    for words in (
        "sends cookie session; to this port",
        "at least 2s between two requests",
        "without a rule:\n  forbidden: ",
        "with cookies, remove, text:\n",
        "characters; rule: '.ad' removes 1, '.text' finds 1\n  | Paragraph 1 says that it was",
    ):
        assert words in out, words
    assert "s3cret" not in out
    steps = news.json("site", "test", f"{site.url}/a")["steps"]
    assert [step["with"] for step in steps] == [[], ["cookies", "remove", "text"]]
    jobs_yaml.write_text(JOBS.replace("feed_timeout: 5s", sites.replace("text: .text, ", "")))
    steps = news.json("site", "test", f"{site.url}/a")["steps"]
    assert steps[-1]["with"] == ["cookies", "remove"], "not yet in force"
    monkeypatch.setenv("ADAS_COOKIE", "another")
    news("site", "test", f"{site.url}/a", status=1)
    assert "no rule in services.engine.sites" in news("site", "test", "https://127.0.0.1:1/", status=1)
