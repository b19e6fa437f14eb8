"""The programs in tests/lab share a command line, a durable server, tables of figures, and facts about the machine."""

import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg2

from tests.fleet import cpu_of, query
from zeke_jobs.postgres import embedded
from zeke_jobs.postgres.pool import connect


@dataclass(frozen=True)
class Server:
    """Each measured system gets new databases on this running server; ``files`` is a folder for the run's files."""

    files: Path
    url: str
    about: str  # The text describes the server.
    process: psutil.Process

    def create(self, name: str) -> str:
        with closing(connect(self.url)) as conn:
            query(conn, f"CREATE DATABASE {name}")
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{name}"))

    def drop(self, url: str) -> None:
        with closing(connect(self.url)) as conn:
            query(conn, f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")

    def cpu(self) -> float:
        return cpu_of(self.process)


@contextmanager
def start(bin_dir: Path | None = None) -> Iterator[Server]:
    """Start a PostgreSQL server in a temporary folder: the embedded one, or that of ``bin_dir`` with its own defaults."""
    folder = Path(tempfile.mkdtemp(prefix="zeke-lab-"))
    try:
        url = embedded.ensure(folder, bin_dir=bin_dir)
        (files := folder / "files").mkdir()
        pid = (folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0]
        yield Server(files, url, describe(url, bin_dir), psutil.Process(int(pid)))
    finally:
        embedded.stop(folder, mode="immediate")
        shutil.rmtree(folder)


def describe(url: str, bin_dir: Path | None) -> str:
    with closing(psycopg2.connect(url)) as conn:  # A connection of zeke_jobs would switch JIT off.
        sql = "SELECT split_part(current_setting('server_version'), ' ', 1), pg_jit_available()"
        [(version, jit)] = query(conn, sql)
    kind = "embedded" if bin_dir is None else "with its own defaults"
    return f"PostgreSQL {version} {kind}, JIT {'on' if jit else 'off'}"


def command(
    name: str,
    about: str | None,
    arguments: Sequence[str] | None,
    parts: Iterable[str] = (),
    quick: str = "",
    **options: object,
) -> Namespace:
    """Parse a lab program's command line, and let SIGTERM and SIGINT end all processes that the program starts.

    The user may choose what to run of ``parts``. ``quick`` is the help text of ``--quick``; ``options`` maps options to defaults.
    """
    parser, names = ArgumentParser(prog=f"nox -s {name} --", description=about), list(parts)
    if names:
        parser.add_argument("parts", nargs="*", help=f"of: {', '.join(names)}; without one, all")
    if quick:
        parser.add_argument("--quick", action="store_true", help=quick)
    for option, default in options.items():
        parser.add_argument(f"--{option}", type=type(default), default=default, help="default: %(default)s")
    said = "another PostgreSQL, with its own defaults, instead of the embedded one"
    parser.add_argument("--server", type=binaries, metavar="PATH-OF-BIN", help=said)
    chosen = parser.parse_args(arguments)
    if names:
        if unknown := set(chosen.parts) - set(names):
            parser.error(f"expected one of {', '.join(names)}, got {', '.join(unknown)}")
        chosen.parts = chosen.parts or names
    end_with_us()
    return chosen


def binaries(named: str) -> Path:
    """Check that ``--server`` names a folder with PostgreSQL's programs, and return it."""
    if not (Path(named) / "initdb").exists():
        expected = "a folder with PostgreSQL's initdb, such as /usr/lib/postgresql/15/bin"
        raise ArgumentTypeError(f"expected {expected}, got {named}")
    return Path(named)


def end_with_us() -> None:
    """Let SIGTERM and SIGINT end all processes of a lab program; a second signal is ignored."""

    def stop(number: int, _frame: object) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        sys.exit(128 + number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)


def say(text: str) -> None:
    print(f"{text} (load {os.getloadavg()[0]:.1f})", file=sys.stderr, flush=True)


def machine() -> str:
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the end"


@dataclass(frozen=True)
class Row:
    """A row shows one figure; ``value`` is None if nothing was measured."""

    what: str
    value: float | None
    unit: str = "jobs/s"
    ratio: float | None = None  # The ratio compares the figure with the figure of ``against``.
    against: str = ""
    least: float | None = None  # The ratio should be at least ``least``.
    most: float | None = None  # The figure should be at most ``most``.
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """Format a row of the table; three digits of a figure are enough."""
        value, target = "—", ""
        if self.value is not None:
            value = f"{self.value:,.0f} {self.unit}" if self.value >= 100 else f"{self.value:.3g} {self.unit}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f} ({self.against})"
        if self.least is not None and self.ratio is not None:
            target = f"≥ {self.least:g}: {'reached' if self.ratio >= self.least else '**missed**'}"
        elif self.most is not None and self.value is not None:
            target = f"≤ {self.most:g}: {'reached' if self.value <= self.most else '**missed**'}"
        return self.what, value, ratio, target, self.note


def middle(what: str, rounds: Sequence[float], others: Sequence[float] | None = None, **more: object) -> Row:
    """Make a row with the median of ``rounds``, and its ratio to that of ``others``, which ran alternately with them."""
    value = statistics.median(rounds)
    ratio = None if others is None else value / statistics.median(others)
    return Row(what, value, ratio=ratio, **more)  # type: ignore[arg-type] # Row's own names


def figures(found: Mapping[str, Iterable[Row]], about: str) -> str:
    rows = [cells for name, part in found.items() for cells in ((f"`{name}`",), *(row.cells() for row in part))]
    return f"{about}\n\n{table(('what', 'figure', 'ratio', 'target', 'note'), rows)}"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Format a table in Markdown; a short row is filled with empty cells."""
    filled = [heads, *([*map(str, row), *[""] * (len(heads) - len(row))] for row in rows)]
    head, *lines = [f"| {' | '.join(cells)} |" for cells in filled]
    return "\n".join([head, f"|{'---|' * len(heads)}", *lines])
