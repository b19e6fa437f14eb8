"""Commands stop while they start."""

import os
import signal
import time
from contextlib import suppress

from tests.fleet import Command
from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.proxy import Proxy
from tests.lab.chaos.world import World, world

_NOWHERE = "postgresql://postgres@127.0.0.1:1/postgres"
_LONGEST = 4.5  # The last SIGTERM comes _LONGEST seconds after a start; a boot takes about two seconds.
_WITHIN = 12.0  # A command ends within _WITHIN seconds after SIGTERM, or within three boots on a busy machine.
#: A command ends regularly, or by a signal that comes before the signal handler is installed.
_GOOD = (0, -signal.SIGTERM)
_JOINED = "SELECT count(*) FROM zeke_jobs.worker"


def stop_at_boot(*, quick: bool) -> Outcome:
    """SIGTERM comes at every moment of a start of workers and schedulers, with any state of the database."""
    step = 1.5 if quick else 0.5
    steps = int(_LONGEST / step) + 1
    with world("stop-at-boot", quick=quick) as here, Proxy(here.url) as silent:
        began = time.monotonic()
        here.worker()
        here.until(lambda: here.look(_JOINED) == 1, 60, "a worker")
        boot = time.monotonic() - began
        within = max(_WITHIN, 3 * boot)
        here.worker()
        here.flow()
        silent.stalled.set()
        slowest, wrong = 0.0, []
        with here.fault():
            ways = {"answers": here.url, "is away": _NOWHERE, "is silent": silent.url}
            for number, (way, url) in enumerate(ways.items()):
                # The moments of the three ways are interleaved.
                for delay in (step * (n + number / 3) for n in range(steps)):
                    for name, took, status in _stop_after(here, delay, url, 2 * within):
                        slowest = max(slowest, took)
                        if status not in _GOOD:
                            wrong.append(f"{name} after {delay:.1f} s, database {way}: status {status}")
        gone = here.comes(lambda: here.look(_JOINED) == 2, here.lost_after + 4 * here.heartbeat)
        here.calm()
        here.promise(
            f"every command ends in good order, {2 * 3 * steps} of them{': NOT ' * bool(wrong)}{'; '.join(wrong[:3])}",
            not wrong,
        )
        here.promise(f"within {within:.0f} s ({slowest:.1f} s; a boot takes {boot:.1f} s here)", slowest <= within)
        here.promise("nothing is left of them, neither a process nor a row of the fleet", gone and not _left(here))
        said = f"SIGTERM 0 to {_LONGEST:g} s after the start of a worker and a scheduler command, while the database "
        return here.outcome(f"{said}answers, is away, and is silent", recovers_in=10)


def _stop_after(here: World, delay: float, url: str, patience: float) -> list[tuple[str, float, int]]:
    """Start and stop a worker and a scheduler command, by force after ``patience``; return names, times, statuses."""
    started: dict[str, Command] = {
        "workers": here.fleet.run("dramatiq", "zeke_jobs.actors", "-p", "2", "-t", "4", DATABASE_URL=url),
        "scheduler": here.fleet.run("periodiq", "zeke_jobs.actors", DATABASE_URL=url),
    }
    time.sleep(delay)
    began = time.monotonic()
    for command in started.values():
        command.process.send_signal(signal.SIGTERM)
    ended: dict[str, float] = {}
    while len(ended) < len(started) and time.monotonic() - began < patience:
        time.sleep(0.02)
        for name, command in started.items():
            if name not in ended and command.process.poll() is not None:
                ended[name] = time.monotonic() - began
    for name, command in started.items():
        if name not in ended:
            command.kill()
    return [(name, ended.get(name, patience), started[name].process.returncode) for name in started]


def _left(here: World) -> list[int]:
    """Return the commands whose process groups still exist, except for the serving commands."""
    serving = {kept.command.pid for kept in here.keeper.kept}
    left = []
    for command in here.fleet.commands:
        if command.pid not in serving:
            with suppress(ProcessLookupError):
                os.killpg(command.pid, 0)
                left.append(command.pid)
    return left
