"""Defines the database roles with least privileges: client, worker, operator, reader."""

import re
from importlib.resources import files

from psycopg2.extensions import connection as Connection, parse_dsn

from zeke_jobs.core import environment

CLIENT, WORKER, OPERATOR, READER = "zeke_jobs_client", "zeke_jobs_worker", "zeke_jobs_operator", "zeke_jobs_reader"


def script() -> str:
    """Return the statements that create the roles and their grants, for a database administrator to read and run."""
    return files("zeke_jobs").joinpath("sql", "roles.sql").read_text(encoding="utf-8")


def complaint(error: Exception, role: str = "") -> str:
    """Return the message for a missing right: the server's error, the login, and the GRANT that would help."""
    said = str(error).strip().partition("\n")[0]
    login = parse_dsn(environment.database_url_or_none() or "").get("user") or "the_login"
    help_ = "`zeke-jobs roles` shows the rights of each database role"
    if wanted := role or _role_with(said):
        quoted = login if re.fullmatch(r"[a-z_][a-z0-9_]*", login) else '"' + login.replace('"', '""') + '"'
        more = f"it needs {OPERATOR} for this, or " if wanted == READER and "for table" in said else ""
        help_ = (
            f"GRANT {wanted} TO {quoted}; if {login} has that role, {more}its rights are older than this code: "
            "let the schema's owner run zeke-jobs roles --apply"
        )
    return f"expected a database user with this right, got: {said}, as {login}\n  help: {help_}"


def _role_with(said: str) -> str:
    """Return the least privileged role that may use the object in a "permission denied" error, or an empty string."""
    match = re.fullmatch(r".*permission denied for (function|view|table|schema) (\w+)", said)
    if match is None:
        return ""
    kind, name = match.groups()
    of = rf"\bzeke_jobs\.{name}" + (r"\(" if kind == "function" else r"\b")
    grants = [one for one in script().split(";") if re.search(of, one)]
    if kind == "function":
        given = "".join(one.rpartition("\nTO ")[2] for one in grants)
        return next((role for role in (READER, CLIENT, OPERATOR, WORKER) if role in given), "")
    if any(CLIENT in one for one in grants):
        return CLIENT
    looks = kind != "table" or any(one.endswith(f"TO {READER}") for one in grants)
    return READER if looks else OPERATOR


def grant(conn: Connection) -> None:
    """Create the missing roles and grant them the rights that this version needs, all or nothing.

    Raises psycopg2.errors.InsufficientPrivilege if the login is not the schema's owner.
    """
    with conn.cursor() as cursor:
        try:
            cursor.execute(script())
        except BaseException:
            if not conn.closed:
                cursor.execute("ROLLBACK")
            raise
