"""All tasks by the shipped jobs.yaml, through real workers, twice."""

from __future__ import annotations

import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import zeke_jobs
from actors.demo.server import SampleSite
from actors.store import sources
from tests.fleet import ROOT, Fleet, eventually, scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg2.extensions import connection as Connection

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

OPEN = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
TEAM = str(uuid.UUID(int=7))
TEXT = (
    "The registry of series {name} now signs every package that a maintainer uploads in {name}. A stolen token alone is "
    "not enough any more, says the note on {name}. Nobody needs to act before June. Mirrors of {name} check the signature."
)
# Everything that a task leaves behind, without the clocks of polling, which move on each visit.
LEFT = {
    "sources": "SELECT id, type, name, url, is_active, metadata FROM sources",
    "raw_items": "SELECT id, source_id, external_id, kind, title, url, status, published_at, metadata FROM raw_items",
    "item_outcomes": "SELECT raw_item_id, outcome, detail, story_id FROM item_outcomes",
    "contents": "SELECT * FROM contents",
    "stories": "SELECT * FROM stories",
    "story_clusters": "SELECT * FROM story_clusters",
    "story_overlays": "SELECT * FROM story_overlays",
    "story_embeddings": "SELECT story_id, model_version, updated_at FROM story_embeddings",
    "highlights": "SELECT * FROM highlights",
    "team_story_states": "SELECT * FROM team_story_states",
    # A digest is written again as the day gets more stories: that of the first pull is older than the upload's.
    "digests": "SELECT period, ends_on, team_id FROM digests",
}


@pytest.fixture
def site() -> Iterator[SampleSite]:
    with SampleSite() as served:
        yield served


def left(conn: Connection) -> dict[str, list[str]]:
    """The contents of the database, table by table."""
    found = {}
    for name, sql in LEFT.items():
        with conn.cursor() as cursor:
            cursor.execute(sql)
            found[name] = sorted(map(repr, cursor.fetchall()))
    return found


class World:
    """A running fleet on the shipped configuration, with two feeds, an upload and two single addresses."""

    def __init__(self, fleet: Fleet, conn: Connection, site: SampleSite) -> None:
        self.fleet, self.conn, self.site = fleet, conn, site
        text = (ROOT / "jobs.yaml").read_text()
        loopback = "kind: local\n    allow_networks: [127.0.0.0/8]\n    #"
        fleet.configure(text.replace("kind: local", loopback, 1))
        self.feeds = [str(sources.add(conn, "rss", feed)[0]) for feed in site.feeds]
        self.manual = str(sources.add(conn, "manual", "https://uploads.example")[0])
        fleet.workers(processes=2, threads=4)
        fleet.ready(conn, 2)

    def run(self, task: str, *payloads: dict[str, Any]) -> list[Any]:
        """Send jobs, wait for them and all that follows, and give their outputs."""
        sent = [zeke_jobs.send(task, payload) for payload in payloads]
        outputs = [zeke_jobs.wait(job.id, timeout=60) for job in sent]
        eventually(lambda: scalar(self.conn, OPEN) == 0, 60, self.fleet)
        return outputs

    def everything(self) -> dict[str, list[Any]]:
        """Each of them once more, by its own job."""
        outputs = {
            "ingest-pull": self.run("ingest-pull", {"reason": "manual"}),
            "ingest-pull-youtube": self.run("ingest-pull-youtube", {}),
            "ingest-source": self.run("ingest-source", {"sourceId": self.feeds[0], "reason": "manual"}),
            "ingest-oneoff": self.run("ingest-oneoff", *({"url": url, "priority": "high"} for url in self.oneoffs)),
            "ingest-from-upload": self.run("ingest-from-upload", {"sourceId": self.manual, "items": self.upload}),
        }
        ids = self.column("SELECT id FROM raw_items ORDER BY external_id LIMIT 20")
        outputs["fetch-content"] = self.run("fetch-content", {"rawItemIds": ids})
        each = [{"storyId": story} for story in self.column("SELECT id FROM stories ORDER BY title")]
        for task in ("analyze-story", "extract-highlights", "score-relevance", "generate-brief", "story-summarize"):
            outputs[task] = self.run(task, *each)
        insight = {"summary": "A person's own remark.", "origin": "user", "quote": "remark"}
        said = {**each[0], "createdBy": "ann", "teamId": TEAM, "insights": [insight, insight]}
        outputs["dedupe-insights"] = self.run("dedupe-insights", said)
        outputs["stories-update-status"] = self.run(
            "stories-update-status", {**each[0], "teamId": TEAM, "state": "read"}
        )
        outputs["deliver-digest"] = self.run("deliver-digest", {"period": "week"})
        return outputs

    @property
    def oneoffs(self) -> list[str]:
        return [f"{self.site.url}/commit-log/retry-budget", f"{self.site.url}/field-notes/no-such-page"]

    @property
    def upload(self) -> list[dict[str, Any]]:
        good = [
            {"externalId": f"u{n}", "title": f"Upload {n}", "text": TEXT.format(name=f"n{n * 7919}")} for n in (1, 2)
        ]
        again = {"externalId": "u3", "title": "The same as the first", "text": good[0]["text"]}
        broken = {"externalId": "u4", "title": "Nothing in it"}
        fetched = {"externalId": "u5", "title": "By address", "url": f"{self.site.url}/field-notes/prompt-caching"}
        return [*good, again, broken, fetched]

    def column(self, sql: str) -> list[str]:
        with self.conn.cursor() as cursor:
            cursor.execute(sql)
            return [str(row[0]) for row in cursor.fetchall()]


def test_each_task_by_its_own_job_each_item_in_one_outcome_and_a_second_round_changes_nothing(
    fleet: Fleet, conn: Connection, site: SampleSite
) -> None:
    world = World(fleet, conn, site)
    outputs = world.everything()
    assert len(outputs) == 14
    first = left(conn)
    assert all(first[table] for table in LEFT if table != "digests")
    with conn.cursor() as cursor:
        cursor.execute(
            "SELECT r.external_id, o.outcome, r.status FROM raw_items r LEFT JOIN item_outcomes o ON o.raw_item_id = r.id"
        )
        ends = cursor.fetchall()
    assert all(outcome for _, outcome, _ in ends)
    assert "pending" not in {status for _, _, status in ends}
    uploaded = {name: outcome for name, outcome, _ in ends if name in {"u1", "u2", "u3", "u4", "u5"}}
    assert uploaded == {"u1": "stored", "u2": "stored", "u3": "duplicate", "u4": "no_url", "u5": "duplicate"}
    counted = Counter(outcome for _, outcome, _ in ends)
    assert counted["not_found"] == 2, "the feed's dead link and the single address that does not exist"
    assert counted["too_short"] == 1
    assert counted["stored"] == scalar(conn, "SELECT count(*) FROM stories")

    again = world.everything()
    second = left(conn)
    for table in LEFT:
        assert second[table] == first[table], table
    assert {output["outcome"] for output in again["analyze-story"]} == {"unchanged"}
    assert {output["outcome"] for output in again["score-relevance"]} <= {"unchanged", "no_highlights"}
    failed = world.column("SELECT name || ': ' || error::text FROM zeke_jobs.job WHERE state = 'failed'")
    assert failed == []

    # A story that is analysed again keeps its highlights' identities, with new scores.
    ids = world.column("SELECT id FROM highlights ORDER BY id")
    scores = world.column(
        "SELECT metadata #>> '{relevance,score}' FROM highlights WHERE metadata ? 'relevance' ORDER BY id"
    )
    assert len(ids) > 50
    with conn.cursor() as cursor:
        cursor.execute("UPDATE sources SET authority_score = 0.2")
    stories = world.column("SELECT id FROM stories")
    world.run("analyze-story", *({"storyId": story, "trigger": "manual"} for story in stories))
    assert world.column("SELECT id FROM highlights ORDER BY id") == ids
    after = world.column(
        "SELECT metadata #>> '{relevance,score}' FROM highlights WHERE metadata ? 'relevance' ORDER BY id"
    )
    assert all(float(new) < float(old) for old, new in zip(scores, after, strict=True))
