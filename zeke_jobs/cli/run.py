"""Runs a command. Turns an error into a message, and into an exit status for scripts."""

import errno
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NamedTuple

import typer
from psycopg2 import Error, OperationalError
from psycopg2.errors import InsufficientPrivilege, UndefinedFunction

from zeke_jobs import errors
from zeke_jobs.cli.output import say
from zeke_jobs.core.redaction import redact
from zeke_jobs.errors import ConfigurationError, InvalidPayload, MigrationError, UnknownRevision, UnknownTask
from zeke_jobs.postgres.pool import UNMIGRATED, AddressError
from zeke_jobs.postgres.roles import complaint

FINE = 0
FAILED = 1
WRONG_USE = 2  # a wrong configuration or command line
OUR_BUG = 3
PENDING = 4
INTERRUPTED = 130


class UsageError(errors.ZekeJobsError):
    """The command line is wrong. The message shows the accepted syntax."""


@contextmanager
def usage() -> Iterator[None]:
    """Turn a ValueError that the block raises, for example about a wrong option, into a UsageError."""
    try:
        yield
    except ValueError as error:
        raise UsageError(str(error)) from error


_MISUSE = (UsageError, AddressError, ConfigurationError, InvalidPayload, MigrationError, UnknownRevision, UnknownTask)
#: typer has its own copy of click since 0.20, so the base class is found through one of typer's classes.
_CLICK_ERROR: type[Exception] = next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException")


class Command(NamedTuple):
    """Describes a command, or a group of commands."""

    name: str
    place: str  # the command's module within the package of commands, and its function: ``queue.change:send``
    help: str  # the line in the list of commands
    settings: dict[str, Any] | None = None  # settings of the command's click context


def application(
    help_: str, root: Callable[..., None], package: str, commands: Sequence[Command], words: Sequence[str]
) -> typer.Typer:
    """Return an application. If ``words[0]`` is a command, it has only this one: all take three times as long."""
    app = typer.Typer(
        help=help_, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    app.callback()(root)
    for command in [one for one in commands if words and one.name == words[0]] or commands:
        module, _, attribute = command.place.partition(":")
        found = getattr(import_module(f"{package}.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=command.name, short_help=command.help)
        else:
            app.command(command.name, short_help=command.help, context_settings=command.settings)(found)
    return app


def run(app: Callable[[Sequence[str]], typer.Typer], name: str, arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments``, by default that of this process. Return the exit status.

    The status is 0 for success, 1 for failure, 2 for a wrong configuration or command line, 3 for a bug of zeke_jobs,
    4 if changes are pending, and 130 after an interrupt. If the output cannot be written, the command ends with
    status 1. ``app`` returns the typer application that can run the arguments.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # escape what the encoding lacks, as Python does on standard error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _run(app, name, sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except OSError as error:  # the output failed; otherwise Python would write the rest again at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        is_closed = isinstance(error, BrokenPipeError)
        return FAILED if is_closed else complain(f"expected to write all of the output, got: {error.strerror}", FAILED)
    return status


def _run(app: Callable[[Sequence[str]], typer.Typer], name: str, words: list[str]) -> int:
    try:
        status = app(words)(args=words, standalone_mode=False, prog_name=name)
    except _CLICK_ERROR as error:
        return _refuse(error, name)
    except _MISUSE as error:
        return complain(str(error), WRONG_USE)
    except InsufficientPrivilege as error:
        return complain(complaint(error), FAILED)
    except OperationalError as error:
        help_ = "help: is the server running, and does DATABASE_URL name it?"
        return complain(f"expected a database that answers, got: {str(error).strip()}\n  {help_}", FAILED)
    except (*UNMIGRATED, UndefinedFunction):
        return complain(missing, WRONG_USE) if (missing := _not_migrated()) else _our_bug()
    except errors.ZekeJobsError as error:
        next_step = f"\n  help: zeke-jobs why {error.job.id}" if isinstance(error, errors.JobFailed) else ""
        return complain(f"{error}{next_step}", FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:  # the error is shown in full, with its own exit status
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        return _our_bug()
    return status if isinstance(status, int) else FINE


def _not_migrated() -> str:
    """Return a text about missing migrations, or an empty string if the command's error has another cause."""
    from zeke_jobs.cli import database

    with suppress(Error, ConfigurationError):  # only the first error is shown
        try:
            with database.connection():
                pass
        except MigrationError as error:
            return str(error)
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
    """Print an error on standard error. Returns the status."""
    # Add "error: " unless the message already contains it, as messages about jobs.yaml do.
    with suppress(OSError):  # nobody reads the output, or the disk is full; the exit status also shows the error
        say(redact(message if ": error: " in message else f"error: {message}"), is_trouble=True)
    return status


def _our_bug() -> int:
    say(redact(traceback.format_exc()), end="", is_trouble=True)
    say("error: this is a bug of zeke-jobs; please report it, with the lines above", is_trouble=True)
    return OUR_BUG
