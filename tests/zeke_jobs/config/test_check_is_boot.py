"""``zeke-jobs check`` and the boot of a worker refuse the same files, with the same words."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings, strategies as st
from psycopg2.extensions import connection as Connection

from tests.each import each
from tests.zeke_jobs.commands import Patch
from tests.zeke_jobs.config.conftest import SAMPLES
from zeke_jobs.cli.configuration import check as command
from zeke_jobs.config import check
from zeke_jobs.config.syntax import split_lines
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.revisions import applying
from zeke_jobs.worker import builder

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.yaml"))
HANDLERS = """
from __future__ import annotations
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from dramatiq import Middleware
from pydantic import BaseModel, field_serializer
from zeke_jobs import Context, Payload
if TYPE_CHECKING:
    from datetime import datetime

class Fine(Payload):
    name: str = ""
class Late(Payload):
    name: str
    when: list[datetime] = []
class Call(Payload):
    back: Callable[[int], int]
class Thing: ...
class Arbitrary(Payload, arbitrary_types_allowed=True):
    thing: Thing
class Nan(Payload):
    share: float = float("nan")
class Unwritable(Payload):
    name: str = ""
    @field_serializer("name")
    def write(self, value: str) -> str:
        raise LookupError(value)
class Tuning(BaseModel):
    when: datetime | None = None
    def open(self) -> None: ...
class Raises(Middleware):
    def __init__(self, port: int = 0) -> None:
        raise RuntimeError("the port is taken")

def fine(payload: Fine, ctx: Context) -> None: ...
def late(payload: Late, ctx: Context) -> None: ...
def call(payload: Call, ctx: Context) -> None: ...
def arbitrary(payload: Arbitrary, ctx: Context) -> None: ...
def nan(payload: Nan, ctx: Context) -> None: ...
def unwritable(payload: Unwritable, ctx: Context) -> None: ...
def tuned(payload: Fine, ctx: Context[Tuning]) -> None: ...
"""


@pytest.fixture
def refusals(tmp_path: Path, monkeypatch: Patch, conn: Connection) -> Iterator[Callable[[str], tuple[str, str]]]:
    """Return the errors of ``check`` and of a boot for a text; an accepted text has empty errors."""
    path = Path("jobs.yaml")
    folder = Path(shutil.copytree(SAMPLES, tmp_path / SAMPLES.name))
    (folder / "boot_handlers.py").write_text(HANDLERS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)

    def boot() -> None:
        broker = builder.load_broker()
        state = applying.sync(conn, broker.runtime.file)
        broker.process.use(state.config, state.revision)

    def refusal(read: Callable[[], object]) -> str:
        try:
            read()
        except ConfigurationError as error:
            return str(error)
        return ""

    def both(text: str) -> tuple[str, str]:
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return refusal(lambda: command.load(path)), refusal(boot)

    yield both
    for module in folder.glob("*.py"):
        sys.modules.pop(module.stem, None)


@each("case", GOLDEN)
def test_check_and_boot_refuse_a_file_with_the_words_written_down(case: Path, refusals: Any) -> None:
    """``UPDATE_GOLDEN=1`` rewrites the expected texts; review the changes."""
    checked, booted = refusals(case.read_bytes().decode())
    said, _, count = checked.rpartition("\n\n")
    written = case.with_suffix(".txt")
    if os.environ.get("UPDATE_GOLDEN"):
        written.write_text(f"{said}\n", encoding="utf-8")
    assert f"{said}\n" == written.read_text(encoding="utf-8")
    assert re.fullmatch(r"[1-9]\d* errors? in jobs\.yaml", count)
    assert booted == checked


def with_task(stanza: dict[str, Any], **more: Any) -> str:
    return yaml.safe_dump({"version": 1, **more, "tasks": {"one": stanza}})


def test_what_cannot_be_in_force_is_refused_before_the_boot(refusals: Callable[[str], tuple[str, str]]) -> None:
    faults = {
        "late": "expected field when of boot_handlers.Late to have a type that exists at run time, got datetime",
        "call": "expected field back of boot_handlers.Call to have a type with a JSON Schema, got",
        "arbitrary": "expected field thing of boot_handlers.Arbitrary to have a type with a JSON Schema, got Thing",
        "nan": "expected a JSON Schema of boot_handlers.Nan that Postgres can store, got one with properties.share",
        "tuned": "expected field when of boot_handlers.Tuning to have a type that exists at run time, got datetime",
    }
    texts = {with_task({"handler": f"boot_handlers:{name}"}): f"3:14: error: {fault}" for name, fault in faults.items()}
    fine = {"handler": "boot_handlers:fine"}
    unwritable = {"handler": "boot_handlers:unwritable", "cron": {"at": "@daily", "payload": {"name": "a"}}}
    texts |= {
        with_task(unwritable): "LookupError: a",
        with_task(fine, middleware=["boot_handlers:Raises"]): "with its settings, got RuntimeError: the port is taken",
        with_task(fine, services={"s": {"use": "boot_handlers:Tuning"}}): "field when of boot_handlers.Tuning",
        with_task(fine).replace("one:", "zeke-metronome:"): "zeke_jobs.actors keeps for itself",
        # A task that cannot be written to the catalogue causes no error for the next task.
        yaml.safe_dump({"version": 1, "tasks": {"one": unwritable, "two": fine}}): "\n\n1 error in jobs.yaml",
    }
    for text, fault in texts.items():
        checked, booted = refusals(text)
        assert fault in checked
        assert booted == checked


GOOD = """\
version: 1
timezone: UTC
limits:
  ai: {concurrency: 8, rate: 60/m}
defaults: {queue: default, timeout: 5m, retry: {limit: 3, delay: 1s}, keep: {completed: 7d}}
tasks:
  tick:
    handler: sample_handlers:tick
    aliases: [tock]
    cron: {at: "*/5 * * * *", missed: latest, payload: {}}
    uses: [ai]
  tuned:
    handler: sample_handlers:tuned
    concurrency: {limit: 20, per_key: 1}
    settings: {words: [a], count: 5, token: "t-${SAMPLE_SECRET}"}
    unique: {while: period, period: 1h}
"""
KEYS = [
    *("version", "timezone", "services", "limits", "migrations", "defaults", "tasks", "handler", "cron", "at", "use"),
    *("retry", "limit", "delay", "keep", "settings", "words", "unique", "while", "period", "aliases", "uses", "rate"),
    *("concurrency", "per_key", "sensitive", "timeout", "priority", "payload", "tick", "ai", "nested", "place"),
]
TOKENS = st.sampled_from(
    [*"*&!|>%@`'\"#,[]{}:?-~ \n\t", "\n  ", "\n    ", ": ", "- ", "<<: ", "---\n", "...\n", "!!", "\\U", "\r", "\x85", "\u2028"]
    + ["*/5 * * * *", "@daily", "yes", "12:30", "010", "${X}", "5m", "60/m", "null", "\ufeff", "\ud800", "\0", "é", "🦉"]
    + [f"{key}: " for key in KEYS]
)  # fmt: skip


TEXTS = (
    st.text(max_size=200)
    | st.lists(TOKENS, max_size=40).map("".join)
    # The next strategy of Hypothesis replaces a part of the valid jobs.yaml by a token.
    | st.builds(lambda at, length, token: GOOD[:at] + token + GOOD[at + length :], st.integers(0, len(GOOD)), st.integers(0, 12), TOKENS)
)  # fmt: skip


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=1000 if os.environ.get("ZEKE_TEST_DEEP") else 120,
)
@given(TEXTS)
@example(GOOD)
@example("")
@example("defaults:")
@example("@\u00ad")
@example("\ufeff")
@example('a: "\\UFFFFFFFF"')
@example("? [a, b]\n: c\n")
@example("[" * 5000)
@example("- " * 3000)
@example("version: 1\ntasks: {a: {handler: 'sample_handlers:greet', cron: '@daily', unique: {while: 5}}}")
@example("*\t")
@example("a: *\t# a comment")
def test_a_text_is_fine_or_every_fault_has_a_place_in_it_and_reads_as_one(text: str) -> None:
    config, found = check(text, "jobs.yaml")
    assert (config is None) == bool(found)
    assert text != GOOD or config is not None
    lines = split_lines(text)
    assert found == sorted(found)
    for one in found:
        assert 1 <= one.line <= len(lines)
        assert 1 <= one.column <= len(lines[one.line - 1]) + 1
        assert one.message.startswith("expected ")
        assert ", got " in one.message
        assert str(one).count("\n") <= 3
        assert all(char.isprintable() or char in "\n\t" for char in str(one))
