"""Puts a jobs.yaml in force, by hand or when a process starts, in one transaction that also checks and plans the change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json
from pydantic_core import to_jsonable_python
from structlog.typing import FilteringBoundLogger

from zeke_jobs.config import catalogue, digest_of, load_text, read_text
from zeke_jobs.config.models import Config
from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError, Contended, StrandedJobs
from zeke_jobs.postgres import lock_waits
from zeke_jobs.postgres.pool import transaction
from zeke_jobs.postgres.queries import SQL
from zeke_jobs.revisions import overrides as by_hand, store
from zeke_jobs.revisions.proposal import Proposal, Request, propose
from zeke_jobs.revisions.store import Override

_TURN = 10.0  # seconds to wait for another change of the catalogue; no other session has to wait in that time
_REVERT_WITHIN = 2.0  # seconds; after that, another process or a later call ends the overrides
T = TypeVar("T")
_STRANDED = """\
expected no unfinished jobs of removed tasks, got {jobs}
  help: decide about them: zeke-jobs apply --drain {name} (the task runs until they have ended), --cancel {name}, \
or --rename {name}=NEW"""
ITSELF = "zeke-jobs"  # the author of the revision that ends a timed override


@dataclass(frozen=True)
class Applied:
    """Holds the revision and the configuration in force after ``apply``. ``is_new`` is False if nothing had to change."""

    revision: int
    proposal: Proposal
    is_new: bool


def apply(conn: Connection, request: Request) -> Applied:
    """Put the requested jobs.yaml in force. ``conn`` is an autocommit connection.

    Raises:
        ConfigurationError: an override does not fit the new jobs.yaml, or ``request.orders`` names an unknown task.
        StrandedJobs: ``request.orders`` omits a removed task with unfinished jobs; the error's ``proposal`` names them.
        Contended: another session holds the locks, or the database aborted every attempt.
    """
    return one_at_a_time(conn, lambda: apply_locked(conn, request))


def one_at_a_time(conn: Connection, change: Callable[[], T], *, patience: float | None = None) -> T:
    """Change tasks and limits in a transaction, one process at a time. After a lock timeout or deadlock, try again.

    ``patience`` is the number of seconds before Contended is raised, by default ``lock_waits.PATIENCE``.
    """

    def attempt() -> T:
        with transaction(conn):
            lock_waits.bound(conn, _TURN if patience is None else min(_TURN, patience))
            SQL.run(conn, "revision/lock")
            lock_waits.bound(conn)
            return change()

    return lock_waits.patiently(conn, "a change of the catalogue", attempt, patience=patience)


def apply_locked(conn: Connection, request: Request) -> Applied:
    """Do the work of ``apply`` in the caller's transaction, which holds the lock for changes of jobs.yaml."""
    proposal = propose(conn, request)
    if proposal.latest is not None and not proposal.plan.is_pending:
        return Applied(proposal.latest.number, proposal, is_new=False)
    if stranded := proposal.plan.stranded:
        jobs = "; ".join(f"{one.name}: {one.queued} queued and {one.active} active" for one in stranded)
        raise StrandedJobs(_STRANDED.format(jobs=jobs, name=stranded[0].name), proposal)
    config, before = proposal.config, proposal.before.tasks if proposal.before else {}
    revision = {name: getattr(request, name) for name in ("by", "message", "origin")}
    revision |= {"digest": config.digest, "source": config.text, "shown": store.shown(config, proposal.overrides)}
    revision["overrides"] = to_jsonable_python(proposal.overrides)
    priorities = [  # queued jobs that were sent with a task's old priority get the new priority
        {"task": task.id, "priority": task.priority, "was": before[task.id].priority}
        for task in config.tasks.values()
        if task.id in before and before[task.id].priority != task.priority
    ]
    number = SQL.value(
        conn,
        "revision/put",
        revision=Json(revision),
        buckets=Json(catalogue.buckets(config)),
        tasks=Json(catalogue.tasks(config, store.draining(proposal.overrides))),
        cancel=sorted(request.orders.cancel),
        priorities=Json(priorities),
    )
    return Applied(number, proposal, is_new=True)


def set_by_hand(
    conn: Connection, change: Callable[[Config, Sequence[Override]], Sequence[Override]], *, by: str, message: str
) -> Applied:
    """Replace the values set by hand. ``change`` gets the file in force and its overrides, and returns the new ones.

    ``change`` is called once for each try, with the tables of tasks locked. Raises Contended or ConfigurationError.
    """

    def set_under_lock() -> Applied:
        if (latest := store.latest(conn)) is None:
            help_ = "start a worker, or run zeke-jobs apply"
            raise ConfigurationError(f"expected a revision in force, got none\n  help: {help_}")
        file = load_text(latest.source, f"revision {latest.number}")
        return apply_locked(conn, Request(file, by, message, "set", overrides=change(file, latest.overrides)))

    return one_at_a_time(conn, set_under_lock)


def revert_due(conn: Connection) -> Applied | None:
    """End the overrides that have expired, or whose task has drained. If several processes try, only one ends them.

    Raises Contended, or ConfigurationError if jobs.yaml without these overrides does not fit this process's code.
    """

    def revert() -> Applied | None:
        latest, due = store.latest(conn), {row["place"] for row in SQL.all(conn, "revision/due")}
        if latest is None or not due:
            return None
        file, placed = load_text(latest.source, f"revision {latest.number}"), list(enumerate(latest.overrides, start=1))
        message = "; ".join(_ended(one, latest.overrides) for place, one in placed if place in due)
        kept = [one for place, one in placed if place not in due]
        return apply_locked(conn, Request(file, ITSELF, message, "revert", overrides=kept))

    is_due = SQL.one(conn, "revision/due") is not None
    return one_at_a_time(conn, revert, patience=_REVERT_WITHIN) if is_due else None


def revert_and_log(conn: Connection, log: FilteringBoundLogger) -> None:
    """Call ``revert_due`` and log its result."""
    try:
        reverted = revert_due(conn)
    except (ConfigurationError, Contended) as error:  # another process may succeed, or this process at its next beat
        log.warning("the time of an override is over, but this process cannot end it", error=str(error))
    else:
        if reverted is not None:
            log.info("ended values that were set for a time", revision=reverted.revision)


def _ended(override: Override, before: Sequence[Override]) -> str:
    if override.drains is not None:
        return f"{override.path[1]} has drained"
    back = by_hand.hidden_by(override, before)
    why = f" ({override.why})" if override.why else ""
    reasons = "; ".join(one.why for one in back if one.why)
    then = f", back to {by_hand.listed(back, override)}{f' ({reasons})' if reasons else ''}" if back else ""
    return f"{override.label} was set until now{why}{then}"


_PATIENCE = 10.0  # seconds; after that the process logs which session holds the catalogue, and boots again


@dataclass(frozen=True)
class InForce:
    """Describes the configuration that all processes use."""

    revision: int
    config: Config
    file_revision: int | None  # the newest revision with the text of the caller's file; None if it was never in force

    @property
    def is_file(self) -> bool:
        """Return whether the text of the caller's jobs.yaml is in force. If not, the caller's file is ignored."""
        return self.revision == self.file_revision


def sync(conn: Connection, config: Config) -> InForce:
    """Put a starting process's jobs.yaml in force if the file is new. Returns the configuration that is then in force.

    A new file becomes the next revision, after the checks of ``apply``. If the file is in force already, values set by
    hand stay. A file with the text of an older revision is ignored. A process that starts again after a crash ignores
    a new file too, because somebody may be editing it. Raises the same exceptions as ``apply``, and ConfigurationError
    if the jobs.yaml in force does not fit this process's code.
    """
    return one_at_a_time(conn, lambda: _sync(conn, config), patience=_PATIENCE)


def _sync(conn: Connection, config: Config) -> InForce:
    latest, known = store.latest(conn), store.number_of(conn, config.digest)
    if latest is None or (known is None and not environment.lookup(environment.RESTART)):
        made = apply_locked(conn, Request(config, environment.author(), environment.reason(), "boot"))
        return InForce(made.revision, made.proposal.config, made.revision)
    in_force = latest.config() if latest.overrides or latest.digest != config.digest else config
    if latest.digest == config.digest:
        # Store the tasks again: newer code may have other payload models. Limits come first: their lock stops claims.
        SQL.run(conn, "revision/limits", buckets=Json(catalogue.buckets(in_force)))
        rows = catalogue.tasks(in_force, store.draining(latest.overrides))
        SQL.run(conn, "revision/tasks", revision=latest.number, tasks=Json(rows))
    return InForce(latest.number, in_force, known)


def file_revision(conn: Connection, known: int | None) -> int | None:
    """Return the newest revision with jobs.yaml's text. If none has it or the file is unreadable, return ``known``."""
    try:
        text = read_text(environment.config_path())
    except ConfigurationError:
        return known
    return store.number_of(conn, digest_of(text)) or known
