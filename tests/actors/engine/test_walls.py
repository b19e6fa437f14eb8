"""Pages that stand before an article end in an outcome that says so; articles about such things do not."""

import pytest

from actors.engine.contract import EngineError
from actors.engine.pages import read_page
from tests.actors.engine.conftest import failure
from tests.actors.engine.wall_pages import WALLS
from tests.actors.scripted_site import page, paragraphs

URL = "https://news.example/a-story"


@pytest.mark.parametrize("kind", WALLS)
def test_a_page_that_is_no_article_ends_in_an_outcome_of_its_own(kind: str) -> None:
    code, html = WALLS[kind]
    error = failure(read_page, html.encode(), URL, "text/html; charset=utf-8")
    assert (error.code, error.transient) == (code, False)
    assert str(error).startswith(f"{URL}: the ")


def test_an_article_about_walls_is_read() -> None:
    about = "<p>Sites ask: verify you are human. They say that you have been blocked, and want you to accept all cookies.</p>"
    assert read_page(page("Robots at the door", about + paragraphs("captchas", 20)).encode(), URL).text
    for title in ("Maintenance of bridges is late", "The 404 best songs", "Consent in law", "Blocked roads open again"):
        assert read_page(page(title, paragraphs("a note", 3)).encode(), URL).text
    declared = '<meta property="og:type" content="article">'
    assert read_page(page("A note on robots", about + paragraphs("captchas", 2), declared).encode(), URL).text


def test_a_site_of_consent_is_known_by_its_name() -> None:
    with pytest.raises(EngineError) as caught:
        read_page(page("t", paragraphs("cookies")).encode(), "https://consent.news.example/collect")
    assert caught.value.code == "consent"
