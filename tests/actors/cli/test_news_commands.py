import json
import re
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actors.cli.app import run
from actors.cli.why import explain
from tests.actors.conftest import News
from tests.actors.database import end_items, execute
from tests.each import cases
from zeke_jobs.postgres import migrate
from zeke_jobs.postgres.pool import connect

ARTICLE = (
    "# Signed packages\n\nThe registry now signs every package that a maintainer uploads. Packages are signed in the "
    "maintainer's own pipeline, so that a stolen token alone is not enough. Mirrors check the signature before they copy a file. "
    "Signed packages rose by 4 % of all uploads in the month of May.\n\nPackages are signed by one call of the registry:\n\n"
    "```python\nimport registry\nregistry.sign()\n```"
)
URL = "https://www.a.example/news/signed?utm_source=feed"


@pytest.fixture
def finished(add_story: Any, run_task: Any) -> uuid.UUID:
    """Add a story that all tasks of the pipeline have processed."""
    story: uuid.UUID = add_story(ARTICLE, title="Registry signs packages", authority=0.9, url=URL)
    for task in ("analyze-story", "generate-brief", "extract-highlights", "score-relevance"):
        run_task(task, {"storyId": story})
    return story


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_source_is_added_once_listed_renamed_and_switched_off(news: News) -> None:
    assert "no sources yet" in news("sources")
    feed = ("sources", "add", "--no-check", "https://a.example/feed.xml")
    assert "added rss  A Feed" in news(*feed, "--name", "A Feed", "--authority", "0.8")
    assert "already there" in news(*feed)
    (row,) = news.json("sources", "list")
    assert (row["name"], row["type"], row["authority_score"], row["is_active"]) == ("A Feed", "rss", 0.8, True)
    assert "A Feed" in news("sources")
    assert "now off" in news("sources", "off", "A Feed")
    assert "already off" in news("sources", "off", row["id"][:8])
    assert "off" in news("sources", "health")
    assert "now on" in news("sources", "on", "https://a.example/feed.xml")
    assert "all sources are well" in news("sources", "health")
    assert "A Feed: now called C" in news("sources", "rename", "A Feed", "C")
    assert "already called C" in news("sources", "rename", "C", "C")
    news("sources", "rename", "C", " ", status=2)


NASTY = "[/b] [red]Half[/red] :warning: 100%"
UNHEALTHY = "INSERT INTO source_health (source_id, status, message) SELECT id, 'error', %s FROM sources"
PUT = """INSERT INTO zeke_jobs.queue (message_id, queue_name, state, message)
  VALUES (gen_random_uuid(), 'default', %s, %s)"""


def test_what_strangers_write_is_shown_as_it_is_and_commands_no_terminal(
    news: News, finished: uuid.UUID, conn: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    hostile = f"{NASTY}\x1b]0;owned\x07\x9b2J\x7f\u202e\u2028[/b]\nforged"
    end_items(conn, "fetch_failed")
    tables = ["sources", "stories", "raw_items", "story_overlays", "highlights", "item_outcomes"]
    texts = """SELECT table_name, column_name FROM information_schema.columns WHERE table_name = ANY (%s) AND data_type = 'text'
        AND column_name IN ('name', 'title', 'summary', 'detail', 'quote', 'why_it_matters', 'brief_one_liner', 'brief_two_liner',
        'brief_elevator')"""
    for table, column in execute(conn, texts, tables):
        execute(conn, f"UPDATE {table} SET {column} = %s", hostile)
    execute(conn, UNHEALTHY, hostile)
    shown = (["sources"], ["sources", "health"], ["stories"], ["story", str(finished)], ["why", URL])
    others = (["digest"], ["costs"], ["why", hostile], ["sources", "export"], ["sources", "off", hostile])
    seen = ""
    for command in (*shown, *others):
        for form in (command, [*command, "--json"]):
            status = run(form)
            out, err = capsys.readouterr()
            assert status in (0, 1, 2), (form, err)
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]", out + err), (form, out, err)
            if "story" not in command:
                assert "forged" not in out.splitlines(), (form, out)
            if form in shown:
                assert (status, [word for word in NASTY.split() if word not in out]) == (0, []), (form, out)
            seen += out
    assert seen.count("\\x1b]0;owned") > 5


def test_wrong_use_is_told_before_the_database_is_asked(news: News, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    for arguments, message in (
        (("sources", "add", "no address"), "expected an http or https address, got 'no address'"),
        (("sources", "test", "ftp://a.example/"), "expected an http or https address"),
        (("sources", "add", "https://a.example", "--type", "atom"), "expected one of rss, podcast, youtube_channel"),
        (("stories", "--since", "soon"), "soon"),
        (("stories", "--team", "us"), "a valid UUID"),
        (("stories", "--nope"), "--nope"),
        (("frobnicate",), "frobnicate"),
    ):
        assert message in flat(news(*arguments, status=2))


def test_what_is_not_there_is_told_and_where_to_look(news: News) -> None:
    story = "expected the number or id of a story, got"
    for command, message in (
        ("sources off nobody", "expected the id, address or name of a source, got 'nobody'; see zeke-news sources"),
        ("story ffffffff", f"{story} 'ffffffff'; see zeke-news stories"),
        ("story %", f"{story} '%'"),
        ("why 77", f"{story} '77'"),
        *((f"{verb} 7", f"{story} '7'; see zeke-news stories") for verb in ("read", "star", "archive")),
    ):
        assert message in news(*command.split(), status=1)


def test_without_a_database_or_its_tables_the_remedy_is_named(
    news: News, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = new_database()
    with closing(connect(url)) as conn:
        migrate.migrate(conn)
    monkeypatch.setenv("DATABASE_URL", url)
    said = news("stories", status=2)
    assert re.search(r"without \d+ migrations", said)
    assert "run: zeke-jobs migrate, in a folder whose jobs.yaml has the line migrations: [actors.store]" in said
    monkeypatch.setenv("ZEKE_JOBS_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL")
    assert "DATABASE_URL" in news("stories", status=2)


def test_stories_are_filtered(news: News, finished: uuid.UUID) -> None:
    found = ["--source feed", "--since 1h", "--min-chili 1", "--state extractive", "--leads", "--unread"]
    found += [f"--team {uuid.UUID(int=7)} --unread"]
    for filters in (*found, "--source other", "--min-chili 5", "--state completed", "--archived", "--starred"):
        rows = news.json("stories", *filters.split())
        assert [row["id"] for row in rows] == [str(finished)] * (filters in found), filters


def test_a_story_is_shown_in_full_also_without_weights(
    news: News, finished: uuid.UUID, conn: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    to_copy = ("http", "zeke-jobs send")  # Addresses and commands are not wrapped, so that people can copy them.
    for command in (["stories"], ["story", str(finished)], ["why", str(finished)], ["sources", "health"]):
        lines = [line for line in news(*command).splitlines() if not any(mark in line for mark in to_copy)]
        assert all(len(line) <= 80 for line in lines), command
    told = flat(news("story", str(finished)[:8]))
    words = (
        *("Registry signs packages", "authority 0.9 ·", "taken from the story itself", "two lines", "elevator"),
        *("pipeline, so that a stolen token alone is not enough.", "registry.sign()", "one source reports it"),
        "metric Signed packages rose by 4 % of all uploads in the month of May.",
        "kind 0.9 (metric) * 0.3 + authority 0.9 * 0.2 + freshness 1 * 0.1",
        "authority 0.90 * 0.3 Feed is trusted with 0.9 ",
    )
    assert [one for one in words if one not in told] == []
    row = news.json("story", str(finished))
    assert row["highlights"][0]["metadata"]["relevance"]["score"] > 0
    assert row["source"] == "Feed"
    breakdown = "(citations -> 'breakdown') - 'found' - 'weights'"
    execute(conn, f"UPDATE story_overlays SET citations = jsonb_set(citations, '{{breakdown}}', {breakdown})")
    relevance = "(metadata -> 'relevance') - 'weights' - 'keywords' #- '{parts,kind}'"
    execute(conn, f"UPDATE highlights SET metadata = jsonb_set(metadata, '{{relevance}}', {relevance})")
    told = flat(news("story", str(finished)))
    others = (
        "authority 0.90 Feed is trusted with 0.9 ",
        "none of the keywords is in it",
        "(none) + authority 0.9 + freshness 1",
    )
    assert [one for one in others if one not in told] == []


def test_why_follows_an_article_or_letter_by_any_address(news: News, finished: uuid.UUID, conn: Any, rows: Any) -> None:
    end_items(conn, "stored")
    execute(conn, "INSERT INTO raw_items (source_id, external_id) SELECT id, '1' FROM sources")
    execute(conn, "UPDATE stories SET summary = NULL")
    out = news("why", "http://a.example/news/signed/")
    steps = dict(line.split()[:2] for line in out.splitlines() if line.startswith("  "))
    done = ("found", "text", "story", "analysis", "highlights", "brief")
    assert list(steps.items()) == [*((name, "done") for name in done), ("summary", "missing")]
    text = {"name": "text", "state": "done", "detail": "stored"}
    assert news.json("why", URL)["items"][0]["steps"][1] == text
    news("why", "https://a.example/news/sign", status=1)
    for name in (str(row := rows("SELECT number FROM story_index")[0]["number"]), f"#{row}", str(finished)[:8]):
        assert [one["url"] for one in news.json("why", name)["items"]] == [URL], name
    # A mail is found by its folder or message id.
    execute(conn, "DELETE FROM raw_items WHERE url IS NULL")
    execute(conn, "UPDATE raw_items SET url = NULL, title = 'A letter', external_id = '<1@a.example>'")
    execute(conn, "UPDATE sources SET type = 'newsletter', url = 'imap://mine/News'")
    for name in ("imap://mine/News", "<1@a.example>"):
        assert "A letter" in news("why", name)
    said = news("why", "imap://mine/Other", status=1)
    assert ("its site has a source" in said, "ingest-oneoff" in said) == (True, False)


def test_why_names_the_job_that_is_waited_for(news: News, finished: uuid.UUID, conn: Any) -> None:
    end_items(conn, "stored")
    jobs: list[tuple[str, dict[str, str], str]] = [
        ("analyze-story", {}, "analysis  "),
        ("embed-story", {}, "event     "),
    ]
    for task, payload, step in (*jobs, ("analyze-story", {"trigger": "alone"}, "event     ")):
        execute(conn, "DELETE FROM zeke_jobs.queue")
        kwargs = {"story_id": str(finished), **payload}
        execute(conn, PUT, "queued", json.dumps({"actor_name": task, "kwargs": kwargs}))
        said = news("why", URL)
        assert (f"{step} waiting  {task} is created" in said, said.count(" waiting ")) == (True, 1)


def test_why_helps_where_nothing_is_known_and_says_what_is_wrong_with_an_address(news: News, conn: Any) -> None:
    news("sources", "add", "--no-check", "https://a.example/feed.xml", "--name", "A Feed")
    said = news("why", "https://a.example/unheard-of", status=1)
    assert "its site has a source: A Feed (not read yet, never read)" in said
    assert "no source covers its site" in news("why", "https://b.example/x", status=1)
    execute(conn, UNHEALTHY, "not_found: 404")
    execute(conn, PUT, "rejected", json.dumps({"actor_name": "ingest-oneoff", "kwargs": {"url": "mailto:x"}}))
    error = json.dumps([{"error": {"type": "Reject", "message": "invalid_url: expected a web address"}}])
    execute(conn, "UPDATE zeke_jobs.queue SET attempts = %s, completed_on = now()", error)
    said = news("why", "https://www.a.example/feed.xml", status=1)
    assert "it is the address of a source: A Feed (error, never read): not_found: 404" in said
    news("why", "mailto:x", has=("job ingest-oneoff is failed", "invalid_url: expected a web address"))


def test_costs_are_added_up_and_the_unknown_stays_unknown(news: News, finished: uuid.UUID, conn: Any) -> None:
    assert "no AI calls" in news("costs")
    call = """INSERT INTO ai_calls (day, operation, story_id, job_id, task, model_asked, outcome, cost_usd, input_tokens,
      settled_at) VALUES (current_date, 'brief', %s, gen_random_uuid(), 'generate-brief', %s, %s, %s, 100, now())"""
    for ended in (("m", "ok", "0.0125"), ("m", "cached", "0"), ("x", "ok", None), ("m", "invalid", "0.01")):
        execute(conn, call, finished, *ended)
    names = ("name", "calls", "cached", "failed", "unknown", "cost_usd")
    rows = [tuple(row[name] for name in names) for row in news.json("costs", "--by", "model")]
    assert rows == [("m", 3, 1, 1, 0, 0.0225), ("x", 1, 0, 0, 1, None)]
    assert " ? " in news("costs", "--by", "model").replace("\n", " ")
    for by in ("day", "task", "story", "outcome"):
        assert "0.0225" in news("costs", "--by", by) or by == "outcome"
    assert "US$ 0.0225 in 4 calls and 1 calls of unknown price" in flat(news("story", str(finished)[:8]))
    news("costs", "--story", "ffff", status=1)


def test_a_digest_is_shown_or_how_to_make_one(news: News, finished: uuid.UUID, run_task: Any) -> None:
    assert "zeke-jobs send deliver-digest" in news("digest", status=1)
    run_task("generate-brief", {"period": "day", "endsOn": datetime.now(UTC).date().isoformat()})
    news("digest", has=("1 event", "Registry signs packages"))
    assert "# The day to" in news("digest", "--format", "markdown")
    assert "<!doctype html>" in news("digest", "--format", "html")
    assert json.loads(news("digest", "--format", "json")) == news.json("digest")
    assert len(news.json("digest")["entries"]) == 1
    news("digest", "--ends-on", "soon", status=2)


WATCH = "https://www.youtube.com/watch"


@cases(
    "stored asked others",
    (f"{WATCH}?v=dQw4w9WgXcQ&t=10s", "https://m.youtube.com/watch?t=10s&v=dQw4w9WgXcQ", f"{WATCH}?v=video{{n:06}}"),
    ("https://news.a.example/item?id=1", "news.a.example/item?id=1", "https://news.a.example/item?id=1{n:06}"),
    ("https://a.example/?p=123", "http://a.example/?utm_source=x&p=123", "https://a.example/?p={n}"),
    ("https://a.example/", "https://a.example", "https://a.example/{n}"),
    ("https://a.example/x?q=gr%C3%BCn", "https://a.example/x?q=grün", "https://b.example/x?q=gr%C3%BCn{n}"),
    ("https://a.example/a%20title%20[draft]", "https://a.example/a title [draft]", "https://b.example/{n}"),
    ("https://a.example/%C3%BCn%C3%AFcode", "https://a.example/ünïcode", "https://b.example/{n}"),
    ("https://a.example/ünïcode", "https://a.example/%C3%BCn%C3%AFcode", "https://b.example/{n}"),
    ("http://localhost:8080/x", "localhost:8080/x", "https://b.example/{n}"),
    ("https://bücher.example/x", "https://xn--bcher-kva.example/x", "https://b.example/x?{n}"),
)
def test_why_finds_an_article_by_its_query(add_story: Any, conn: Any, stored: str, asked: str, others: str) -> None:
    add_story("A text.", url=stored)
    execute(conn, "UPDATE raw_items SET created_at = now() - interval '1 day'")
    urls = [others.format(n=n) for n in range(1_000, 1_300)]
    put = "INSERT INTO raw_items (source_id, external_id, url) SELECT id, u, u FROM sources, unnest(%s) AS u"
    execute(conn, put, urls)
    assert [item["url"] for item in explain(conn, asked)["items"]] == [stored]
