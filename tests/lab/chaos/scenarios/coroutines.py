"""Faults happen while async handlers wait on the event loops of the workers."""

import os
from typing import Any

import zeke_jobs
from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.traffic import MIXED, TASKS
from tests.lab.chaos.world import NO_DEATH, World

_TASKS = TASKS.replace("handlers:work", "handlers:wait") + (
    '  stuck: {handler: "tests.lab.chaos.handlers:block", timeout: 1s, retry: {limit: 0}}\n'
)
#: Some 100 handlers wait at once, which would otherwise take 100 threads.
WORLD: dict[str, Any] = {"tasks": _TASKS, "kinds": {**MIXED, "slow": ({"seconds": 1.5}, 60.0)}}
_ACTIVE = "SELECT count(*) FROM zeke_jobs.queue WHERE task = %s AND state = 'consumed' AND started_on IS NOT NULL"


def blocked(*, quick: bool) -> Outcome:
    """A handler without an await blocks the event loop for 50 other handlers."""
    with World("async-blocked", quick=quick, tasks=_TASKS, kinds={}) as here:
        kept = here.worker()
        here.flow(1, count=0)
        os.environ["DATABASE_URL"] = here.url
        here.traffic.ledger.update(str(one.id) for one in zeke_jobs.send_many("slow", [{"seconds": 3.0}] * 50))
        here.until(lambda: here.look(_ACTIVE, "slow") == 50, 60, "50 handlers that wait")
        here.traffic.ledger.add(str(zeke_jobs.send("stuck", {"seconds": 600.0, "plain": True}).id))
        named = here.comes(lambda: "blocks the event loop" in kept.command.text(), 5)
        ended = here.comes(lambda: kept.starts == 2, 60)
        here.drain()
        here.promise("the handler is named", named)
        here.promise("the process ends and is started again", ended)
        here.promise("no job saw a death", here.look(NO_DEATH))
        done = here.look("SELECT count(*) FROM zeke_jobs.queue WHERE task = 'slow' AND state = 'done'")
        here.promise("the others complete", done == 50)
        return here.outcome("an async handler blocks its event loop for ever", after_share=None)
