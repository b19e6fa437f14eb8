"""Runs a command: an error becomes a message in a uniform format, and an exit status for scripts."""

from __future__ import annotations

import io
import sys
import traceback
from contextlib import closing, contextmanager
from copy import copy
from typing import TYPE_CHECKING

import typer
from psycopg2 import Error, OperationalError
from psycopg2.errors import InsufficientPrivilege, UndefinedFunction

from zeke_jobs.cli.output import say
from zeke_jobs.core.redaction import redact
from zeke_jobs.errors import (
    ConfigurationError,
    InvalidPayload,
    JobFailed,
    MigrationError,
    UnknownRevision,
    UnknownTask,
    ZekeJobsError,
)
from zeke_jobs.postgres.pool import UNMIGRATED, AddressError
from zeke_jobs.postgres.roles import complaint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FINE = 0
FAILED = 1
WRONG_USE = 2  # a wrong configuration or command line
OUR_BUG = 3
PENDING = 4
INTERRUPTED = 130


class UsageError(ZekeJobsError):
    """The command line is wrong. The message names the accepted form."""


@contextmanager
def usage() -> Iterator[None]:
    """Turn a ValueError of the block, such as one about a wrong option, into a UsageError."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


_WRONG_USE = (
    UsageError,
    AddressError,
    ConfigurationError,
    InvalidPayload,
    MigrationError,
    UnknownRevision,
    UnknownTask,
)
#: typer has its own copy of click since 0.20, so the base class is found through one of typer's classes.
_CLICK_ERROR: type[Exception] = next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException")


def run(app: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command in ``arguments`` (by default the process's own) and return its exit status.

    0 success, 1 failure, 2 configuration or usage, 3 a bug of zeke_jobs, 4 changes are pending, 130 interrupted.
    """
    _never_fail_for_a_character()
    try:
        words = sys.argv[1:] if arguments is None else list(arguments)
        status = _narrowed(app, words)(args=words, standalone_mode=False, prog_name=name)
    except _CLICK_ERROR as error:
        return _refuse(error, name)
    except _WRONG_USE as error:
        return complain(str(error), WRONG_USE)
    except (OperationalError, InsufficientPrivilege) as error:
        return complain(_database_says(error), FAILED)
    except (*UNMIGRATED, UndefinedFunction):
        missing = _not_migrated()
        return complain(missing, WRONG_USE) if missing else _our_bug()
    except ZekeJobsError as error:
        next_step = f"\n  help: zeke-jobs why {error.job.id}" if isinstance(error, JobFailed) else ""
        return complain(f"{error}{next_step}", FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has ended, as `head` does.
        sys.stdout = None  # so that nothing is flushed at exit
        return FAILED
    except Exception:  # noqa: BLE001 (shown in full, with a status of its own)
        return _our_bug()
    return status if isinstance(status, int) else FINE


def _narrowed(app: typer.Typer, words: Sequence[str]) -> typer.Typer:
    """The application with the command that the words name alone: typer takes a twentieth of a second to build them all."""
    name = words[0] if words else ""
    commands = [one for one in app.registered_commands if one.name == name]
    groups = [one for one in app.registered_groups if one.name == name]
    if not app.registered_callback or not (commands or groups):
        return app  # one command alone would have no name; help, an option, or a command that does not exist
    narrowed = copy(app)
    narrowed.registered_commands, narrowed.registered_groups = commands, groups
    return narrowed


def _never_fail_for_a_character() -> None:
    """Escape on standard output what its encoding lacks, as Python does on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _database_says(error: Exception) -> str:
    if isinstance(error, InsufficientPrivilege):
        return complaint(error)
    help_ = "help: is the server running, and does DATABASE_URL name it?"
    return f"expected a database that answers, got: {str(error).strip()}\n  {help_}"


def _not_migrated() -> str:
    """The missing part of our schema, in words; empty if the schema is complete and the error has another cause."""
    from zeke_jobs.core import environment
    from zeke_jobs.postgres import migrate
    from zeke_jobs.postgres.pool import connect

    try:
        with closing(connect(environment.database_url(), application_name="zeke-jobs")) as conn:
            migrate.verify(conn)
    except MigrationError as error:
        return str(error)
    except (Error, ConfigurationError):  # the first error is shown
        pass
    return ""


def _refuse(error: Exception, name: str) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else name
    shown: str = error.format_message()  # type: ignore[attr-defined] # click's
    if type(error).__name__ == "NoArgsIsHelpError":  # typer does not export it
        say(shown, is_trouble=True)
        return WRONG_USE
    return complain(f"{shown[:1].lower()}{shown[1:].rstrip('.')}\n  help: {path} --help", WRONG_USE)


def complain(message: str, status: int) -> int:
    """Print an error on standard error; returns the status."""
    # Each line of jobs.yaml's diagnostics has "error" already.
    say(redact(message if ": error: " in message else f"error: {message}"), is_trouble=True)
    return status


def _our_bug() -> int:
    say(redact(traceback.format_exc()), end="", is_trouble=True)
    say("error: this is a bug of zeke-jobs; please report it, with the lines above", is_trouble=True)
    return OUR_BUG
