import json
from collections import Counter
from uuid import uuid4

import pytest

from actors.store import SQL, items
from tests.actors.sources.conftest import Pipeline


def test_a_source_that_is_off_of_another_kind_or_not_due_is_left_alone_unless_one_asks(pipeline: Pipeline) -> None:
    off, later = (pipeline.add_source(f"https://{name}.example/feed") for name in ("off", "later"))
    pipeline.add_source("https://www.youtube.com/channel/UC0", "youtube_channel")
    pipeline.add_source("https://manual.example", "manual")
    pipeline.query("UPDATE sources SET is_active = false WHERE id = %s", str(off))
    due = "INSERT INTO source_polling (source_id, next_check_at) VALUES (%s, zeke_jobs.now() + interval '1 hour')"
    pipeline.query(due, later)
    assert pipeline.run("ingest-pull")["sources"] == 0
    assert pipeline.run("ingest-pull", reason="manual")["sources"] == 1
    assert pipeline.sent[0][1] == {"source_id": str(later), "reason": "manual"}
    assert pipeline.run("ingest-pull-youtube")["sources"] == 1


def test_many_sources_are_spread_and_those_of_one_host_share_a_key(pipeline: Pipeline) -> None:
    for n in range(20):
        pipeline.add_source(f"https://{'www.' * (n % 2)}site{n // 2}.example/feed{n}")
    pipeline.settings["ingest-pull"] = {"burst": 10, "spread": "100s"}
    assert pipeline.run("ingest-pull") == {"outcome": "sent", "sources": 20, "queued_again": 0, "abandoned": 0}
    assert [options["delay"].total_seconds() for _, _, options in pipeline.sent] == [n * 5.0 for n in range(20)]
    assert pipeline.run("ingest-pull")["outcome"] == "nothing_due"
    assert Counter(options["key"] for _, _, options in pipeline.sent) == {f"site{n}.example": 2 for n in range(10)}
    pipeline.sent.clear()
    pipeline.query("UPDATE source_polling SET queued_at = NULL")
    pipeline.settings["ingest-pull"] = {"burst": 20}
    pipeline.run("ingest-pull")
    assert {options["delay"] for _, _, options in pipeline.sent} == {None}


LOST = "UPDATE item_outcomes SET queued_at = zeke_jobs.now() - interval '2 hours' WHERE outcome = 'queued'"


def test_items_whose_job_was_lost_are_queued_again_then_one_by_one_and_given_up_in_the_end(pipeline: Pipeline) -> None:
    # In an earlier version, items whose fetch failed stayed pending for ever.
    item = pipeline.add_item("https://a.example/x")
    for _ in range(6):  # An edit of an entry queues an item again, and does not count as a lost job.
        items.queue(pipeline.conn, [item])
    for _ in range(4):
        pipeline.query(LOST)
        result = pipeline.run("ingest-pull")
        assert (result["queued_again"], result["abandoned"]) == (1, 0)
    assert pipeline.tasks_sent().count("fetch-content") == 4
    pipeline.query(LOST)
    assert pipeline.run("ingest-pull")["abandoned"] == 1
    assert pipeline.query("SELECT status FROM raw_items") == [("failed",)]
    pipeline.query(LOST)
    assert pipeline.run("ingest-pull")["queued_again"] == 0
    # One of the items may kill its worker process, and the others must not fail with it.
    for n in range(3):
        pipeline.add_item(f"https://a.example/{n}")
    sizes = []
    for _ in range(3):
        pipeline.query(LOST)
        pipeline.sent.clear()
        pipeline.run("ingest-pull")
        sizes.append([len(ids) for ids in pipeline.fetches()])
    assert sizes == [[3], [1, 1, 1], [1, 1, 1]]


def job(pipeline: Pipeline, task: str, payload: dict[str, object], state: str = "queued") -> None:
    message = json.dumps({"actor_name": task, "kwargs": payload}, default=str)
    put = "INSERT INTO zeke_jobs.queue (message_id, queue_name, state, message) VALUES (%s, 'default', %s, %s)"
    pipeline.query(put, uuid4(), state, message)


@pytest.mark.parametrize(("state", "again"), [("queued", 0), ("consumed", 0), ("done", 1), ("rejected", 1)])
def test_an_item_of_an_unfinished_job_is_waiting(pipeline: Pipeline, state: str, again: int) -> None:
    item, other = pipeline.add_item("https://a.example/1"), pipeline.add_item("https://a.example/2")
    job(pipeline, "fetch-content", {"raw_item_ids": [str(item)]}, state)
    job(pipeline, "fetch-content", {"raw_item_ids": [str(other)]}, "queued")
    job(pipeline, "fetch-content", {"raw_item_ids": "sent from SQL, and wrong"})
    pipeline.query(LOST)
    result = pipeline.run("ingest-pull")
    assert (result["queued_again"], result["abandoned"]) == (again, 0)
    assert pipeline.fetches() == [[str(item)]] * again
    lost = pipeline.add_item("https://b.example/1")
    pipeline.query(LOST)
    pipeline.sent.clear()
    pipeline.settings["ingest-pull"] = {"most_items": 1}
    assert [pipeline.run("ingest-pull")["queued_again"] for _ in range(3)] == [1, again, 0], "but nothing held"
    assert str(lost) in [one for ids in pipeline.fetches() for one in ids]


def test_a_source_that_waits_for_its_job_is_not_sent_again(pipeline: Pipeline) -> None:
    waiting, lost = pipeline.add_source("https://a.example/feed"), pipeline.add_source("https://b.example/feed")
    pipeline.run("ingest-pull")
    pipeline.sent.clear()
    job(pipeline, "ingest-source", {"source_id": str(waiting), "reason": "schedule"})
    pipeline.query("UPDATE source_polling SET queued_at = zeke_jobs.now() - interval '61 minutes'")
    assert pipeline.run("ingest-pull")["sources"] == 1
    assert [payload["source_id"] for _, payload, _ in pipeline.sent] == [str(lost)]


def test_a_pull_or_an_upload_opens_one_batch_with_the_digest_at_its_end(pipeline: Pipeline) -> None:
    pipeline.add_source("https://a.example/feed")
    pipeline.settings["ingest-pull"] = {"digest": "day"}
    pipeline.run("ingest-pull")
    ctx = pipeline.contexts[-1]
    name = f"pull/{ctx.job_id}"
    then = ("generate-brief", {"period": "day", "ends_on": SQL.value(pipeline.conn, "digest_today").isoformat()})
    assert ctx.batches == {name: (then, "send")}
    assert [options["batch"] for _, _, options in pipeline.sent] == [name]
    pipeline.run("ingest-pull")
    assert pipeline.contexts[-1].batches == {}  # ingest-pull opens no batch if no item is due.
    pipeline.sent.clear()
    source = pipeline.add_source("https://manual.example", "manual")
    pipeline.settings["ingest-from-upload"] = {"digest": "day", "chunk": 1}
    uploaded = [{"externalId": f"u{n}", "text": f"A text of some length, number {n}. " * 20} for n in range(3)]
    result = pipeline.run("ingest-from-upload", sourceId=source, items=uploaded)
    ctx = pipeline.contexts[-1]
    assert (result["queued"], ctx.completed, list(ctx.batches)) == (3, True, [f"upload/{ctx.job_id}"])
    assert {options["batch"] for _, _, options in pipeline.sent} == {f"upload/{ctx.job_id}"}
