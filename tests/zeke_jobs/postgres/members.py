"""Each of the four roles has a login user, and this module lists all rights of each role."""

from contextlib import closing
from urllib.parse import urlsplit, urlunsplit

import pytest
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres import roles
from zeke_jobs.postgres.pool import connect

TASKS = """
  echo: {handler: 'H:echo', aliases: [parrot], max_wait: 1m}
  tick: {handler: 'H:echo', cron: '* * * * *', paused: true}
"""
MEMBERS = {name: f"zeke_test_{name.removeprefix('zeke_jobs_')}" for name in (
    roles.CLIENT, roles.WORKER, roles.OPERATOR, roles.READER)}  # fmt: skip


SENDING = {
    "known_task", "refuse_sender", "task_names", "output_of", "send", "enqueue", "enqueue_many",
    "open_batch", "try_open_batch", "close_batch", "emit", "put_schedule", "delete_schedule",
}  # fmt: skip
LOOKING = {"oldest_due", "depth", "due_jobs", "pace", "room_of", "turns_before"}
CHANGING = {
    "cancel_batch", "retry_batch", "pause", "resume", "note_sent", "count_changes", "change_jobs", "import_jobs",
}  # fmt: skip
DECIDING = {"lock_catalogue", "put_in_force", "lock_schedule", "advance_schedule", "record_tick"}
#: These are all rights of each role to functions that PUBLIC may not call, and to tables and views. Whoever adds a
#: right adds an entry.
FUNCTIONS = {
    roles.CLIENT: SENDING,
    roles.WORKER: SENDING | LOOKING | DECIDING | {"forget_audit", "cancel_removed"},
    roles.OPERATOR: SENDING | LOOKING | CHANGING | DECIDING,
    roles.READER: LOOKING | {"known_task", "task_names"},
}
#: Readers may read the columns in READ, none of which has a payload, an output, a key or a text of jobs.yaml.
READ = {
    "batch": "cancelled_on ended_on id",
    "bucket": "amount averages chunked concurrency name period spent tasks unit zone",
    "queue": "attempt attempt_base cancelled_on claimed_on completed_on created_on deaths expires_on message_id mtime order_hold parent priority"
    " queue_name revision run_at scheduled_for seq started_on state task worker",
    "revision": "applied_by applied_on digest message number origin",
    "task": "age aliases chunk definition description id limits max_queued metered on_time order_hold paused payload_schema per_key priority queue"
    " retry_limit revision sensitive share unique_fields unique_period unique_while units",
    "wait": "came_on job until",
}
READ_WHOLE = {"installation", "migration", "pause", "schedule_beat", "schedule_state", "tick", "worker"}
#: The trigger functions in TRIGGERED run with the owner's rights, and nobody calls them directly.
TRIGGERED = {"add_up_batches", "deliver_event", "write_pgboss"}
NOT_WRITTEN_BY_WORKERS = {"migration", "installation", "revision", "pause", "audit"}
WRITING = {"INSERT", "UPDATE", "DELETE"}


def sign_up(conn: Connection) -> None:
    """Create a login user for each role; all tests on the server share the users."""
    with conn.cursor() as cursor:
        for role, member in MEMBERS.items():
            sql = f"""DO $$ BEGIN
                  CREATE ROLE {member} LOGIN IN ROLE {role};
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
                END $$"""
            cursor.execute(sql)


def as_member(url: str, role: str) -> str:
    return urlunsplit(urlsplit(url)._replace(netloc=f"{MEMBERS[role]}@"))


def refused(url: str, *statements: str) -> None:
    with closing(connect(url)) as conn, conn.cursor() as cursor:
        for statement in statements:
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(statement)
                pytest.fail(f"not refused: {statement}")
