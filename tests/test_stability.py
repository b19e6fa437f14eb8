"""docs/stability.md names all public names, and all of them exist."""

import importlib
import re
from pathlib import Path

from psycopg2.extensions import connection as Connection

import zeke_jobs
from tests.fleet import scalar
from zeke_jobs import testing

PAGE = (Path(__file__).parent.parent / "docs" / "stability.md").read_text(encoding="utf-8")


def test_each_public_name_exists_and_has_a_docstring() -> None:
    for module in (zeke_jobs, testing):
        for name in set(module.__all__) - {"__version__"}:
            assert getattr(module, name).__doc__, name


def test_each_module_view_and_function_that_it_names_exists(conn: Connection) -> None:
    named = set(re.findall(r"`(zeke_jobs\.[a-z][a-z_]*)(?:\.__all__)?`", PAGE))
    assert {"zeke_jobs.send", "zeke_jobs.job", "zeke_jobs.testing"} <= named
    for name in named - {"zeke_jobs.actors"}:
        there = "SELECT to_regclass(%s) IS NOT NULL OR EXISTS (SELECT 1 FROM pg_proc WHERE oid::regproc::text = %s)"
        if not scalar(conn, there, name, name):
            importlib.import_module(name)


def test_the_fixtures_of_the_plugin_are_those_of_the_page() -> None:
    plugin = importlib.import_module("zeke_jobs.testing.plugin")
    fixtures = {name for name in vars(plugin) if name.startswith(("zeke_", "sent_", "run_"))}
    page = (Path(__file__).parent.parent / "docs" / "testing.md").read_text(encoding="utf-8")
    assert {name for name in fixtures if name not in page} == {"zeke_config"}
