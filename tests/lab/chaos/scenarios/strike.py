"""Worker processes are killed, frozen and stopped at random, under every kind of limit and under a rate."""

import os
import random
import signal
import time

from tests.lab.chaos import proof
from tests.lab.chaos.keeper import Kept
from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.traffic import MIXED
from tests.lab.chaos.world import World, world

_GOOD = {0, -signal.SIGTERM}  # the second: of a command that was just being started
_RATE = 6  # a second, as traffic.TASKS has it
_USED = 0.7  # of the rate, by what is left of a fleet that is too small; idle .9, and .97 where the task is alone
_PERIOD = 0.9  # seconds; a trace comes a little later than the start that it tells of


def strike(*, quick: bool) -> Outcome:
    """Each way at least once, and then by chance; ``ZEKE_TEST_SEED`` repeats the choices of a run."""
    seed = int(os.environ.get("ZEKE_TEST_SEED") or random.randrange(1_000_000))
    chance, seconds, done = random.Random(seed), 12 if quick else 240, {"kill": 0, "freeze": 0, "stop": 0}
    kinds = {**MIXED, "rated": ({"plain": True}, _RATE + 1.0)}  # what waits at the end fits in the drain
    with world("strike", quick=quick, heartbeat=0.5, kinds=kinds) as here:
        workers = [*here.two(), here.worker()]
        here.flow(3)
        statuses = []
        begin = time.monotonic()
        end = begin + seconds
        while time.monotonic() < end or not all(done.values()):
            time.sleep(chance.uniform(0.3, 1.0))
            way, kept = min(done, key=lambda way: (done[way] > 0, chance.random())), chance.choice(workers)
            if kept.command.process.poll() is not None:
                continue  # it has not been started again
            done[way] += 1
            if way == "kill":
                here.kill(kept)
            elif way == "freeze":
                _freeze(here, kept, chance.uniform(1.1, 1.6) * here.lost_after)
            else:
                statuses.append(kept.command.stop(30))
        used = _starts_since(here, begin) / (time.monotonic() - begin) / _RATE
        here.whole(3)
        here.drain()
        most = _most_at_once(here)
        here.promise(f"a stop ends in good order, {len(statuses)} of them", set(statuses) <= _GOOD)
        here.promise(f"the rate is exact: {most} of {_RATE} in a second", most == _RATE)
        here.promise(f"the rate is used beside the strikes: {used:.2f} of it", used >= (0.5 if quick else _USED))
        return here.outcome(
            f"one of three workers killed, frozen or stopped at random for {seconds} s ({done}, seed {seed})",
            after_share=None,
        )


def _freeze(here: World, kept: Kept, seconds: float) -> None:
    """For longer than others wait for it: they take its jobs."""
    pids, group, begin = kept.pids(), kept.command.pid, time.monotonic()
    os.killpg(group, signal.SIGSTOP)
    time.sleep(seconds)
    here.note_gone(pids, begin, time.monotonic())
    os.killpg(group, signal.SIGCONT)


def _starts_since(here: World, begin: float) -> int:
    return sum(run.task == "rated" and run.begin >= begin for run in proof.runs(here.trace))


def _most_at_once(here: World) -> int:
    """The most starts of the task with a rate within its period; those of processes that were frozen just then do not count."""
    starts = [
        run.begin
        for run in proof.runs(here.trace)
        if run.task == "rated"
        and not any(begin <= run.begin <= end + proof.COMING_BACK for begin, end in here.gone.get(run.pid, ()))
    ]
    return max(sum(at <= other < at + _PERIOD for other in starts) for at in starts)
