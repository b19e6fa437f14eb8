"""A rule drops an item by its feed entry before the page is fetched, or by its text later. The outcome names the rule."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from actors.sources.filters import refusal
from actors.sources.rules import Rule, folded, has_words
from actors.store.items import Item, Text
from tests.actors.scripted_site import Answer, paragraphs
from tests.actors.sources.conftest import Pipeline
from tests.each import cases

NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)


def item(title: str = "A title", kind: str = "article", days: float | None = 1, **metadata: Any) -> Item:
    return Item(
        id=UUID(int=1),
        source_id=UUID("8c7d2c52-3f6f-4f6b-8f5e-0b5a5a5f2d11"),
        source_type="rss",
        source="Ada's Weblog",
        source_url="https://ada.example/feed",
        folder=("Tech", "Python"),
        external_id="1",
        kind=kind,
        title=title,
        url="https://ada.example/1",
        published_at=None if days is None else NOW - timedelta(days=days),
        metadata=metadata,
        found_at=NOW,
        outcome=None,
        attempts=0,
    )


def why(one: Item, *rules: dict[str, Any], text: Text | None = None) -> str | None:
    made = tuple((f"rule {n}", Rule.model_validate(rule)) for n, rule in enumerate(rules, 1))
    refused = refusal(made, one, text)
    return refused.detail if refused else None


def test_a_dropped_item_costs_no_page_and_its_rule_is_named(pipeline: Pipeline) -> None:
    for n in range(3):
        pipeline.serve(f"/{n}", f"subject {n}")
    feed = pipeline.serve_feed(3).replace("Title 0", "Crypto").replace("Title 2", "Cryptography")
    pipeline.serve("/feed", Answer(feed))
    pipeline.settings["fetch-content"] = {"filters": [{"drop": {"words": ["crypto"]}}]}
    pipeline.query('INSERT INTO filters (rule) VALUES (\'{"drop": {"words": "cryptography", "source": "elsewhere"}}\')')
    pipeline.bring()
    assert pipeline.outcomes() == {"filtered": 1, "stored": 2}
    assert pipeline.site.times("/0") == 0
    ((said,),) = pipeline.query("SELECT detail FROM item_outcomes WHERE outcome = 'filtered'")
    assert said == "jobs.yaml 1: drop words crypto"
    assert pipeline.tasks_sent() == ["analyze-story"] * 2
    # When the source corrects the title, the filters judge the item again.
    pipeline.serve_feed(1, title="Currencies")
    pipeline.bring()
    assert pipeline.outcomes() == {"stored": 3}


def test_a_story_stays_when_a_later_rule_fits_it_and_a_page_that_somebody_named_always(pipeline: Pipeline) -> None:
    one = pipeline.fetched("/a", paragraphs("the queue"), title="The queue")
    pipeline.query('INSERT INTO filters (rule) VALUES (\'{"drop": {"words": "queue"}}\')')
    pipeline.query("UPDATE item_outcomes SET outcome = 'queued'")
    assert pipeline.fetch(one) == {"stored": 1}
    pipeline.query('UPDATE filters SET rule = \'{"drop": {"shorter": 9999}}\'')
    pipeline.serve("/queue", "its length")
    pipeline.run("ingest-oneoff", url=pipeline.at("/queue"))
    pipeline.drain()
    assert pipeline.outcomes() == {"stored": 2}
    pipeline.query("DELETE FROM filters")
    # Language and length are known only from the page.
    pipeline.settings["fetch-content"] = {"filters": [{"drop": {"shorter": 100}}, {"keep": {"language": "en"}}]}
    pipeline.sent.clear()
    pipeline.fetched("/long", paragraphs("the pipeline"), title="A")
    pipeline.fetched("/short", paragraphs("the other", 2), title="B")
    assert pipeline.outcomes() == {"stored": 3, "filtered": 1}
    assert pipeline.tasks_sent() == ["analyze-story"]
    pipeline.serve("/away", Answer(status=503))
    pipeline.fetch(pipeline.add_item("/away", title="C", metadata={"content": paragraphs("the feed", 2)}))
    assert pipeline.query("SELECT count(*) FROM stories") == [(3,)], "a dropped text stands in for no page"


def test_backfills_judge_all_dropped_items_again(pipeline: Pipeline) -> None:
    pipeline.serve_feed(4, title="Crypto")
    pipeline.serve("/3", "subject three")
    pipeline.settings["fetch-content"] = {"filters": [{"drop": {"words": ["crypto"]}}]}
    pipeline.bring()
    assert pipeline.outcomes() == {"filtered": 4}
    asked = set()
    for _ in range(4):
        assert pipeline.poll(backfill=1)["backfilled"] == 1
        asked |= {row[0] for row in pipeline.query("SELECT raw_item_id FROM item_outcomes WHERE outcome = 'queued'")}
        pipeline.drain()
    assert len(asked) == 4
    pipeline.settings["fetch-content"] = {"filters": [{"drop": {"regex": "crypto [0-2]"}}]}
    assert pipeline.poll(backfill=9)["backfilled"] == 4
    pipeline.drain()
    assert pipeline.outcomes() == {"filtered": 3, "stored": 1}


@cases(
    "words said fits",
    ("rag", "RAG pipelines", True), ("rag", "object storage", False),
    ("price of bitcoin", "the PRICE\u00a0of  Bitcoin!", True), ("price of bitcoin", "bitcoin has a price", False),
    ("C++", "C++ 20 is out", True), ("C++", "vitamin C", False), ("café", "cafe\u0301", True),
    ("крипто", "Крипто!", True), ("крипто", "криптография", False), ("日本", "日本語の記事", True),
    ("AI", "AIモデル", True), ("Rechtsstaat", "Rechts\u00adstaat", True), ("🚀", "to the 🚀!", True),
    ("ana ana", "banana ana ana", True), ("\uff21\uff29", "AI", True), ("don't", "Don\u2019t", True),
)  # fmt: skip
def test_words_are_found_whole_in_any_case_and_script(words: str, said: str, fits: bool) -> None:
    assert has_words(words, folded(said)) is fits


@cases(
    "when one fits",
    ({"words": "deal"}, item("News", description="<p>The best <b>deal</b> of the day</p>"), True),
    ({"words": "deal", "only_title": True}, item("News", description="The best deal"), False),
    ({"words": "href"}, item("News", description='<a href="https://a.example">x</a>'), False),
    ({"words": "politics"}, item("News", tags=["Politics", "World"]), True),
    ({"regex": r"^\[?ad\]?:"}, item("[Ad]: buy"), True),
    ({"regex": r"^ad:"}, item("An ad: buy"), False),
    ({"regex": "don\u2019t|Cafe\u0301"}, item("Don\u2019t panic"), True),
    ({"regex": "[\u2018\u2019]re\\b|\uff08ad\uff09"}, item("You\u2019re a winner"), True),
    ({"regex": "Cafe\u0301"}, item("A caf\u00e9"), True),
    ({"regex": "\uff08ad\uff09"}, item("Buy \uff08ad\uff09"), True),
    ({"regex": r"(?-i)^[A-Z ]{8,}$"}, item("WHAT NOBODY TELLS"), True),
    ({"regex": r"(?-i)^[A-Z ]{8,}$"}, item("What nobody tells"), False),
    ({"author": "eve"}, item(author="Eve Adams"), True),
    ({"author": "eve"}, item("Eve", author="Steve"), False),
    ({"older": "7d"}, item(days=8), True),
    ({"older": "7d"}, item(days=6), False),
    ({"older": "7d"}, item(days=None), False),
    ({"shorter": "2m"}, item(kind="video", duration=119), True),
    ({"longer": "2h"}, item(kind="podcast", duration=7201.0), True),
    ({"longer": "2h"}, item(kind="podcast"), False),
    ({"shorter": 5}, item(text="Four words are here"), True),
    ({"longer": 3}, item(text="Four words are here", kind="video"), False),
    ({"language": "de"}, item("Ein Titel", description="Der Entwurf wurde im Bundestag beraten. " * 6), True),
    ({"language": "de"}, item("Ein Titel"), False),
    ({"words": "title", "source": "WEBLOG"}, item(), True),
    ({"words": "title", "source": "ada.example"}, item(), True),
    ({"words": "title", "source": "8c7d2c52"}, item(), True),
    ({"words": "title", "source": "bob"}, item(), False),
    ({"words": "title", "folder": "tech"}, item(), True),
    ({"words": "title", "folder": "Tech/Python"}, item(), True),
    ({"words": "title", "folder": "Python"}, item(), False),
    ({"words": "title", "author": "Ada"}, item(), False),
    ({"words": ["nothing", "title"], "author": "Ada"}, item(author="Ada L."), True),
)
def test_all_conditions_of_a_rule_must_hold(when: dict[str, Any], one: Item, fits: bool) -> None:
    assert (why(one, {"drop": when}) is not None) is fits


def test_where_keep_rules_apply_an_item_that_none_fits_is_dropped_also_among_a_hundred_rules() -> None:
    keep: list[dict[str, Any]] = [
        {"keep": {"words": "Rust", "source": "weblog"}},
        {"keep": {"words": "Python", "folder": "Tech"}},
    ]
    assert why(item("Python 4"), *keep) is None
    assert why(item("Go 2"), *keep) == "rule 1: keep words Rust; source weblog; rule 2: keep words Python; folder Tech"
    assert why(item("Go 2"), {"keep": {"words": "Rust", "source": "bob"}}) is None
    assert why(item("Python 4"), *keep, {"drop": {"words": "4"}}) == "rule 3: drop words 4"
    open_ = [*keep, {"keep": {"longer": 100}}]
    assert why(item("Go 2"), *open_) is None, "the length is not known before the page is read"
    assert why(item("Go 2"), *open_, text=Text("word " * 101, "", "page")) is None
    assert why(item("Go 2"), *open_, text=Text("word " * 99, "", "page")) is not None
    rules = [{"drop": {"words": [f"word{n}"]} if n % 2 else {"regex": [rf"\bthing{n}s?\b.*{n}"]}} for n in range(100)]
    assert why(item(description="lorem " * 50 + "word51"), *rules) == "rule 52: drop words word51"
    assert why(item(description="thing50 and 50"), *rules) == r"rule 51: drop regex \bthing50s?\b.*50"
    assert why(item(description="thing50 and word5"[:-1]), *rules) is None


@cases(
    "rule said",
    ({"drop": {"regex": "(a"}}, r"expected a regular expression of RE2, got '\(a': missing \)"),
    ({"drop": {"regex": r"(a)\1"}}, "no back-references"),
    ({"drop": {"regex": "(?=a)b"}}, "no look-around"),
    ({"drop": {"regex": "(((a{30}){30}){30})"}}, "repeats at most 1000 times"),
    ({"drop": {"regex": "\ud800"}}, "expected a regular expression of RE2"),
    ({"drop": {"regex": "a*"}}, "that not every text fits"),
    ({"drop": {"regex": "a" * 1001}}, "at most 1000 characters"),
    ({"drop": {"words": ["\u200b "]}}, "expected a word or phrase"),
    ({"drop": {"shorter": True}}, "expected a number of words such as 300"),
    ({"drop": {"shorter": "soon"}}, "expected a duration"),
    ({"drop": {"source": "x"}}, "expected words, regex, author"),
    ({"drop": {"wrods": "x"}}, "wrods"),
    ({"drop": {"words": "x"}, "keep": {"words": "x"}}, "got both or neither"),
    ({}, "got both or neither"),
)
def test_a_bad_rule_is_refused_with_what_would_be_accepted(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Rule.model_validate(rule)


def test_an_expression_that_explodes_elsewhere_does_not_here() -> None:
    hard = item("a" * 400 + "!", description="a" * 10_000 + "!" + "x" * 100_000)
    began = time.process_time()
    assert why(hard, {"drop": {"regex": [r"(a+)+$", r"(?:a?){500}a{500}b"]}}) is None
    assert time.process_time() - began < 20, "a backtracking matcher would need years"


def test_a_feed_without_authors_drops_nothing_by_them_before_the_page_is_read() -> None:
    keep = {"keep": {"author": "Ada"}}
    by_ada, by_eve = (Text("text", "text", "page", author=who) for who in ("Ada Lovelace", "Eve"))
    assert why(item(), keep) is why(item(), keep, text=by_ada) is why(item(), {"drop": {"author": "Eve"}}) is None
    assert why(item(), keep, text=by_eve) == why(item(author="Eve"), keep) == "rule 1: keep author Ada"
    assert why(item(), {"keep": {"author": "Ada", "words": "queue"}}) == "rule 1: keep words queue; author Ada"
