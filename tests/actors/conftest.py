"""These fixtures add stories, and make the contexts in which tests run handlers."""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from actors.cli.app import run as zeke_news
from tests.actors import database
from tests.actors.database import execute
from tests.actors.mail_server import MailServer
from tests.actors.scripted_site import Site
from tests.actors.tasks import TASKS
from zeke_jobs.testing import FakeContext


class StrictContext(FakeContext):
    """The context fails on slow work inside a transaction, and can fail at the commit."""

    fail_at_commit = False
    result: Any = None  # what the handler returned
    _inside = False

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with super().transaction() as tx:
            self._inside = True
            try:
                yield tx
            finally:
                self._inside = False
            if self.fail_at_commit:
                raise ConnectionError("lost")

    def service(self, name: str) -> Any:
        assert not self._inside, "slow work inside a transaction"
        return super().service(name)


class News:
    """A call runs zeke-news in a terminal of 160 columns, and checks its exit status."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, status: int = 0, has: Sequence[str] = ()) -> str:
        """Run zeke-news; return its stdout followed by its stderr, and check that they contain all texts in ``has``."""
        self._capsys.readouterr()
        found = zeke_news(words)
        said = self._capsys.readouterr()
        assert found == status, said
        assert [one for one in has if one not in said.out + said.err] == [], said
        return said.out + said.err

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def news(database: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> News:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "dumb")
    return News(capsys)


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture
def handler_context(conn: Connection) -> Callable[..., StrictContext]:
    """Make contexts: ``handler_context(settings, ai=…)`` takes services as keywords; the default AI is the local one."""

    def make(settings: Any = None, ai: Any = None, **services: Any) -> StrictContext:
        from actors.ai import Settings

        return StrictContext(conn, settings=settings, services={"ai": ai or Settings().open(), **services})

    return make


@pytest.fixture
def run_task(handler_context: Callable[..., StrictContext]) -> Callable[..., StrictContext]:
    """Run a task: ``run_task("generate-brief", {"storyId": …}, {"digest_entries": 3}, ai=…)``; return the context."""

    def run(task: str, payload: Any, settings: Any = None, **services: Any) -> StrictContext:
        handler = TASKS[task]
        chosen = handler.settings_model.model_validate(settings or {}) if handler.settings_model else None
        ctx = handler_context(chosen, **services)
        ctx.result = handler.function(handler.payload_model.model_validate(payload), ctx)
        return ctx

    return run


@pytest.fixture
def analyse(run_task: Callable[..., StrictContext]) -> Callable[..., StrictContext]:
    """Run analyze-story: ``analyse(story, "manual", ai=…)`` takes settings as keywords, and returns the context."""

    def run(story: uuid.UUID | str, trigger: str = "auto", ai: Any = None, **settings: Any) -> StrictContext:
        ctx = run_task("analyze-story", {"story_id": story, "trigger": trigger}, settings, ai=ai)
        assert ctx.completed
        return ctx

    return run


_COPY = """WITH src AS (INSERT INTO sources (type, name) VALUES ('rss', 'Other') RETURNING id),
  item AS (INSERT INTO raw_items (source_id, external_id) SELECT id, 'copy' FROM src RETURNING id)
  INSERT INTO item_outcomes (raw_item_id, outcome, story_id) SELECT id, 'duplicate', %s FROM item"""


@pytest.fixture
def add_copy(conn: Connection) -> Callable[[uuid.UUID | str], object]:
    """Add an item of another source with the text of an existing story."""
    return lambda story: execute(conn, _COPY, story)


@pytest.fixture
def add_story(conn: Connection) -> Callable[..., uuid.UUID]:
    """Add a story: ``add_story(document, title=…, authority=…, days_old=…, source=…)`` returns the story's id."""
    return partial(database.add_story, conn)


@pytest.fixture
def rows(conn: Connection) -> Callable[..., list[dict[str, Any]]]:
    """Run a query; return its rows as dictionaries, with ids as text."""

    def plain(value: Any) -> Any:
        return str(value) if isinstance(value, uuid.UUID) else value

    def query(sql: str, *params: Any) -> list[dict[str, Any]]:
        with conn.cursor() as cursor:
            cursor.execute(sql, params)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, map(plain, row), strict=True)) for row in cursor.fetchall()]

    return query
