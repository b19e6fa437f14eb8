"""``python -m tests.zeke_jobs.postgres.schema_dump`` writes the schema of the migrations, and related files."""

import re
import subprocess
from contextlib import closing
from pathlib import Path

from tests.fleet import open_folder
from zeke_jobs.postgres import embedded, migrate, server_programs
from zeke_jobs.postgres.pool import connect

SQL = Path(__file__).parents[3] / "zeke_jobs" / "sql"
SCHEMA = SQL / "schema.sql"
EDITION = SQL / "code" / "edition"
FROZEN = Path(__file__).parent / "schemas" / "frozen.txt"
COMMAND = "nox -s schema"
HEADER = f"-- The tables, indexes and triggers that the migrations of zeke_jobs make, for reading and review; functions and views are in code/. Written by `{COMMAND}`; never edited, never run.\n"

#: pg_dump's remarks, settings and tokens are removed, because they differ between runs or versions.
_CODE = re.compile(
    r"^(CREATE FUNCTION .*?\$\$;|CREATE VIEW .*?;\n|(COMMENT ON (FUNCTION|VIEW|SCHEMA|COLUMN pgboss) .*?;)|CREATE SCHEMA .*?;)$",
    re.MULTILINE | re.DOTALL,
)
_NOISE = re.compile(r"^(--.*|SET .*;|SELECT pg_catalog\.set_config\(.*|\\(un)?restrict .*)$", re.MULTILINE)


def dump(url: str) -> str:
    """Dump the schemas of a migrated database with the embedded server's pg_dump.

    Raises:
        subprocess.CalledProcessError: pg_dump failed, and has printed the reason.
    """
    form = ["--schema-only", "--no-owner", "--no-privileges", "--no-tablespaces"]
    command = [str(server_programs.binaries() / "pg_dump"), *form, "--schema=zeke_jobs", "--schema=pgboss", url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return HEADER + "\n" + re.sub(r"\n{2,}", "\n\n", _CODE.sub("", _NOISE.sub("", done.stdout))).strip() + "\n"


def edition() -> str:
    """Return the line of the file ``edition``: a number that grows when the SQL code changes, and the code's checksum."""
    number, _, checksum = EDITION.read_text(encoding="utf-8").strip().partition(" ")
    now = migrate.code().checksum
    return f"{int(number) + (checksum not in {now, '-'})} {now}\n"


def frozen() -> str:
    """Return names and checksums of the migrations, which never change."""
    ours = (one for one in migrate.available() if one.name.endswith(".sql") and not one.name.startswith("0000"))
    return "".join(f"{one.name} {one.checksum}\n" for one in ours)


def main() -> None:
    """Write the files; the schema comes from a temporary server."""
    EDITION.write_text(edition(), encoding="utf-8")
    FROZEN.write_text(frozen(), encoding="utf-8")
    with open_folder("schema") as above:
        folder = above / "server"
        url = embedded.ensure(folder, settings={"fsync": "off"})
        try:
            with closing(connect(url)) as conn:
                migrate.migrate(conn)
            SCHEMA.write_text(dump(url), encoding="utf-8")
        finally:
            embedded.stop(folder, mode="immediate")
    print(f"{SCHEMA.name} written")


if __name__ == "__main__":
    main()
