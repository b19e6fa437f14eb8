"""The database crashes, runs out of connections, has a full disk, or fails over to a standby."""

import os
import pwd
import shutil
import subprocess
import time
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import psycopg2

from tests.conftest import server_binaries
from tests.fleet import open_folder, query
from tests.lab.chaos.proof import Impossible, Outcome
from tests.lab.chaos.world import World
from zeke_jobs.postgres import embedded
from zeke_jobs.postgres.pool import DISCONNECTED, connect

_CUT_ALL = """SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE application_name LIKE 'zeke-jobs%' AND pid <> pg_backend_pid()"""


def restart_database(*, quick: bool) -> Outcome:
    with World(quick=quick) as here:
        here.scheduler()
        here.begin()
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
        here.drain()  # Draining also stops the schedulers.
        said = f"Postgres stopped (immediate), {3 if quick else 10} s down, started"
        return here.outcome(said, recovers_in=10, stays=True)


def use_up_connections(*, quick: bool) -> Outcome:
    seconds = 6 if quick else 15
    with World(quick=quick, settings={"max_connections": "40"}) as here:
        here.begin()
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
        here.calm()
        here.promise("workers say what they wait for", here.said("too many clients", "remaining connection slots"))
        said = f"all of 40 connections taken by others for {seconds} s"
        return here.outcome(said, recovers_in=10, stays=True, note=f"{taken} taken")


def fill_disk(*, quick: bool) -> Outcome:
    seconds = 5 if quick else 15
    settings = {"min_wal_size": "32MB", "max_wal_size": "64MB"}
    if os.geteuid() != 0 or shutil.which("mount") is None:
        raise Impossible("a small tmpfs needs root and the program mount")
    with ExitStack() as stack:
        disk = stack.enter_context(open_folder("disk"))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400m,mode=711", "tmpfs", disk], check=True)
        stack.callback(lambda: subprocess.run(["umount", "--lazy", disk], check=True))
        here = stack.enter_context(World(quick=quick, settings=settings, data=disk / "server"))
        here.begin()
        filler = disk / "filler"
        with here.fault():
            end = time.monotonic() + seconds
            with filler.open("ab", buffering=0) as file:
                while time.monotonic() < end:
                    with suppress(OSError):
                        while True:
                            file.write(bytes(65536))
                    with suppress(*DISCONNECTED):
                        here.rows("SELECT pg_switch_wal()")  # else the log may have room left
                    time.sleep(0.05)
            filler.unlink()
            with suppress(*DISCONNECTED):
                here.rows("CHECKPOINT")
            here.start_server()  # The server may have given up.
        here.comes(lambda: here.look("SELECT true"), 30)
        time.sleep(3)
        here.calm()
        is_said = here.said("No space left on device", "the database is unreachable")
        here.promise("workers say that the disk is full, or that the database is unreachable", is_said)
        return here.outcome(f"the database's disk (tmpfs) full for {seconds} s", recovers_in=15, stays=True)


class Pair(World):
    """The world has two servers with synchronous replication: each acknowledged commit is on both disks."""

    def start_server(self) -> str:
        """Start both servers; the URL names both, and connects to the one that accepts writes."""
        first = super().start_server()
        self.standby = self.folder / "standby"
        data = self.standby / "data"
        self.standby.mkdir(mode=0o700)
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.standby, nobody.pw_uid, -1)
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        options = f"-h {self.server / 'data'} -U postgres -D {data} -R -X stream -c fast"
        pid = (self.server / "data" / "postmaster.pid").read_text().split("\n", 1)[0]
        command = [str(Path(f"/proc/{pid}/exe").resolve().parent / "pg_basebackup"), *options.split()]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **user)
        # The standby gets the primary's settings, because it does not start with a lower max_connections.
        self.second = embedded.ensure(self.standby, bin_dir=server_binaries(), settings=self.settings)
        with closing(connect(first)) as conn:
            query(conn, "ALTER SYSTEM SET synchronous_standby_names = '*'")
            query(conn, "SELECT pg_reload_conf()")
        hosts = f"{self.server / 'data'},{data}"
        self.url = f"{first.partition('?')[0]}?host={hosts}&target_session_attrs=read-write"
        in_sync = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        self.until(lambda: self.look(in_sync) == 1, 30, "a standby")
        return self.url

    def stop_server(self, mode: str) -> None:
        super().stop_server(mode)
        with suppress(AttributeError, FileNotFoundError):
            embedded.stop(self.standby, mode=mode)

    def promote(self) -> None:
        with closing(connect(self.second)) as conn:
            query(conn, "SELECT pg_promote(true, 60)")


def fail_over(*, quick: bool) -> Outcome:
    with Pair(quick=quick) as here:
        here.begin()
        with here.fault():
            embedded.stop(here.server, mode="immediate")
            died = time.time()
            time.sleep(3)
            here.promote()
        here.calm(workers=2)
        moved = "SELECT NOT pg_is_in_recovery() AND current_setting('data_directory') = %s"
        here.promise("the standby has taken over", here.look(moved, str(here.standby / "data")))
        said = "the server of a synchronous pair dies, its standby is promoted 3 s later"
        return here.outcome(said, recovers_in=10, stays=True, note=f"{here.over - died:.1f} s without a server")
