"""The digest of a pull or an upload ends a batch: the batch has all jobs that follow from it, but none that waits for hours."""

from collections.abc import Callable
from uuid import UUID

from actors.store.statements import SQL
from tests.actors.sources.conftest import Pipeline


def test_a_pull_opens_a_batch_with_the_digest_at_its_end(pipeline: Pipeline, add_source: Callable[..., UUID]) -> None:
    add_source("https://a.example/feed")
    pipeline.settings["ingest-pull"] = {"digest": "day"}
    pipeline.run("ingest-pull")
    ctx = pipeline.contexts[-1]
    name = f"pull/{ctx.job_id}"
    then = ("generate-brief", {"period": "day", "ends_on": SQL.value(pipeline.conn, "digest_today").isoformat()})
    assert ctx.batches == {name: (then, "send")}
    assert [options["batch"] for _, _, options in pipeline.sent] == [name]
    pipeline.run("ingest-pull")
    assert pipeline.contexts[-1].batches == {}  # nothing is due: nothing to write about


def test_an_upload_opens_one_batch_for_all_its_parts(pipeline: Pipeline, add_source: Callable[..., UUID]) -> None:
    source = add_source("https://manual.example", "manual")
    pipeline.settings["ingest-from-upload"] = {"digest": "day", "chunk": 1}
    items = [{"externalId": f"u{n}", "text": f"A text of some length, number {n}. " * 20} for n in range(3)]
    result = pipeline.run("ingest-from-upload", sourceId=source, items=items)
    ctx = pipeline.contexts[-1]
    assert (result["queued"], ctx.completed, list(ctx.batches)) == (3, True, [f"upload/{ctx.job_id}"])
    assert {options["batch"] for _, _, options in pipeline.sent} == {f"upload/{ctx.job_id}"}
