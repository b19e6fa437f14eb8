"""Runs batch-questions, which puts a chunk of questions into one batch."""

from actors.schema import BatchQuestions
from zeke_jobs import ChunkContext


def batch_questions(payloads: list[BatchQuestions], ctx: ChunkContext) -> None:
    """Send ask-batch for a chunk of questions. After a crash, a second ask-batch may be sent; it finds no questions."""
    ctx.jobs[0].send("ask-batch", {"call_ids": [str(one.call_id) for one in payloads]})
