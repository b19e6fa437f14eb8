"""The arguments of every measurement: the server, a folder, and the time allowed."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fleet import fleet
from tests.lab.bench import drain, ours
from tests.lab.bench.drain import Running
from tests.lab.server import Server
from zeke_jobs.postgres.pool import connect

PRODUCTION = {"ZEKE_JOBS_HEARTBEAT": "5"}


@dataclass
class Bench:
    """One run."""

    server: Server
    folder: Path
    quick: bool
    _names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)

    @property
    def rounds(self) -> int:
        """How often each figure is taken."""
        return 3 if self.quick else 5

    @property
    def seconds(self) -> float:
        """How long a round should take."""
        return 1.0 if self.quick else 5.0

    def say(self, text: str) -> None:
        """Show progress."""
        print(f"  {text}", file=sys.stderr, flush=True)

    def database(self, name: str) -> str:
        """A new database; of names that come twice, the second is another."""
        unique = name
        while unique in self._names:
            unique += "_"
        self._names.add(unique)
        return self.server.create(unique)

    def installation(self, name: str, text: str) -> ours.Installation:
        """zeke_jobs on a new database."""
        return ours.Installation(self.database(name), self.folder / f"config-{len(self._names)}", text)

    @contextmanager
    def running(self, system: Any, *, keep: bool = False, **start: Any) -> Iterator[Running]:
        """The system with its workers up, and its database dropped afterwards, unless it is to ``keep``."""
        folder = self.folder / f"fleet-{len(self._names)}-{id(system)}"
        with fleet(folder, system.url, **PRODUCTION) as up, closing(connect(system.url)) as conn:
            system.start(up, **start)
            drain.eventually(lambda: system.ready(conn, **start), up, patience=120)
            yield Running(system, up, conn, self.server)
        if not keep:
            self.server.drop(system.url)
