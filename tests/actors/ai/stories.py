"""These helpers add stories to a database, and make a jobs.yaml for a provider on loopback."""

import json
import uuid
from typing import Any

import yaml
from psycopg2.extensions import connection as Connection

from tests.actors.ai.provider import TEXT, title
from tests.actors.database import add_story
from tests.fleet import ROOT

UNFINISHED = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
PRICES = {"m": {"input": 1.0, "output": 10.0}, "e": {"input": 0.1}}


def jobs_yaml(url: str, tasks: dict[str, dict[str, Any]], **ai: Any) -> str:
    """Change the shipped jobs.yaml: use the provider at ``url``, drop crons, change ``tasks`` and the service ``ai``."""
    text: dict[str, Any] = yaml.safe_load((ROOT / "jobs.yaml").read_text())
    openai = {"base_url": url, "model": "m", "embedding_dimensions": 16, "prices": PRICES, **ai.pop("openai")}
    text["services"]["ai"] |= {"provider": "openai", "openai": openai, **ai}
    for name, task in text["tasks"].items():
        task.pop("cron", None)
        task.update(tasks.get(name, {}))
    return json.dumps(text)  # JSON is YAML without anchors.


def add_stories(conn: Connection, count: int) -> list[str]:
    """Add stories with the titles that the provider expects, ten days apart; return their ids by number."""
    source = uuid.uuid4()
    texts = [TEXT.format(number=7919 * number) for number in range(1, count + 1)]
    stories = enumerate(texts, 1)
    return [str(add_story(conn, one, source=source, title=title(at), days_old=10 * at)) for at, one in stories]
