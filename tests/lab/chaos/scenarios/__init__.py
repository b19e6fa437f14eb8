"""Scenarios are called by name with ``quick``, and return a row of the table."""

from collections.abc import Callable
from functools import partial

from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.scenarios import database, processes

SCENARIOS: dict[str, Callable[..., Outcome]] = {
    "kill-workers": processes.kill_workers,
    "killer": processes.killer,
    "strike": processes.strike,
    "kill-schedulers": processes.kill_schedulers,
    "freeze": processes.freeze,
    "wrong-clock": processes.wrong_clock,
    "restart-database": database.restart,
    "use-up-connections": database.use_up_connections,
    "fill-disk": database.fill_disk,
    "fail-over": database.fail_over,
    "stall": processes.stall,
    "async-kill": partial(processes.kill_workers, name="async-kill", **processes.ASYNC),
    "async-freeze": partial(processes.freeze, name="async-freeze", **processes.ASYNC),
    "async-blocked": processes.blocked,
}
