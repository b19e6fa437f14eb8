"""The program of docs/async.md works as described: an asyncpg pool and an httpx client as services on the loop."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.actors.scripted_site import Answer, Asked, Loopback
from tests.zeke_jobs.sql import rows, value
from tests.zeke_jobs.working import program, working
from zeke_jobs.client import reading

PAGE = Path(__file__).parents[3] / "docs" / "async.md"


class Model(Loopback):
    """Answers with the question."""

    def respond(self, asked: Asked) -> Answer:
        return Answer(asked.body)


def test_the_program_of_the_page_runs_with_one_client_and_one_pool(
    conn: Connection, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients, init = list[Any](), httpx.AsyncClient.__init__

    def counted(client: Any, **said: Any) -> None:
        clients.append(client)
        init(client, **said)

    monkeypatch.setattr(httpx.AsyncClient, "__init__", counted)
    rows(conn, "CREATE TABLE question (id int PRIMARY KEY, text text, answer text)")
    rows(conn, "INSERT INTO question SELECT n, 'why ' || n FROM generate_series(1, 30) AS n")
    with Model() as model:
        monkeypatch.setenv("EMBEDDINGS_URL", url := f"{model.url}/")
        with program(PAGE, tmp_path, "ask.py", "jobs.yaml") as config, working(config, database):
            zeke_jobs.wait(zeke_jobs.send("answer", {"id": 1, "url": url}).id, timeout=20)
            sent = zeke_jobs.send_many("answer", [{"id": n, "url": url} for n in range(2, 31)])
            assert [zeke_jobs.wait(one.id, timeout=20) for one in sent] == [
                {"characters": len(f'{{"question": "why {n}"}}') - 1} for n in range(2, 31)
            ]
            (told,) = reading.jobs(parent=sent[0].id)
            zeke_jobs.wait(told.id, timeout=20)
            texts = zeke_jobs.send_many("embed", [{"text": "one"}, {"text": "two"}])
            assert [zeke_jobs.wait(one.id, timeout=20) for one in texts] == ["one", "two"]
    assert value(conn, "SELECT count(*) FROM question WHERE answer LIKE '%why%'") == 30
    open_ = "SELECT count(*) FROM pg_stat_activity WHERE application_name = '' AND datname = current_database() AND pid <> pg_backend_pid()"
    assert value(conn, open_) == 0
    assert len(clients) == 1
