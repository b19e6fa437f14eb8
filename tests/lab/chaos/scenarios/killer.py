"""One job kills whatever process runs it, beside two hundred innocent ones on two processes."""

import time

from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.world import World, world

_MANY = 200
_SHORT = {"plain": True, "seconds": 0.5}
_WORKERS = "SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'worker'"
_LONGEST = 3.0  # times the run without the killer


def killer(*, quick: bool) -> Outcome:
    """The same two hundred jobs twice: by themselves, and with the killer among them."""
    with world("killer", quick=quick, kinds={}) as here:
        both = here.two()
        here.until(lambda: here.look(_WORKERS) == 2, 60, "two workers")
        alone, _ = _run(here)
        beside, killing = _run(here, kills=True)
        here.drain()
        [(state, deaths)] = here.rows("SELECT state::text, deaths FROM zeke_jobs.queue WHERE message_id = %s", killing)
        hurt = here.look("SELECT count(*) FROM zeke_jobs.queue WHERE state <> 'done' AND message_id <> %s", killing)
        died = sum(kept.starts - 1 for kept in both)
        here.promise("the killer is quarantined, after its third death", (state, deaths) == ("rejected", 3))
        here.promise("no innocent job fails", hurt == 0)
        here.promise(f"within {_LONGEST:g} times the run without it ({beside / alone:.1f})", beside <= _LONGEST * alone)
        return here.outcome(
            f"one of {_MANY + 1} jobs of half a second kills its process, on two processes",
            after_share=None,
            note=f"{alone:.1f} s without it, {beside:.1f} s with it; {died} processes died",
        )


def _run(here: World, *, kills: bool = False) -> tuple[float, str]:
    """Seconds until all of them have ended, and the killer's id."""
    killing = ""
    began = time.monotonic()
    for number in range(_MANY):
        if kills and number == _MANY // 2:
            killing = here.traffic.send("fast", {**_SHORT, "kills": True})
        here.traffic.send("fast", _SHORT)
    here.until(
        lambda: here.look("SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')") == 0,
        200,
        "their ends",
    )
    return time.monotonic() - began, killing
