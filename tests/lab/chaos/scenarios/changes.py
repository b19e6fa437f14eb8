"""A change of code, configuration and schema while the system runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.lab.chaos.traffic import TASKS
from tests.lab.chaos.world import world

if TYPE_CHECKING:
    from tests.lab.chaos.outcome import Outcome
    from tests.lab.chaos.world import World

_NEWER = TASKS.replace("version: 1\n", "version: 1\nmigrations: [chaos_newer]\n") + (
    '  added: {handler: "chaos_newer.handlers:added"}\n'
)
_HANDLERS = """
from tests.lab.chaos.handlers import Work, work
from zeke_jobs import Context

def added(payload: Work, ctx: Context) -> None:
    work(payload, ctx)
"""


def roll_out(*, quick: bool) -> Outcome:
    """The next version is rolled out under load: its migration, its workers beside the old ones, SIGTERM to those."""
    with world("roll-out", quick=quick, heartbeat=5.0) as here:
        newer = _write_newer(here)
        old = [here.worker("old one"), here.worker("old two")]
        here.flow()
        here.measure("before")
        for _ in range(6):
            here.traffic.send("slow", {"seconds": 4.0})
        statuses = []
        with here.phase("during"):
            here.zeke("migrate", ZEKE_JOBS_CONFIG=newer)
            for number, kept in enumerate(old):
                here.worker(f"new {number}", ZEKE_JOBS_CONFIG=newer)
                here.whole(2 - number + 1 + number)
                here.keeper.release(kept)
                here.traffic.send("slow", {"seconds": 4.0})
                time.sleep(0.5)
                statuses.append(kept.command.stop(60))
        over = time.time()
        here.measure("after")
        added = here.traffic.send("added", {"seconds": 0.01})
        here.drain()
        here.promise("the old workers end with status 0", statuses == [0, 0])
        here.promise(
            "the new version's task runs",
            here.look("SELECT state::text FROM zeke_jobs.queue WHERE message_id = %s", added) == "done",
        )
        here.promise("no job saw a death", here.look("SELECT max(deaths) FROM zeke_jobs.queue") == 0)
        return here.outcome(
            "SIGTERM to the old workers during long jobs, new ones beside them, a migration in between",
            fault_over=over,
            recovers_in=10,
        )


def _write_newer(here: World) -> str:
    """The next version: a package with a migration and a handler, and the jobs.yaml that names them."""
    package = here.folder / "chaos_newer"
    (package / "migrations").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "handlers.py").write_text(_HANDLERS)
    (package / "migrations" / "0001_more.sql").write_text(
        "ALTER TABLE effect ADD COLUMN at timestamptz DEFAULT clock_timestamp();\n"
    )
    return here.write("newer.yaml", _NEWER)
