"""The whole chain through real workers, against a model server that misbehaves."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import zeke_jobs
from tests.fleet import Fleet, eventually, scalar

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(120)]

OPEN = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
ARTICLE = (
    "The registry now signs every package that a maintainer uploads. A stolen token alone is not enough any more. "
    "The change of series {number} follows three incidents in spring. Nobody needs to act before June of next year."
)
CONFIG = """
    version: 1
    services:
      ai:
        use: actors.ai:Settings
        provider: openai
        openai: {{base_url: "{url}", model: m, timeout: 1s, verify: false, prices: {{m: {{input: 1, output: 10}}}}, {more}}}
    migrations: [actors.store]
    defaults: {{retry: {{limit: 8, delay: 100ms, max_delay: 200ms}}}}
    tasks:
      analyze-story: {{handler: "actors.insights.analyze:analyze_story"}}
      extract-highlights: {{handler: "actors.insights.extract:extract_highlights", concurrency: 1}}
      dedupe-insights: {{handler: "actors.insights.dedupe:dedupe_insights", concurrency: 1}}
      score-relevance: {{handler: "actors.insights.relevance:score_relevance"}}
      generate-brief: {{handler: "actors.briefs.generate:generate_brief"}}
      story-summarize: {{handler: "actors.stories.summarize:story_summarize"}}
"""


@pytest.fixture
def fleet(database: str, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, database)
    yield fleet
    fleet.stop()


def test_nothing_is_lost_nothing_invented_and_every_call_counted(
    fleet: Fleet,
    conn: Any,
    add_story: Any,
    model_server: Any,
    answers: Callable[..., Any],
    rows: Callable[..., Any],
) -> None:
    def slow(_: Any) -> tuple[int, dict[str, str], Any]:
        model_server.slow.wait(3)
        return 500, {}, {}

    model_server.script.extend(
        [
            answers(429, {"Retry-After": "0.3"}, {"error": {"message": "slow down"}}),
            answers(500, body={"error": {"message": "oops"}}),
            slow,
            answers(content="", finish_reason="length"),
            answers(content="I think that it matters."),
            answers(429, {"x-ratelimit-reset-requests": "200ms"}, {"error": {"message": "slow down"}}),
            answers(503, {}, b"<html>maintenance</html>"),
            answers(content="", message={"refusal": "I can not."}),
        ]
    )
    fleet.configure(CONFIG.format(url=model_server.url, more="cache: false"))
    stories = [add_story(ARTICLE.format(number=number * 7919), title=f"Story {number}") for number in range(8)]
    fleet.workers(processes=2, threads=4)
    fleet.ready(conn, 2)
    zeke_jobs.send_many("analyze-story", [{"story_id": str(story)} for story in stories])
    eventually(lambda: scalar(conn, OPEN) == 0, 60, fleet)

    failed = rows("SELECT name, data ->> 'story_id' AS story, error FROM zeke_jobs.job WHERE state = 'failed'")
    assert len(failed) == 1
    assert "the model refused: I can not." in str(failed[0]["error"])
    assert failed[0]["name"] == "analyze-story"
    analysed = rows("SELECT story_id, analysis_state, brief_one_liner FROM story_overlays")
    assert {row["story_id"] for row in analysed} == {str(story) for story in stories} - {failed[0]["story"]}
    assert {(row["analysis_state"], row["brief_one_liner"]) for row in analysed} == {
        ("completed", "Packages are signed now.")
    }
    calls = rows("SELECT outcome, cost_usd FROM ai_calls")
    assert len(calls) == len(model_server.asked)
    outcomes = [row["outcome"] for row in calls]
    assert {name: outcomes.count(name) for name in set(outcomes)} == {
        "ok": 3 * 7,
        "rate_limited": 2,
        "failed": 2,
        "timeout": 1,
        "truncated": 1,
        "invalid": 1,
        "refused": 1,
    }
    spent = scalar(conn, "SELECT sum(cost) FROM zeke_jobs.cost")
    assert spent == sum(row["cost_usd"] for row in calls)
    assert scalar(conn, "SELECT count(*) FROM highlights WHERE NOT metadata ? 'relevance'") == 0
    assert scalar(conn, "SELECT count(DISTINCT story_id) FROM highlights") == 7
