"""A database that crashes, runs out of connections, or has a full disk."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import psycopg2

from tests.fleet import query
from tests.lab.chaos.outcome import Impossible, Outcome
from tests.lab.chaos.world import world
from zeke_jobs.postgres.pool import DISCONNECTED, connect

_CUT_ALL = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name LIKE 'zeke-jobs%' AND pid <> pg_backend_pid()"""


def restart(*, quick: bool) -> Outcome:
    """The server is stopped as by a crash, and started ten seconds later."""
    with world("restart-database", quick=quick) as here:
        workers = here.two()
        scheduler = here.scheduler()
        here.flow()
        here.until(
            lambda: here.look("SELECT count(*) FROM zeke_jobs.worker WHERE kind = 'scheduler'"), 70, "a scheduler"
        )
        with here.fault():
            here.stop_server("immediate")
            time.sleep(3 if quick else 10)
            here.start_server()
        beaten = here.look("SELECT max(beat_on) FROM zeke_jobs.schedule_beat")
        here.whole()
        time.sleep(5)
        here.measure("after")
        back = here.comes(lambda: here.look("SELECT max(beat_on) > %s FROM zeke_jobs.schedule_beat", beaten), 70)
        here.promise("the scheduler beats again", back)
        here.drain()  # which stops the schedulers
        here.promise("no command line ended", all(kept.starts == 1 for kept in (*workers, scheduler)))
        return here.outcome(f"Postgres stopped (immediate), {3 if quick else 10} s down, started", recovers_in=10)


def use_up_connections(*, quick: bool) -> Outcome:
    """Others take every connection that the server allows, the workers' too, and give them back."""
    seconds = 6 if quick else 15
    with world("use-up-connections", quick=quick, settings={"max_connections": "40"}) as here:
        workers = here.two()
        here.flow()
        with here.fault(), ExitStack() as stack:
            admin = stack.enter_context(closing(connect(here.url)))
            end = time.monotonic() + seconds
            taken = 0
            while time.monotonic() < end:
                with suppress(psycopg2.OperationalError):
                    while True:
                        stack.enter_context(closing(psycopg2.connect(here.url)))
                        taken += 1
                query(admin, _CUT_ALL)
                time.sleep(0.05)
        here.measure("after")
        here.drain()
        here.promise(
            "workers say what they wait for", here.said("too many clients") or here.said("remaining connection slots")
        )
        here.promise("no command line ended", all(kept.starts == 1 for kept in workers))
        said = f"all of 40 connections taken by others for {seconds} s"
        return here.outcome(said, recovers_in=10, note=f"{taken} taken")


def fill_disk(*, quick: bool) -> Outcome:
    """The disk of the database has no byte left, and then has again."""
    seconds = 5 if quick else 15
    settings = {"min_wal_size": "32MB", "max_wal_size": "64MB"}
    with _small_disk(400) as disk, world("fill-disk", quick=quick, settings=settings, data=disk / "server") as here:
        workers = here.two()
        here.flow()
        filler = disk / "filler"
        with here.fault():
            end = time.monotonic() + seconds
            with filler.open("ab", buffering=0) as file:
                while time.monotonic() < end:
                    with suppress(OSError):
                        while True:
                            file.write(bytes(65536))
                    time.sleep(0.05)
            filler.unlink()
            with suppress(*DISCONNECTED):
                here.rows("CHECKPOINT")
            here.start_server()  # where it gave up
        here.comes(lambda: here.look("SELECT true"), 30)
        time.sleep(3)
        here.measure("after")
        here.drain()
        here.promise(
            "workers say that the disk is full, or that the database is unreachable",
            here.said("No space left on device") or here.said("the database is unreachable"),
        )
        here.promise("no command line ended", all(kept.starts == 1 for kept in workers))
        return here.outcome(f"the database's disk (tmpfs) full for {seconds} s", recovers_in=15)


@contextmanager
def _small_disk(megabytes: int) -> Iterator[Path]:
    """A file system in memory with so much room."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        raise Impossible("a small tmpfs needs root and the program mount")
    with tempfile.TemporaryDirectory(prefix="zeke-chaos-disk-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "tmpfs", name], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", name], check=True)
