"""``zeke-news filter`` tries, adds, lists and removes rules, and points at a fault in a rule."""

from pathlib import Path
from typing import Any

import pytest

from actors.outcomes import Outcome
from actors.store import items, sources
from actors.store.items import NewItem
from tests.actors.conftest import News
from tests.actors.database import execute
from zeke_jobs.cli.root import app as jobs_app
from zeke_jobs.cli.run import run as run_app

WITH_FILTERS = """\
version: 1
services:
  engine: {use: actors.engine:Settings}
tasks:
  fetch-content:
    handler: actors.sources.content:fetch_content
    settings:
      filters:
        - drop: {words: [crypto], older: 30d}
        - keep: {regex: %s}
"""


@pytest.fixture
def week(conn: Any) -> None:
    """Add items of two sources; one item is older than a week."""
    for name, titles in (("Weblog", ("Crypto is up", "Postgres 19", "Old crypto")), ("Paper", ("Crypto is down",))):
        source = sources.add(conn, "rss", f"https://{name.lower()}.example/feed", name=name)[0]
        for title in titles:
            item = NewItem(external_id=title, title=title, url=f"https://a.example/{title[:3]}")
            items.decide(conn, [items.add(conn, source, item).id], Outcome.TOO_SHORT)
    execute(conn, "UPDATE raw_items SET created_at = now() - interval '8 days' WHERE title = 'Old crypto'")


def test_a_rule_is_tried_on_the_last_week(news: News, week: None, conn: Any, in_force: Any, jobs_yaml: Path) -> None:
    out = news("filter", "test", "drop", "--words", "crypto")
    tried = ["     2  it: drop words crypto", "        Paper: Crypto is down", "        Weblog: Crypto is up"]
    assert out.splitlines() == ["2 of 3 items of the last 7 days would have been dropped", *tried]
    assert "1 of 3 items" in news("filter", "test", "drop", "--words", "crypto", "--source", "paper")
    assert "1 of 3 items" in news("filter", "test", "keep", "--regex", "crypto")
    assert "no filters; add one" in news("filter", "list")
    assert news("filter", "add", "drop", "--words", "crypto", "--words", "bit coin", "--older", "30d") == (
        'added filter 1: drop words crypto, "bit coin"; older 30d\n'
    )
    (listed,) = news.json("filter", "list")
    assert listed == {"name": "filter 1", "rule": 'drop words crypto, "bit coin"; older 30d'}
    assert news("filter", "remove", "1") == "removed filter 1\n"
    assert "expected the number of a filter, got 1" in news("filter", "remove", "1", status=1)
    jobs_yaml.write_text(WITH_FILTERS % "postgres")
    assert "2 of 3 items" in news("filter", "test")
    assert "no filters" in news("filter", "list")
    in_force(WITH_FILTERS % "postgres")
    assert "jobs.yaml 2  keep regex postgres" in news("filter", "list")


def test_a_bad_rule_is_refused_with_accepted_forms_or_with_its_line_in_jobs_yaml(
    news: News, conn: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for command, said in (
        (("drop", "--regex", "(a"), "--regex: expected a regular expression of RE2, got '(a': missing )"),
        (("drop", "--older", "soon"), "--older: expected a duration"),
        (("drop", "--source", "x"), "expected words, regex, author, language, shorter, longer or older"),
        (("delete", "--words", "x"), "expected drop or keep, got 'delete'"),
    ):
        assert said in news("filter", "add", *command, status=2)
    assert execute(conn, "SELECT FROM filters") == []
    (tmp_path / "jobs.yaml").write_text(WITH_FILTERS % "['^ok', '(?=no)']")
    monkeypatch.chdir(tmp_path)
    assert run_app(jobs_app, "zeke-jobs", ["check", "jobs.yaml"]) == 2
    shown = capsys.readouterr()
    assert "jobs.yaml:10:33: error: expected a regular expression of RE2, got '(?=no)'" in shown.out + shown.err


def test_sources_count_what_was_dropped_and_why_names_the_rule(news: News, week: None, conn: Any) -> None:
    dropped = "UPDATE item_outcomes SET outcome = 'filtered', detail = 'filter 3: drop words crypto'"
    execute(conn, f"{dropped} WHERE raw_item_id IN (SELECT id FROM raw_items WHERE title ILIKE '%crypto%')")
    lines = {line.split()[2]: line for line in news("sources").splitlines()[1:]}
    assert "0; 2 of 3 dropped, 1 too_short" in lines["Weblog"]
    assert "0; 1 of 1 dropped" in lines["Paper"]
    assert "articles fail" not in lines["Paper"]
    assert "ended    filtered: filter 3: drop words crypto" in news("why", "https://a.example/Cry")
