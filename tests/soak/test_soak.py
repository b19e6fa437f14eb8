from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.soak import site
from tests.soak.checks import complaints
from tests.soak.news import STORY, News
from tests.soak.run import Plan, soak
from zeke_jobs.postgres import connect

if TYPE_CHECKING:
    from pathlib import Path


def test_the_same_seed_publishes_the_same_news_whose_texts_all_differ() -> None:
    one, other = (News(site.hosts(1, 8), 10, 7) for _ in range(2))
    assert one.items == other.items
    assert one.uploads == other.uploads
    assert len({one.plain(number) for number in one.texts}) == len(one.texts)
    assert {item.end for item in one.items.values()} > {STORY, "no_url"}


@pytest.mark.acceptance
@pytest.mark.timeout(240)
def test_whatever_fails_every_item_ends_as_planned_and_every_text_is_one_story(database: str, tmp_path: Path) -> None:
    plan = Plan(sources=10, items=5, share=0.02, kills=1, seconds=150)
    found = soak(database, tmp_path, plan)
    assert found.complaints == []
    assert (found.kills, sum(found.outcomes.values())) == (1, len(News(site.hosts(1, 10), 5, 1).items))
    assert sum(found.faults.values()) > 0
    with closing(connect(database)) as conn:
        news = News(site.hosts(1, 10), 5, 1)
        with conn.cursor() as cursor:
            cursor.execute("UPDATE item_outcomes SET outcome = 'retrying' WHERE outcome = 'stored'")
        said = complaints(conn, news, {"asked": 0, "wrong": []})
    assert any("items ended otherwise" in each for each in said)
