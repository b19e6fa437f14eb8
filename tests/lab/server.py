"""What laboratories share: their command line, their server with the durability of production, what it costs, and the machine."""

import os
import platform
import shutil
import signal
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg2
from psycopg2.extensions import connection as Connection

from tests.fleet import cpu_of, query
from zeke_jobs.postgres import embedded
from zeke_jobs.postgres.pool import connect


@dataclass(frozen=True)
class Server:
    """A running server; each system under measurement gets databases of its own, and files of the run go to ``files``."""

    folder: Path
    url: str
    about: str  # which one it is

    @property
    def files(self) -> Path:
        (found := self.folder / "files").mkdir(exist_ok=True)
        return found

    def create(self, name: str) -> str:
        """Make an empty database and return its URL."""
        with closing(connect(self.url)) as conn:
            query(conn, f"CREATE DATABASE {name}")
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop(self, url: str) -> None:
        with closing(connect(self.url)) as conn:
            query(conn, f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")

    def cpu(self) -> float:
        """Seconds of CPU that all server processes have used so far, ended ones included."""
        return cpu_of(psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])))


def command(
    name: str,
    about: str | None,
    arguments: Sequence[str] | None,
    parts: Iterable[str] = (),
    quick: str = "",
    **options: object,
) -> Namespace:
    """Read the command line of a laboratory, a session of nox, and let signals end all that it starts.

    Of ``parts`` those that are named run, or all; ``quick`` is the help of ``--quick``; ``options`` have their defaults.
    """
    parser, names = ArgumentParser(prog=f"nox -s {name} --", description=about), list(parts)

    def known(part: str) -> str:
        if part not in names:  # choices refuses no name at all, on some versions of Python
            raise ArgumentTypeError(f"expected one of {', '.join(names)}, got {part}")
        return part

    if names:
        parser.add_argument("parts", nargs="*", type=known, help=f"of: {', '.join(names)}; without one, all")
    if quick:
        parser.add_argument("--quick", action="store_true", help=quick)
    for option, default in options.items():
        parser.add_argument(f"--{option}", type=type(default), default=default, help="default: %(default)s")
    said = "another PostgreSQL, with its own defaults, instead of the embedded one"
    parser.add_argument("--server", type=binaries, metavar="PATH-OF-BIN", help=said)
    chosen = parser.parse_args(arguments)
    if names and not chosen.parts:
        chosen.parts = names
    end_with_us()
    return chosen


def binaries(named: str) -> Path:
    """The value of ``--server``: the folder of a PostgreSQL's programs."""
    if not (Path(named) / "initdb").exists():
        raise ArgumentTypeError(
            f"expected a folder with PostgreSQL's initdb, such as /usr/lib/postgresql/15/bin, got {named}"
        )
    return Path(named)


def announce(what: str) -> None:
    """Show which part begins, and how busy the machine is."""
    print(f"{what} … (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)


def machine() -> str:
    """For the head of a table."""
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"


def end_with_us() -> None:
    """Let SIGTERM and SIGINT end everything that a laboratory has started; a second signal does not disturb that."""

    def stop(number: int, _frame: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


@contextmanager
def start(bin_dir: Path | None = None) -> Iterator[Server]:
    """A server for the block, in a temporary folder: the embedded one, or another with its own defaults."""
    folder = Path(tempfile.mkdtemp(prefix="zeke-lab-"))
    try:
        url = embedded.ensure(folder, bin_dir=bin_dir)
        yield Server(folder, url, describe(url, bin_dir))
    finally:
        embedded.stop(folder, mode="immediate")
        shutil.rmtree(folder)


def describe(url: str, bin_dir: Path | None) -> str:
    """Which server it is, for the head of a table."""
    with closing(psycopg2.connect(url)) as conn:  # not ours, which switches JIT off
        sql = "SELECT split_part(current_setting('server_version'), ' ', 1), pg_jit_available()"
        [(version, jit)] = query(conn, sql)
    kind = "embedded" if bin_dir is None else "with its own defaults"
    return f"PostgreSQL {version} {kind}, JIT {'on' if jit else 'off'}"


def vacuum(conn: Connection) -> None:
    """The work of autovacuum, done between rounds, so that each starts alike."""
    try:
        query(conn, "VACUUM (ANALYZE)")
    except psycopg2.errors.LockNotAvailable:  # pragma: no cover
        return
