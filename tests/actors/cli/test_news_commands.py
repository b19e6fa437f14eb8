import json
import re
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actors.briefs.generate import BriefSettings, generate_brief
from actors.cli.app import run
from actors.insights.extract import extract_highlights
from actors.insights.relevance import RelevanceSettings, score_relevance
from actors.insights.selection import Selection
from actors.schema import ExtractHighlights, GenerateBrief, ScoreRelevance
from tests.actors.database import execute
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
def news(news: Callable[..., tuple[int, str, str]]) -> Callable[..., tuple[int, str, str]]:
    """Run zeke-news, and check that no line of its output is wider than the terminal."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status, out, err = news(*arguments)
        to_copy = ("http", "zeke-jobs send")  # Addresses and commands are not wrapped, so that people can copy them.
        lines = [line for line in out.splitlines() if not any(mark in line for mark in to_copy)]
        # Output to a pipe has one line for each row of a table, however wide the row is.
        for_programs = {"--json", "--format"} & set(arguments) or arguments == ("sources",)
        assert for_programs or all(len(line) <= 80 for line in lines)
        return status, out, err

    return call


@pytest.fixture
def finished(add_story: Any, analyse: Any, handler_context: Any) -> uuid.UUID:
    """Add a story that all tasks of the pipeline have processed."""
    story: uuid.UUID = add_story(ARTICLE, title="Registry signs packages", authority=0.9)
    analyse(story)
    generate_brief(GenerateBrief(story_id=story), handler_context(BriefSettings()))
    extract_highlights(ExtractHighlights(story_id=story), handler_context(Selection()))
    score_relevance(ScoreRelevance(story_id=story), handler_context(RelevanceSettings()))
    return story


def test_a_source_is_added_once_listed_and_switched_off(news: Callable[..., Any], database: str) -> None:
    assert "no sources yet" in news("sources")[1]
    status, out, _ = news(
        "sources", "add", "--no-check", "https://a.example/feed.xml", "--name", "A Feed", "--authority", "0.8"
    )
    assert status == 0
    assert "added rss  A Feed" in out
    assert "already there" in news("sources", "add", "--no-check", "https://a.example/feed.xml")[1]
    (row,) = json.loads(news("sources", "list", "--json")[1])
    assert (row["name"], row["type"], row["authority_score"], row["is_active"]) == ("A Feed", "rss", 0.8, True)
    assert "A Feed" in news("sources")[1]
    assert "now off" in news("sources", "off", "A Feed")[1]
    assert "already off" in news("sources", "off", row["id"][:8])[1]
    assert "off" in news("sources", "health")[1]
    assert "now on" in news("sources", "on", "https://a.example/feed.xml")[1]
    assert "all sources are well" in news("sources", "health")[1]


NASTY = "[/b] [red]Half[/red] :warning: 100%"
UNHEALTHY = "INSERT INTO source_health (source_id, status, message) SELECT id, 'error', %s FROM sources"
PUT = (
    "INSERT INTO zeke_jobs.queue (message_id, queue_name, state, message) VALUES (gen_random_uuid(), 'default', %s, %s)"
)


def test_what_strangers_write_is_shown_as_it_is_and_commands_no_terminal(
    news: Any, finished: uuid.UUID, conn: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert news
    hostile = f"{NASTY}\x1b]0;owned\x07\x9b2J\x7f\u202e\u2028[/b]\nforged"
    execute(conn, "UPDATE raw_items SET url = %s", URL)
    execute(
        conn, "INSERT INTO item_outcomes (raw_item_id, outcome, detail) SELECT id, 'fetch_failed', '' FROM raw_items"
    )
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


USAGE = [
    (("sources", "add", "no address"), "expected an http or https address, got 'no address'"),
    (("sources", "test", "ftp://a.example/"), "expected an http or https address"),
    (("sources", "add", "https://a.example", "--type", "atom"), "expected one of rss, podcast, youtube_channel"),
    (("stories", "--since", "soon"), "soon"),
    (("stories", "--team", "us"), "expected a team's id (uuid), got 'us'"),
    (("stories", "--nope"), "--nope"),
    (("frobnicate",), "frobnicate"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE)
def test_wrong_use_is_told_before_the_database_is_asked(
    news: Callable[..., Any], arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    status, out, err = news(*arguments)
    assert (status, out) == (2, "")
    assert message in err.replace("\n", " ")


def test_what_is_not_there_is_told_and_where_to_look(news: Callable[..., Any], database: str) -> None:
    assert database
    story = "expected the number or id of a story, got"
    for command, message in (
        ("sources off nobody", "expected the id, address or name of a source, got 'nobody'; see zeke-news sources"),
        ("story ffffffff", f"{story} 'ffffffff'; see zeke-news stories"),
        ("story %", f"{story} '%'"),
        *((f"{verb} 7", f"{story} '7'; see zeke-news stories") for verb in ("read", "star", "archive")),
    ):
        status, out, err = news(*command.split())
        assert (status, out, message in err) == (1, "", True), (command, err)


def test_without_a_database_the_variable_is_named(news: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZEKE_JOBS_DATA", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    status, _, err = news("stories")
    assert status == 2
    assert "DATABASE_URL" in err


def test_without_the_pipelines_tables_it_names_a_command_that_makes_them(
    news: Callable[..., Any], new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = new_database()
    with closing(connect(url)) as conn:
        migrate.migrate(conn)
    monkeypatch.setenv("DATABASE_URL", url)
    status, _, err = news("stories")
    assert status == 2
    assert re.search(r"without \d+ migrations", err)
    assert "run: zeke-jobs migrate, in a folder whose jobs.yaml has the line migrations: [actors.store]" in err


def test_stories_are_filtered(news: Any, finished: uuid.UUID) -> None:
    found = ["--source feed", "--since 1h", "--min-chili 1", "--state extractive", "--leads", "--unread"]
    found += [f"--team {uuid.UUID(int=7)} --unread"]
    for filters in (*found, "--source other", "--min-chili 5", "--state completed", "--archived", "--starred"):
        rows = json.loads(news("stories", "--json", *filters.split())[1])
        assert [row["id"] for row in rows] == [str(finished)] * (filters in found), filters


def test_a_story_is_shown_in_full(news: Callable[..., Any], finished: uuid.UUID) -> None:
    status, out, _ = news("story", str(finished)[:8])
    assert status == 0
    flat = " ".join(out.split())
    for expected in (
        "Registry signs packages",
        "authority 0.9 ",
        "taken from the story itself",
        "pipeline, so that a stolen token alone is not enough.",
        "metric Signed packages rose by 4 % of all uploads in the month of May.",
        "two lines",
        "elevator",
        "registry.sign()",
        "kind 0.9 (metric) * 0.3 + authority 0.9 * 0.2 + freshness 1 * 0.1",
        "authority 0.90 * 0.3 Feed is trusted with 0.9 ",
        "one source reports it",
    ):
        assert expected in flat, expected
    row = json.loads(news("story", str(finished), "--json")[1])
    assert row["highlights"][0]["metadata"]["relevance"]["score"] > 0
    assert row["source"] == "Feed"


def test_a_story_is_shown_whose_scores_are_stored_without_their_weights_and_words(
    news: Callable[..., Any], finished: uuid.UUID, conn: Any
) -> None:
    breakdown = "(citations -> 'breakdown') - 'found' - 'weights'"
    execute(conn, f"UPDATE story_overlays SET citations = jsonb_set(citations, '{{breakdown}}', {breakdown})")
    relevance = "(metadata -> 'relevance') - 'weights' - 'keywords' #- '{parts,kind}'"
    execute(conn, f"UPDATE highlights SET metadata = jsonb_set(metadata, '{{relevance}}', {relevance})")
    status, out, err = news("story", str(finished))
    assert (status, err) == (0, "")
    flat = " ".join(out.split())
    for expected in (
        "authority 0.90 Feed is trusted with 0.9 ",
        "none of the keywords is in it",
        "(none) + authority 0.9 + freshness 1",
    ):
        assert expected in flat, expected


def test_why_follows_an_article_by_any_form_of_its_address(
    news: Callable[..., Any], finished: uuid.UUID, conn: Any, rows: Callable[..., Any]
) -> None:
    execute(conn, "UPDATE raw_items SET url = %s", URL)
    stored = "INSERT INTO item_outcomes (raw_item_id, outcome, story_id) SELECT id, 'stored', %s FROM raw_items"
    execute(conn, stored, finished)
    execute(conn, "INSERT INTO raw_items (source_id, external_id) SELECT id, '1' FROM sources")
    execute(conn, "UPDATE stories SET summary = NULL")
    status, out, _ = news("why", "http://a.example/news/signed/")
    assert status == 0
    steps = dict(line.split()[:2] for line in out.splitlines() if line.startswith("  "))
    done = ("found", "text", "story", "analysis", "highlights", "brief")
    assert list(steps.items()) == [*((name, "done") for name in done), ("summary", "missing")]
    answer = json.loads(news("why", URL, "--json")[1])
    assert answer["items"][0]["steps"][1] == {"name": "text", "state": "done", "detail": "stored"}
    assert news("why", "https://a.example/news/sign")[0] == 1
    for name in (str(row := rows("SELECT number FROM story_index")[0]["number"]), f"#{row}", str(finished)[:8]):
        assert [one["url"] for one in json.loads(news("why", name, "--json")[1])["items"]] == [URL], name
    status, _, said = news("why", "77")
    assert (status, "expected the number or id of a story, got '77'" in said) == (1, True)


def test_why_knows_a_letter_by_its_folder_or_message_id(news: Callable[..., Any], add_story: Any, conn: Any) -> None:
    add_story(ARTICLE, title="A letter")
    execute(conn, "UPDATE raw_items SET url = NULL, title = 'A letter', external_id = '<1@a.example>'")
    execute(conn, "UPDATE sources SET type = 'newsletter', url = 'imap://mine/News'")
    for name in ("imap://mine/News", "<1@a.example>"):
        assert "A letter" in news("why", name)[1]
    status, said, _ = news("why", "imap://mine/Other")
    assert (status, "its site has a source" in said, "ingest-oneoff" in said) == (1, True, False)


@pytest.mark.parametrize(("task", "step"), [("analyze-story", "analysis  "), ("embed-story", "event     ")])
def test_why_names_the_job_that_is_waited_for(news: Any, add_story: Any, conn: Any, task: str, step: str) -> None:
    story = add_story(ARTICLE)
    execute(conn, "UPDATE raw_items SET url = %s", URL)
    execute(conn, PUT, "queued", json.dumps({"actor_name": task, "kwargs": {"story_id": str(story)}}))
    out = news("why", URL)[1]
    assert f"{step} waiting  {task} is created" in out


def test_why_helps_where_nothing_is_known_and_says_what_is_wrong_with_a_feed_and_with_a_single_address(
    news: Any, database: str, conn: Any
) -> None:
    news("sources", "add", "--no-check", "https://a.example/feed.xml", "--name", "A Feed")
    status, out, _ = news("why", "https://a.example/unheard-of")
    assert status == 1
    assert "its site has a source: A Feed (not read yet, never read)" in out
    assert "no source covers its site" in news("why", "https://b.example/x")[1]
    execute(conn, UNHEALTHY, "not_found: 404")
    execute(conn, PUT, "rejected", json.dumps({"actor_name": "ingest-oneoff", "kwargs": {"url": "mailto:x"}}))
    error = json.dumps([{"error": {"type": "Reject", "message": "invalid_url: expected a web address"}}])
    execute(conn, "UPDATE zeke_jobs.queue SET attempts = %s, completed_on = now()", error)
    said = news("why", "https://www.a.example/feed.xml")[1]
    assert "it is the address of a source: A Feed (error, never read): not_found: 404" in said
    said = news("why", "mailto:x")[1]
    assert "job ingest-oneoff is failed" in said
    assert "invalid_url: expected a web address" in said


def test_costs_are_added_up_and_the_unknown_stays_unknown(news: Any, finished: uuid.UUID, conn: Any) -> None:
    assert "no AI calls" in news("costs")[1]
    call = (
        "INSERT INTO ai_calls (day, operation, story_id, job_id, task, model_asked, outcome, cost_usd, input_tokens,"
        " settled_at) VALUES (current_date, 'brief', %s, gen_random_uuid(), 'generate-brief', %s, %s, %s, 100, now())"
    )
    for ended in (("m", "ok", "0.0125"), ("m", "cached", "0"), ("x", "ok", None), ("m", "invalid", "0.01")):
        execute(conn, call, finished, *ended)
    rows = json.loads(news("costs", "--by", "model", "--json")[1])
    assert [(row["name"], row["calls"], row["cached"], row["failed"], row["cost_usd"]) for row in rows] == [
        ("m", 3, 1, 1, 0.0225),
        ("x", 1, 0, 0, None),
    ]
    assert rows[1]["unknown"] == 1
    assert " ? " in f"{news('costs', '--by', 'model')[1]} ".replace("\n", " ")
    for by in ("day", "task", "story", "outcome"):
        assert news("costs", "--by", by)[0] == 0
    assert "US$ 0.0225 in 4 calls and 1 calls of unknown price" in " ".join(news("story", str(finished)[:8])[1].split())
    assert news("costs", "--story", "ffff")[0] == 1


def test_a_digest_is_shown_or_how_to_make_one(news: Any, finished: uuid.UUID, handler_context: Any) -> None:
    status, _, err = news("digest")
    assert status == 1
    assert "zeke-jobs send deliver-digest" in err
    from datetime import UTC, datetime

    payload = {"period": "day", "endsOn": datetime.now(UTC).date().isoformat()}
    generate_brief(GenerateBrief.model_validate(payload), handler_context(BriefSettings()))
    status, out, _ = news("digest")
    assert status == 0
    assert "1 event" in out
    assert "Registry signs packages" in out
    assert "# The day to" in news("digest", "--format", "markdown")[1]
    assert "<!doctype html>" in news("digest", "--format", "html")[1]
    assert json.loads(news("digest", "--format", "json")[1]) == json.loads(news("digest", "--json")[1])
    assert len(json.loads(news("digest", "--json")[1])["entries"]) == 1
    assert news("digest", "--ends-on", "soon")[0] == 2
