"""Does what somebody confirmed on the screen, by the public functions that the command line uses too."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2

from zeke_jobs import client
from zeke_jobs.control import pausing
from zeke_jobs.core.environment import author
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres import installation
from zeke_jobs.postgres.pool import connect

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from zeke_jobs.top.view import Command


def perform(url: str, command: Command) -> str:
    """Carry a command out, and say in one line what became of it, also where it was refused."""
    try:
        with closing(connect(url, application_name="zeke-jobs top")) as conn:
            installation.verify(conn)
            return _perform(conn, command)
    except (ZekeJobsError, psycopg2.Error) as error:
        return f"{command.verb} {command.target}: {' '.join(str(error).split())}"


def _perform(conn: Connection, command: Command) -> str:
    match command.verb:
        case "pause":
            done = pausing.pause(conn, command.target, by=author(), reason="from top")
            return f"{command.target} {'is paused' if done else 'was paused already'}"
        case "resume":
            done = pausing.resume(conn, command.target, by=author())
            return f"{command.target} {'is resumed' if done else 'was not paused by anybody'}"
        case "cancel":
            return f"{command.target}: {client.cancel(command.target, 'from top', by=author(), connection=conn).note}"
        case "retry":
            return f"{command.target}: {client.retry(command.target, by=author(), connection=conn).note}"
