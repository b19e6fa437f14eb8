"""embed-story in real workers: ten thousand stories from a kind provider, and again from one that fails."""

from pathlib import Path
from typing import Any

from psycopg2.extensions import connection as Connection

from tests.fleet import eventually, fleet, query, scalar
from tests.lab.ai.provider import Provider, is_left_out
from tests.lab.ai.world import UNFINISHED, add_stories, jobs_yaml
from zeke_jobs import send_many

SIZE = 50


def _each_seventh(call: int) -> bool:
    return call % 7 == 0


def _none(_call: int) -> bool:
    return False


def embeddings(url: str, conn: Connection, folder: Path, *, quick: bool) -> tuple[str, list[str]]:
    """What came out, and what is wrong with it."""
    count, said, wrong = 1_000 if quick else 10_000, list[str](), list[str]()
    stories = add_stories(conn, count)
    with Provider() as provider, fleet(folder / "embeddings", url) as workers:
        tasks: dict[str, Any] = {"embed-story": {"retry": {"limit": 8, "delay": "1s", "max_delay": "2s"}}}
        workers.configure(jobs_yaml(provider.url, tasks, openai={"embedding_model": "e"}))
        workers.workers(processes=2, threads=4)
        workers.ready(conn, 2)
        for name, fails, least in (("kind", False, count // SIZE), ("failing", True, -(-count * 7 // (6 * SIZE)))):
            query(conn, "TRUNCATE story_embeddings, ai_answers, ai_calls")
            provider.calls.clear()
            provider.texts.clear()
            provider.leaves_out, provider.refuses = fails, _each_seventh if fails else _none
            began = scalar(conn, "SELECT zeke_jobs.now()")
            for at in range(0, count, 1_000):
                send_many("embed-story", [{"story_id": one} for one in stories[at : at + 1_000]], connection=conn)
            eventually(lambda: scalar(conn, UNFINISHED) == 0, 900, workers)
            calls, most = provider.calls["/embeddings"], int(1.15 * least)
            said.append(f"a {name} provider got {calls} calls for {count} embeddings (at most {most} wanted)")
            wrong += [said[-1]] if calls > most else []
            wrong += [f"{name}: {fault}" for fault in faults(conn, provider, stories, began)]
    return "; ".join(said), wrong


def faults(conn: Connection, provider: Provider, stories: list[str], began: Any) -> list[str]:
    """Whatever is wrong with the outcome of a job, a story or a call."""
    gone = {one for number, one in enumerate(stories, 1) if provider.leaves_out and is_left_out(number)}
    ends = "SELECT data ->> 'story_id', state FROM zeke_jobs.job WHERE name = 'embed-story' AND created_on >= %s"
    states = dict(query(conn, ends, began))
    stored = {row[0] for row in query(conn, "SELECT story_id::text FROM story_embeddings")}
    checks = {
        "a job has another outcome than its text": states
        != {one: "failed" if one in gone else "completed" for one in stories},
        "other stories have embeddings": stored != set(stories) - gone,
        "a text was paid twice": max(provider.texts.values()) > 1,
        "the ledger has another sum than the jobs": scalar(conn, "SELECT sum(cost_usd) FROM ai_calls")
        != scalar(
            conn,
            "SELECT sum(c.cost) FROM zeke_jobs.cost AS c JOIN zeke_jobs.job AS j ON j.id = c.job WHERE j.created_on >= %s",
            began,
        ),
    }
    return [said for said, is_so in checks.items() if is_so]
