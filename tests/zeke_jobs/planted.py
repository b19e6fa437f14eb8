"""No worker can read these rows, which a superuser or an older release could write without the checks."""

import json
from typing import Any
from uuid import UUID

from psycopg2.extensions import connection as Connection

from zeke_jobs.postgres.pool import transaction

#: Each entry has the arguments of ``plant``, and the error that the worker reports.
UNREADABLE: list[tuple[dict[str, Any], str]] = [
    ({"kwargs": "5"}, "TypeError: args, kwargs and options are a list and two dicts, not list, int, dict"),
    ({"args": 5}, "TypeError: args, kwargs and options are"),
    ({"options": ["x"]}, "TypeError: args, kwargs and options are"),
    ({"message_timestamp": "yesterday"}, "ValueError: invalid literal for int()"),
    ({"message_timestamp": [1]}, "TypeError: int() argument"),
    ({"kwargs": '{"n": 1e4400}'}, "ValueError: Exceeds the limit (4300 digits)"),
    ({"kwargs": f'{{"n": {"7" * 5000}}}'}, "ValueError: Exceeds the limit (4300 digits)"),
    ({"kwargs": f'{{"n": {"[" * 6000}{"]" * 6000}}}'}, "ValueError: more than 100 lists and objects inside each other"),
    ({"kwargs": f'{{"n": {"[" * 100}{"]" * 100}}}'}, "ValueError: more than 100 lists and objects inside each other"),
    ({"scheduled_for": "0044-03-15 BC"}, "ValueError: Invalid isoformat string"),
    ({"scheduled_for": "9999-12-31 23:59:59-05"}, "ValueError: Invalid isoformat string"),
    ({"scheduled_for": "infinity"}, "ValueError: Invalid isoformat string"),
]
#: No worker claims a job that is due beyond Python's calendar.
FAR = {"run_at": "9999-12-31 23:59:59-05", "expires_on": "infinity"}
_TIMES = ("run_at", "expires_on", "created_on", "scheduled_for")


def plant(conn: Connection, task: str, kwargs: str = "{}", **said: Any) -> UUID:
    """Insert a row; the keywords are times, or parts of its message."""
    times = {name: said.pop(name) for name in _TIMES if name in said}
    message = {"queue_name": "default", "actor_name": task, "args": [], "options": {}, "message_timestamp": 1, **said}
    text = json.dumps(message)[:-1] + f', "kwargs": {kwargs}}}'
    columns = "".join(f", {name}" for name in times)
    with transaction(conn), conn.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")  # The role replica skips the triggers.
        cursor.execute(
            f"""INSERT INTO zeke_jobs.queue (message_id, queue_name, message, task, revision{columns})
            SELECT gen_random_uuid(), 'default', m.message, m.message ->> 'actor_name', 1{", %s" * len(times)}
            FROM (SELECT %s::jsonb) AS m (message) RETURNING message_id::text""",
            [*times.values(), text],
        )
        (job,) = cursor.fetchone() or ("",)
    return UUID(job)
