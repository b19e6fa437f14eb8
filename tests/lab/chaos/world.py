"""A world is one system under load: it has a server, workers, a scheduler and a sender, and is checked at the end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from tests.conftest import server_binaries
from tests.fleet import Command, Fleet, open_folder, query
from tests.lab import server
from tests.lab.chaos import proof
from tests.lab.chaos.proof import Interval, Outcome
from tests.lab.chaos.traffic import LIMITS, MIXED, SHARED, TASKS, Kinds, Traffic
from tests.lab.handlers import TRACE
from zeke_jobs.postgres import embedded, migrate
from zeke_jobs.postgres.pool import DISCONNECTED, connect

THREADS = 8
#: The times are seconds to settle and to measure, by the value of ``quick``.
PHASE = {True: (2.0, 3.0), False: (2.0, 9.0)}
OPEN = "SELECT count(*) FROM zeke_jobs.queue WHERE state IN ('queued', 'consumed')"
NO_DEATH = "SELECT max(deaths) = 0 FROM zeke_jobs.queue"
_DONE = "SELECT count(*) FROM zeke_jobs.queue WHERE state = 'done'"
_IN_FLOW = 30  # At most _IN_FLOW jobs wait or run while the workers keep up.


class Kept:
    """The process is restarted as soon as it has ended, as systemd does with Restart=always."""

    _lock = threading.Lock()  # A fleet starts one process at a time.

    def __init__(self, begin: Callable[[], Command]) -> None:
        self.begin, self.starts, self.is_wanted = begin, 0, True
        self._start()
        threading.Thread(target=self._keep, daemon=True).start()

    def _start(self) -> None:
        with self._lock:
            if self.is_wanted:
                self.command = self.begin()
                self.starts += 1

    def _keep(self) -> None:
        while self.is_wanted:
            time.sleep(0.05)
            if self.is_wanted and self.command.process.poll() is not None:
                time.sleep(0.1)
                with suppress(ProcessLookupError):
                    self.command.kill()  # This also kills child processes that outlived their parent.
                self._start()

    def release(self) -> Command:
        with self._lock:
            self.is_wanted = False
        return self.command

    def pids(self) -> list[int]:
        with suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.command.pid)
            return [main.pid, *(child.pid for child in main.children(recursive=True))]
        return []


@dataclass
class World:
    quick: bool
    heartbeat: float = 1.0
    settings: dict[str, str] = field(default_factory=dict)  # ``settings`` are for the server.
    kinds: Kinds = field(default_factory=lambda: MIXED)  # The keys are the kinds of jobs to send.
    tasks: str = TASKS  # ``tasks`` is the text of jobs.yaml.
    data: Path | None = None  # The server's folder is by default inside the world's folder.
    gone: dict[int, list[Interval]] = field(default_factory=dict)
    phases: dict[str, Interval] = field(default_factory=dict)
    promises: list[tuple[str, bool]] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    schedulers: list[Kept] = field(default_factory=list)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = stack.enter_context(open_folder("chaos"))
            self.server, self.trace = self.data or self.folder / "server", self.folder / "trace"
            self.lost_after = 4 * self.heartbeat
            stack.callback(self.stop_server, "immediate")
            self.url = self.start_server()
            self.about = server.describe(self.url, server_binaries())
            with closing(connect(self.url)) as conn:
                migrate.migrate(conn)
                query(conn, "CREATE TABLE effect (job uuid NOT NULL); CREATE INDEX ON effect (job)")
            environment = dict.fromkeys((name for name in os.environ if name.startswith("ZEKE_JOBS_")), "")
            environment |= {"ZEKE_JOBS_HEARTBEAT": str(self.heartbeat), TRACE: str(self.trace)}
            self.fleet = Fleet(self.folder, self.url, environment=environment)
            self.traffic = Traffic(self.url, self.kinds)
            stack.callback(self.traffic.stop)
            stack.callback(self.fleet.stop)
            stack.callback(lambda: [kept.release() for kept in self.kept])
            self.fleet.configure(self.tasks)
            self.fleet.zeke("apply")
            self._end = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def start_server(self) -> str:
        return embedded.ensure(self.server, bin_dir=server_binaries(), settings=self.settings)

    def stop_server(self, mode: str) -> None:
        with suppress(FileNotFoundError):
            embedded.stop(self.server, mode=mode)

    def keep(self, start: Callable[..., Command], **environment: Any) -> Kept:
        self.kept.append(Kept(lambda: start(**environment)))
        return self.kept[-1]

    def scheduler(self, **environment: str) -> Kept:
        self.schedulers.append(self.keep(self.fleet.scheduler, **environment))
        return self.schedulers[-1]

    def joined(self, kind: str = "worker") -> int:
        return int(self.look("SELECT count(*) FROM zeke_jobs.worker WHERE kind = %s", kind))

    def begin(self, workers: int = 2, first: Mapping[str, str] = {}) -> list[Kept]:
        """Start workers, and wait until jobs flow; ``first`` adds to the first worker's environment."""
        started = [self.keep(self.fleet.workers, threads=THREADS, **({} if n else dict(first))) for n in range(workers)]
        self.until(lambda: self.joined() >= workers, 90, "workers")
        self.until(lambda: self.joined("scheduler") >= len(self.schedulers), 90, "schedulers")
        self.traffic.start()
        if self.kinds:
            self.until(lambda: self.look(_DONE) >= 100, 60, "a flow of jobs")
            # A backlog would make the measured rate higher than the rate of sends.
            self.comes(lambda: self.look(OPEN) <= _IN_FLOW, 30)
        return started

    def whole(self, workers: int = 2) -> None:
        """Wait until ``workers`` processes are registered again, and the jobs of dead workers have run."""
        self.comes(lambda: self.joined() >= workers and self.look(f"{OPEN} AND deaths > 0") == 0, 60)

    def kill(self, kept: Kept) -> None:
        pids = kept.pids()
        kept.command.kill()
        self.note_gone(pids, time.monotonic(), float("inf"))

    def note_gone(self, pids: list[int], begin: float, end: float) -> None:
        for pid in pids:
            self.gone.setdefault(pid, []).append((begin, end))

    @contextmanager
    def frozen(self, kept: Kept) -> Iterator[None]:
        pids, group, begin = kept.pids(), kept.command.pid, time.monotonic()
        os.killpg(group, signal.SIGSTOP)
        yield
        self.note_gone(pids, begin, time.monotonic())
        os.killpg(group, signal.SIGCONT)

    def look(self, sql: str, *params: Any) -> Any:
        return next((first for first, *_ in self.rows(sql, *params)), None)

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        with closing(connect(self.url)) as conn:
            return query(conn, sql, *params)

    def comes(self, condition: Callable[[], Any], patience: float) -> bool:
        """Say whether a condition becomes true within ``patience`` seconds; an unreachable database counts as false."""
        end = time.monotonic() + patience
        while True:
            with suppress(*DISCONNECTED):
                if condition():
                    return True
            if time.monotonic() > end:
                return False
            time.sleep(0.05)

    def until(self, condition: Callable[[], Any], patience: float, what: str) -> None:
        if not self.comes(condition, patience):
            raise RuntimeError(f"{what}: not in {patience:g} s\n{self.fleet.logs()}")

    def said(self, *words: str) -> bool:
        return any(each in command.text() for command in self.fleet.commands for each in words)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        begin = time.time()
        try:
            yield
        finally:
            self.phases[name] = begin, time.time()

    def measure(self, name: str) -> None:
        """Measure a phase without faults, after the system has settled."""
        settle, length = PHASE[self.quick]
        time.sleep(settle)
        with self.phase(name):
            time.sleep(length)

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Measure a phase without faults, and then the ``with`` block, which causes the fault."""
        self.measure("before")
        with self.phase("during"):
            yield
        self.over = time.time()

    def promise(self, text: str, held: object) -> None:
        self.promises.append((text, bool(held)))

    def calm(self, *, workers: int = 0) -> None:
        """After the fault, wait until the workers are back, measure for some seconds, and let all jobs end."""
        if workers:
            self.whole(workers)
        self.measure("after")
        self.drain()

    def drain(self) -> None:
        """Stop the sender and the schedulers, and wait until all sent jobs have ended."""
        self.traffic.stop()
        for scheduler in self.schedulers:
            scheduler.release().stop(30)
        self.drained = self.comes(lambda: self.look(OPEN) == 0, 120)

    def outcome(
        self,
        broke: str,
        *,
        recovers_in: float | None = None,
        after_share: float | None = 0.9,
        note: str = "",
        stays: bool = False,
    ) -> Outcome:
        """Check the promises of all scenarios; jobs must end at ``after_share`` of the rate before the fault, or faster.

        If ``stays`` is true, no worker or scheduler may have ended.
        """
        with closing(connect(self.url)) as conn:
            found = proof.account(conn, self.traffic.ledger)
            moments = proof.completions(conn)
        peaks = proof.peaks(proof.runs(self.trace), self.gone, SHARED)
        rates = {name: proof.rate(moments, phase) for name, phase in self.phases.items()}
        if stays:
            self.promise("no command line ended", all(kept.starts == 1 for kept in self.kept))
        self.promise("nothing lost", found.lost == 0 and self.drained)
        self.promise("no effect twice", found.duplicated == 0)
        if found.faults:
            self.promise(f"nothing odd in the table: {', '.join(found.faults)}", held=False)
        over = {name: peaks.get(name, 0) for name, most in LIMITS.items() if peaks.get(name, 0) > most}
        self.promise("limits exact" if not over else f"limits exact, got {over}", not over)
        recovery = None
        if recovers_in is not None:
            recovery = proof.recovery(moments, self.over, rates["before"], self.phases["after"][1])
            self.promise(f"recovery ≤ {recovers_in:g} s", recovery is not None and recovery <= recovers_in)
        if after_share is not None and {"before", "after"} <= rates.keys():
            is_back = rates["after"] >= after_share * rates["before"] > 0
            self.promise(f"throughput after ≥ {after_share * 100:.0f} %", is_back)
        figures = [f"{name} {rate:,.0f} jobs/s" for name, rate in rates.items()]
        figures += [] if recovery is None else [f"recovery {recovery:.1f} s"]
        figures.append(f"{found.sent:,} sent, {found.finished:,} completed, {found.stated:,} ended with a reason")
        figures += [note] if note else []
        broken = [text for text, held in self.promises if not held]
        required = "; ".join(f"NOT: {text}" for text in broken) or "; ".join(text for text, _ in self.promises)
        return Outcome(f"{broke}. {', '.join(figures)}. Required: {required}", broken, found, self.about)
