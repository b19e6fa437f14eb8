"""docs/operations.md describes every variable, and its statements run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection

from zeke_jobs.core import environment

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
VARIABLES = [value for name, value in vars(environment).items() if name.isupper() and not name.startswith("_")]


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_has_its_line(variable: str) -> None:
    assert f"\n| `{variable}` |" in PAGE


@pytest.mark.parametrize(
    ("variable", "read"),
    [
        ("CONFIG", environment.config_path), ("ENVIRONMENT", environment.installation), ("DATA", environment.data_dir),
        ("LOG_FORMAT", environment.log_format), ("LOG_LEVEL", environment.log_level), ("ASYNC", environment.async_places),
        ("HEARTBEAT", environment.heartbeat), ("LISTEN", environment.listen), ("REASON", environment.reason),
    ],
)  # fmt: skip
def test_a_variable_that_is_not_set_has_the_default_of_its_line(
    variable: str, read: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"ZEKE_JOBS_{variable}", raising=False)
    (said,) = re.findall(rf"^\| `ZEKE_JOBS_{variable}` \|.*\| (.*) \|$", PAGE, re.MULTILINE)
    default = read()
    assert said.strip("`").removeprefix("./") == (f"{default:g}" if isinstance(default, float) else str(default))


def test_the_page_names_no_variable_that_nobody_reads() -> None:
    assert set(re.findall(r"ZEKE_JOBS_\w+", PAGE)) <= set(VARIABLES)


@pytest.mark.parametrize("statement", re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
def test_the_statements_run(conn: Connection, statement: str) -> None:
    with conn.cursor() as cursor:
        cursor.execute(statement)
