"""batch-questions: a chunk of questions becomes a batch."""

from actors.schema import BatchQuestions
from zeke_jobs import ChunkContext


def batch_questions(payloads: list[BatchQuestions], ctx: ChunkContext) -> None:
    """Send ask-batch for the questions of a chunk. A second ask-batch after a crash finds them taken, and asks nothing."""
    ctx.jobs[0].send("ask-batch", {"call_ids": [str(one.call_id) for one in payloads]})
