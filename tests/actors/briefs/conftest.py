"""These fixtures add stories for a digest, and make settings for each channel, whose receivers are on loopback."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.actors.database import execute
from tests.actors.mail_server import MailServer
from tests.actors.scripted_site import Answer, Site
from zeke_jobs.testing import set_clock

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
TEXT = "The registry now signs every package that a maintainer uploads. Nobody needs to act before June of next year."
PUT = """INSERT INTO story_overlays AS o (story_id, brief_one_liner, why_it_matters, brief_generated_at, citations)
  VALUES (%s, %s, %s, zeke_jobs.now(), jsonb_build_object('chili', %s)) ON CONFLICT (story_id) DO UPDATE
  SET brief_one_liner = EXCLUDED.brief_one_liner, why_it_matters = EXCLUDED.why_it_matters,
    brief_generated_at = EXCLUDED.brief_generated_at, citations = o.citations || EXCLUDED.citations"""


@pytest.fixture
def told(add_story: Any, analyse: Any, conn: Any) -> Callable[..., uuid.UUID]:
    """Add a story dated yesterday, with a brief and a chili score (its heat). With ``text``, also analyse the story."""
    set_clock(conn, NOW)

    def add(
        title: str,
        chili: int = 1,
        text: str = "",
        one: str | None = "It is told in one line.",
        why: str | None = None,
        **fields: Any,
    ) -> uuid.UUID:
        story: uuid.UUID = add_story(text or TEXT, title=title, **{"days_old": 0.8, **fields})
        if text:
            analyse(story, same_event_cosine=1)
        execute(conn, PUT, story, one, why, chili)
        return story

    return add


@pytest.fixture
def ways(mail_server: MailServer, site: Site, tmp_path: Path) -> dict[str, Any]:
    """Return settings of all delivery channels (mail, folder and so on), which deliver to the servers of the test."""
    site.pages |= {"/hook": Answer(status=204), "/": Answer()}
    loopback = {"allow_networks": ["127.0.0.0/8"]}
    mail = {"host": "127.0.0.1", "port": mail_server.port, "security": "none", "user": "news", "password": "right"}
    return {
        "mail": {**mail, "from": "news@a.example", "to": ["ada@b.example", "bob@b.example"]},
        "folder": str(tmp_path / "messages"),
        "webhook": {"url": f"{site.url}/hook", "secret": "whsec_YSBzZWNyZXQ=", "timeout": "1s", **loopback},
        "ntfy": {"url": f"{site.url}/my-news", "token": "t", **loopback},
        "command": ["/bin/sh", "-c", f"cat >> {tmp_path}/said"],
    }
