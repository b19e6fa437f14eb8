"""``zeke-jobs check`` and the boot of a worker refuse the same files, with the same words."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, event, example, given, settings, strategies as st
from psycopg2.extensions import connection as Connection

from tests.each import each
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
class Inherits(Late):
    more: int = 0
class Call(Payload):
    back: Callable[[int], int]
class Inner(Payload):
    calls: dict[str, list[Call]] = {}
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
def inherits(payload: Inherits, ctx: Context) -> None: ...
def call(payload: Call, ctx: Context) -> None: ...
def inner(payload: Inner, ctx: Context) -> None: ...
def arbitrary(payload: Arbitrary, ctx: Context) -> None: ...
def nan(payload: Nan, ctx: Context) -> None: ...
def unwritable(payload: Unwritable, ctx: Context) -> None: ...
def tuned(payload: Fine, ctx: Context[Tuning]) -> None: ...
"""


@pytest.fixture
def refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conn: Connection
) -> Iterator[Callable[[str], tuple[str, str]]]:
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
def test_a_file_that_check_refuses_reads_as_written_down_and_ends_a_boot_with_the_same_words(
    case: Path, refusals: Callable[[str], tuple[str, str]]
) -> None:
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
        "inherits": "expected field when of boot_handlers.Inherits to have a type",
        "call": "expected field back of boot_handlers.Call to have a type with a JSON Schema, got",
        "inner": "expected field calls of boot_handlers.Inner to have a type with a JSON Schema, got",
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


NAMES = st.from_regex(r"[a-z][a-z0-9]{0,99}", fullmatch=True)
DURATIONS = st.sampled_from(["1s", "5m", "2h", "1h30m", "1d", "7d", "30d", "1ms", "3650d", "0s"])
COUNTS = st.sampled_from([*range(1, 21), 100, 2**31 - 1, 10**18 - 1, 0])
RATES = st.sampled_from(["1/s", "10/s", "60/m", "999999999/d", "0/s"])
SCHEDULES = st.sampled_from(["*/5 * * * *", "@daily", "59 23 31 12 *", "0 6 * * mon-fri", "0 0 30 2 *"])


def some(needed: dict[str, Any] | None = None, **optional: Any) -> Any:
    """Draw a mapping with all required keys and some optional keys."""
    return st.fixed_dictionaries(needed or {}, optional=optional)


PAYLOADS = st.dictionaries(st.sampled_from(["userName", "tone"]), st.text(max_size=5))
ZONES = st.sampled_from(["UTC", "Asia/Kathmandu"])
TASK = some(
    {
        "handler": st.sampled_from(["sample_handlers:tick", "sample_handlers:greet", "sample_handlers:tuned"]),
        "uses": st.just(["ai"]), "units": st.just({"tokens": 100}),
    },
    description=st.text(max_size=20), queue=NAMES, aliases=st.lists(NAMES, max_size=2),
    concurrency=COUNTS | some(limit=COUNTS, per_key=COUNTS),
    rate=RATES | some(limit=RATES, per_key=RATES, burst=COUNTS),
    budget=st.sampled_from(["5 USD/d", "999999999.999999 EUR/d", "0 USD/d"]),
    priority=st.sampled_from([-100, 0, 100, 101]), timeout=DURATIONS, max_queued=COUNTS, expires=DURATIONS,
    retry=some(limit=COUNTS, delay=DURATIONS, max_delay=DURATIONS), keep=some(completed=DURATIONS, failed=DURATIONS),
    unique=st.booleans() | some({"while": st.just("period"), "period": DURATIONS}),
    cron=SCHEDULES | some({"at": SCHEDULES}, timezone=ZONES, window=DURATIONS, jitter=DURATIONS, payload=PAYLOADS),
    order=st.just("strict"), paused=st.booleans(),
    settings=st.dictionaries(st.sampled_from(["words", "token", "count"]), st.sampled_from([["a"], "t-a", 5])),
)  # fmt: skip
LIMIT = some(
    {"concurrency": COUNTS, "units": st.just({"tokens": {"rate": "90000/m"}})},
    rate=RATES,
    budget=st.just("3 USD/d"),
    breaker=some({"failures": st.sampled_from([1, 20, "50%", 2**31])}, within=DURATIONS, pause=DURATIONS),
    throttle=some(least=COUNTS, raise_every=DURATIONS),
    paused=st.booleans(),
)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    max_examples=1000 if os.environ.get("ZEKE_TEST_DEEP") else 20,
)
@given(st.dictionaries(NAMES, TASK, min_size=1, max_size=2), LIMIT)
@example({"a": {"handler": "sample_handlers:tick", "queue": "q" * 100}}, {"concurrency": 1})
def test_a_generated_file_is_accepted_by_both_or_by_none(
    refusals: Callable[[str], tuple[str, str]], tasks: dict[str, Any], limit: dict[str, Any]
) -> None:
    file = {"version": 1, "tasks": tasks, "limits": {"ai": limit}}
    checked, booted = refusals(yaml.safe_dump(file, allow_unicode=True))
    event("refused" if checked else "accepted")
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
WORDS = ["5m", "60/m", "@daily", "sample_handlers:tuned", "sample_handlers:greet", "raises_on_import:x"]
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(WORDS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=25,
)


def in_its_place(value: dict[str, Any], place: str) -> str:
    base: dict[str, Any] = {"version": 1, "tasks": {"t": {"handler": "sample_handlers:tuned"}}}
    at = {"task": base["tasks"]["t"], "limit": base.setdefault("limits", {}).setdefault("ai", {}), "file": base}
    at[place].update(value)
    return json.dumps(base)


TEXTS = (
    st.text(max_size=200)
    | st.lists(TOKENS, max_size=40).map("".join)
    # The next strategy of Hypothesis replaces a part of the valid jobs.yaml by a token.
    | st.builds(lambda at, length, token: GOOD[:at] + token + GOOD[at + length :], st.integers(0, len(GOOD)), st.integers(0, 12), TOKENS)
    | st.builds(in_its_place, st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8), st.sampled_from(["task", "file", "limit"]))
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
