from pathlib import Path
from typing import Any

import pytest

from tests.actors.cli.conftest import JOBS
from tests.actors.conftest import News
from tests.actors.scripted_site import Answer, Asked, Site, page, paragraphs


def test_a_rule_is_shown_with_what_each_part_gives_and_no_secret(
    news: News, in_force: Any, site: Site, monkeypatch: pytest.MonkeyPatch, jobs_yaml: Path
) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.headers.get("cookie") != "session=s3cret-of-ada":
            return Answer(status=403)
        return Answer(
            page("A", f"<div class=text>{paragraphs('it', 2)}<p class=ad>Buy it.</p></div>{paragraphs('more')}")
        )

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
