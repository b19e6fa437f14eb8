"""Runs batch-questions, which puts a chunk of questions into one batch."""

from actors.schema import BatchQuestions
from zeke_jobs import ChunkContext


def batch_questions(payloads: list[BatchQuestions], ctx: ChunkContext) -> None:
    """Send ask-batch for a chunk of questions. If a crash leads to a second job, that job finds no questions left."""
    ctx.jobs[0].send("ask-batch", {"call_ids": [str(one.call_id) for one in payloads]})
