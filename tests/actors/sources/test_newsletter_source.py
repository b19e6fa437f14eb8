"""Newsletters become stories: from their view on the web, or from the mail itself."""

from typing import Any

from actors.engine import Settings
from tests.actors.engine.test_newsletters import SECRET, letter
from tests.actors.imap_server import ImapServer
from tests.actors.scripted_site import Answer, Site, page, paragraphs
from tests.actors.sources.conftest import Pipeline


def test_each_message_is_one_story_of_its_web_view_or_text(pipeline: Pipeline, site: Site, add_source: Any) -> None:
    view = f"<a href='{site.url}/%s'>View online</a>"
    site.pages["/one"] = Answer(page("Letter on the web", paragraphs("the view")))
    site.pages["/wall"] = Answer(status=403)
    with ImapServer(password=SECRET) as imap:
        imap.folders["News"] = {
            1: letter(1, link=view % "one"),
            2: letter(2, body=paragraphs("the mail")),
            3: letter(3, link=view % "wall", body=paragraphs("what the wall hides")),
            4: letter(4, link=view % "expired", body=paragraphs("what is no longer on the web")),
        }
        mailbox = {"host": "127.0.0.1", "port": imap.port, "security": "none", "user": "ada", "password": SECRET}
        settings = {"allow_networks": ["127.0.0.0/8"], "mailboxes": {"mine": mailbox}}
        pipeline.engine = Settings.model_validate(settings).open()
        source = add_source("imap://mine/News", "newsletter")
        assert pipeline.run("ingest-pull")["sources"] == 1
        pipeline.drain()
        imap.validity = 7
        assert pipeline.poll(source)["new"] == 0
        assert imap.fetched() == [1, 2, 3, 4] * 2
        polled = pipeline.query("SELECT interval_seconds FROM source_polling")
        del imap.folders["News"]
        assert pipeline.poll(source)["outcome"] == "not_found"
    rows = pipeline.query(
        "SELECT s.title, d.text_origin, d.author, c.language_code FROM stories s JOIN content_details d USING (content_id)"
        " JOIN contents c ON c.id = s.content_id ORDER BY 1"
    )
    assert rows == [(f"Letter {n}", "page" if n == 1 else "feed", "Ada", "en") for n in range(1, 5)]
    assert pipeline.query("SELECT name FROM sources") == [("News",)]
    assert polled == [(3600,)], "not by the dates of the letters that are new"
    assert pipeline.query("SELECT status, message LIKE 'not_found:%%News%%' FROM source_health") == [("error", True)]
