"""A server dies, and its standby takes over."""

import os
import pwd
import subprocess
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.conftest import server_binaries
from tests.fleet import query
from tests.lab.chaos.outcome import Outcome
from tests.lab.chaos.world import World, opened
from zeke_jobs.postgres import embedded
from zeke_jobs.postgres.pool import connect


class Pair(World):
    """A world with two servers: everything that the first acknowledges is on the second's disk (synchronous replication)."""

    def start_server(self) -> str:
        """Start both; the URL names both, and leads to the one that accepts writes."""
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
        command = [str(self._binaries() / "pg_basebackup"), *options.split()]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **user)
        # Started as the first one: a standby that allows fewer connections than its primary does not start.
        self.second = embedded.ensure(self.standby, bin_dir=server_binaries(), settings=self.settings)
        with closing(connect(first)) as conn:
            query(conn, "ALTER SYSTEM SET synchronous_standby_names = '*'")
            query(conn, "SELECT pg_reload_conf()")
        hosts = f"{self.server / 'data'},{data}"
        self.url = f"{first.partition('?')[0]}?host={hosts}&target_session_attrs=read-write"
        self.until(
            lambda: self.look("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == 1,
            30,
            "a standby",
        )
        return self.url

    def stop_server(self, mode: str) -> None:
        """Stop both."""
        self.stop_first(mode)
        with suppress(AttributeError, FileNotFoundError):
            embedded.stop(self.standby, mode=mode)

    def stop_first(self, mode: str) -> None:
        """Stop the server that first accepted writes."""
        super().stop_server(mode)

    def promote(self) -> None:
        """Let the standby take writes."""
        with closing(connect(self.second)) as conn:
            query(conn, "SELECT pg_promote(true, 60)")

    def _binaries(self) -> Path:
        """The folder of the programs of the server that runs now: the first, or the standby."""
        pid = (self.server / "data" / "postmaster.pid").read_text().split("\n", 1)[0]
        return Path(f"/proc/{pid}/exe").resolve().parent


def fail_over(*, quick: bool) -> Outcome:
    """The server dies under load, three seconds later its standby is promoted; whoever held a connection finds the other."""
    with opened(Pair("fail-over", quick=quick)) as here:
        workers = here.two()
        here.flow()
        with here.fault():
            here.stop_first("immediate")
            died = time.time()
            time.sleep(3)
            here.promote()
        here.whole()
        here.measure("after")
        here.drain()
        moved = here.look(
            "SELECT pg_is_in_recovery() OR current_setting('data_directory') <> %s", str(here.standby / "data")
        )
        here.promise("the standby has taken over", not moved)
        here.promise("no command line ended", all(kept.starts == 1 for kept in workers))
        return here.outcome(
            "the server of a synchronous pair dies, its standby is promoted 3 s later",
            recovers_in=10,
            note=f"{here.traffic.repeated} sends without an answer were repeated; {here.over - died:.1f} s without a server",
        )
