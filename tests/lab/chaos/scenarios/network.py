"""A network that stalls, a host that is unplugged, a pooler that is restarted."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.acceptance.test_pgbouncer import PROGRAM, Bouncer
from tests.lab.chaos.proxy import Proxy
from tests.lab.chaos.scenarios.possible import Impossible, need_program, need_root
from tests.lab.chaos.world import world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.lab.chaos.outcome import Outcome

_NET = "10.213.77"  # of the hosts that we make
_DIED_AND_DONE = "SELECT count(*) FROM zeke_jobs.queue WHERE deaths > 0 AND state = 'done'"


def stall(*, quick: bool) -> Outcome:
    """Nothing passes between one worker and the server for a minute, and no connection breaks."""
    seconds, heartbeat = (12, 0.5) if quick else (60, 5.0)
    with world("stall", quick=quick, heartbeat=heartbeat) as here, Proxy(here.url) as proxy:
        stalled = here.worker("stalled", DATABASE_URL=proxy.url)
        here.until(lambda: here.look("SELECT count(*) FROM zeke_jobs.worker"), 60, "a worker")
        # It runs past the moment when others take it over, and ends while nothing passes.
        late = here.traffic.send("slow", {"seconds": seconds * 0.75})
        here.until(
            lambda: here.look("SELECT started_on FROM zeke_jobs.queue WHERE message_id = %s", late), 20, "a start"
        )
        # Two, since one makes itself empty for what has seen a death.
        here.worker("well one")
        here.worker("well two")
        here.flow(3)
        here.measure("before")
        with here.phase("during"):
            pids, begin = stalled.pids(), time.monotonic()
            proxy.stalled.set()
            time.sleep(seconds)
            proxy.stalled.clear()
            # A stalled run may go on beside its successor until it notices; it commits nothing.
            here.note_gone(pids, begin, time.monotonic())
        over = time.time()
        fenced = here.comes(lambda: "taken for dead" in stalled.command.text(), 15)
        here.whole(3)
        here.measure("after")
        here.drain()
        died, state, deaths = here.row(
            """SELECT attempts -> 0 ->> 'outcome', state::text, deaths FROM zeke_jobs.queue WHERE message_id = %s""",
            late,
        )
        here.promise(
            "a job that outlasts the limit is rescued, and done elsewhere",
            (died, state) == ("died", "done") and deaths >= 1,
        )
        here.promise("its late end changes nothing", here.look("SELECT count(*) FROM effect WHERE job = %s", late) == 1)
        here.promise("the stalled worker notices that it was taken for dead", fenced)
        return here.outcome(
            f"a proxy between one of three workers and the server forwards nothing for {seconds} s",
            fault_over=over,
            recovers_in=10,
        )


def restart_pooler(*, quick: bool) -> Outcome:
    """PgBouncer in transaction mode is killed and started again, with both workers behind it."""
    if PROGRAM is None:
        raise Impossible("pgbouncer is not installed: apt-get install pgbouncer")
    with ExitStack() as stack:
        here = stack.enter_context(world("restart-pooler", quick=quick))
        folder = Path(tempfile.mkdtemp(prefix="zeke-chaos-pgb-"))
        stack.callback(shutil.rmtree, folder)
        bouncer = Bouncer(folder, here.url, 12)
        bouncer.start()
        stack.callback(bouncer.stop)
        pooled = bouncer.at(here.url)
        workers = [here.worker("one", DATABASE_URL=pooled), here.worker("two", DATABASE_URL=pooled)]
        here.flow()
        here.measure("before")
        with here.phase("during"):
            for _ in range(2 if quick else 4):
                bouncer.stop()
                time.sleep(1)
                bouncer.start()
                time.sleep(3)
        over = time.time()
        here.measure("after")
        here.drain()
        here.promise("no command line ended", all(kept.starts == 1 for kept in workers))
        return here.outcome(
            "PgBouncer in transaction mode killed and started, again and again", fault_over=over, recovers_in=10
        )


def unplug_host(*, quick: bool) -> Outcome:
    """Workers on three hosts; one is unplugged for longer than others wait for it, and plugged in again."""
    seconds = 10 if quick else 30
    with _hosts(3) as hosts, world("unplug-host", quick=quick, settings={"listen_addresses": f"{_NET}.1"}) as here:
        here.allow(f"{_NET}.0/24")
        url = here.url.replace("@/", f"@{_NET}.1/").partition("?")[0]
        workers = [here.worker(host, before=("ip", "netns", "exec", host), DATABASE_URL=url) for host in hosts]
        here.flow(3)
        here.measure("before")
        with here.phase("during"):
            pids, begin = workers[0].pids(), time.monotonic()
            _ip("link", "set", f"{hosts[0]}p", "down")
            rescued = here.comes(
                lambda: here.look("SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'worker'") == 2, 30
            )
            time.sleep(max(0.0, seconds - (time.monotonic() - begin)))
            left = here.look("SELECT count(*) FROM pg_stat_activity WHERE client_addr = %s::inet", f"{_NET}.2")
            _ip("link", "set", f"{hosts[0]}p", "up")
            here.note_gone(pids, begin + here.lost_after, time.monotonic())
        over = time.time()
        back = here.whole(3)
        here.measure("after")
        here.drain()
        here.promise("others take over from the unplugged host", rescued and here.look(_DIED_AND_DONE) > 0)
        if not quick:
            here.promise("the server has ended its sessions, with their locks", left == 0)
        here.promise("it is back in the fleet by itself", back and workers[0].starts == 1)
        return here.outcome(
            f"three hosts (network namespaces), one unplugged for {seconds} s", fault_over=over, recovers_in=10
        )


@contextmanager
def _hosts(count: int) -> Iterator[list[str]]:
    """Network namespaces, each with a cable (veth) to one bridge on which the server listens."""
    need_root("making network namespaces")
    need_program("ip", "iproute2")
    bridge = f"zk{os.getpid() % 100_000}"
    names = [f"{bridge}{letter}" for letter in "abcdef"[:count]]
    with ExitStack() as stack:
        try:
            _ip("link", "add", bridge, "type", "bridge")
            stack.callback(_ip, "link", "del", bridge)
            _ip("address", "add", f"{_NET}.1/24", "dev", bridge)
            _ip("link", "set", bridge, "up")
            for number, name in enumerate(names, start=2):
                _ip("netns", "add", name)
                stack.callback(_ip, "netns", "del", name)
                _ip("link", "add", f"{name}p", "type", "veth", "peer", "name", "eth0", "netns", name)
                _ip("link", "set", f"{name}p", "master", bridge, "up")
                _ip("-n", name, "address", "add", f"{_NET}.{number}/24", "dev", "eth0")
                _ip("-n", name, "link", "set", "eth0", "up")
                _ip("-n", name, "link", "set", "lo", "up")
        except subprocess.CalledProcessError as error:
            raise Impossible(f"no network namespaces here: {error.stderr.strip()}") from error
        yield names


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=20)
