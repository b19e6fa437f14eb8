"""The jobs of the validation sleep, fail once, or send other jobs, as their payload says."""

import time
from decimal import Decimal

from pydantic import Field

from zeke_jobs import Context, Payload


class Sleep(Payload):
    seconds: float = 0.0
    fails_first: bool = False
    cost: float = 0.0
    sends: list[float] = Field(default_factory=list)


def sleep(payload: Sleep, ctx: Context) -> None:
    """Sleep, and add a cost; then fail, or send a job for each length in ``sends``."""
    time.sleep(payload.seconds)
    if payload.cost:
        ctx.add_cost(Decimal(str(payload.cost)))
    if payload.fails_first and ctx.attempt == 1:
        raise RuntimeError("as it was told")
    for seconds in payload.sends:
        ctx.send("child", {"seconds": seconds})
