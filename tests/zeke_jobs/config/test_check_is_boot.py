"""``zeke-jobs check`` and the boot of a worker refuse the same files, with the same words."""

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
from hypothesis import example, given, settings, strategies as st
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


@pytest.fixture
def refusals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conn: Connection
) -> Iterator[Callable[[str], tuple[str, str]]]:
    """Return the errors of ``check`` and of a worker's start for the text of a jobs.yaml, or two empty strings."""
    path = Path("jobs.yaml")
    folder = Path(shutil.copytree(SAMPLES, tmp_path / SAMPLES.name))
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


def test_a_middleware_that_cannot_be_made_is_refused_by_both(refusals: Callable[[str], tuple[str, str]]) -> None:
    checked, booted = refusals(with_task({"handler": "sample_handlers:tick"}, middleware=["sample_handlers:Raises"]))
    assert checked == "expected sample_handlers:Raises to be made with its settings, got RuntimeError: port is taken"
    assert booted == checked


COUNTS = [0, 1, 1000, 1001, 10**6, 10**6 + 1, 2**31]
DURATIONS = ["0s", "1ms", "36525d", "36526d"]
RATES = ["0/s", "1/s", "999999999/d"]


def inner(key: str, values: list[Any], **more: Any) -> list[Any]:
    return [{**more, key: value} for value in values]


#: The values are the least and the largest that are accepted, and some that are refused.
OF_TASKS: dict[str, list[Any]] = {
    "description": ["", "x" * 9999], "queue": ["q" * 100, "q" * 101], "aliases": [["a" * 100], ["a" * 101]],
    "concurrency": [*COUNTS, *inner("per_key", COUNTS)], "max_queued": COUNTS, "priority": [-100, 100, 101],
    "rate": [*RATES, *inner("per_key", RATES), *inner("burst", COUNTS, limit="99999/d")],
    "budget": ["0 USD/d", "999999999.999999 EUR/d"], "timeout": DURATIONS, "expires": DURATIONS,
    "retry": [*inner("limit", COUNTS), *inner("delay", DURATIONS), *inner("max_delay", DURATIONS)],
    "keep": [*inner("completed", DURATIONS), *inner("failed", DURATIONS)],
    "unique": [True, *({"while": "period", "period": period} for period in DURATIONS)],
    "cron": ["59 23 31 12 *", *inner("window", DURATIONS, at="@daily"), *inner("jitter", DURATIONS, at="@daily")],
}  # fmt: skip
OF_LIMITS: dict[str, list[Any]] = {
    "concurrency": COUNTS, "rate": RATES, "budget": ["0 USD/d", "3 USD/d"], "paused": [True],
    "breaker": [*inner("failures", [0, 20, "50%", 2**31]), *inner("within", DURATIONS, failures=2), *inner("pause", DURATIONS, failures=2)],
    "throttle": [*inner("least", COUNTS), *inner("raise_every", DURATIONS)],
}  # fmt: skip


@each(
    "tasks limits",
    *(({key: value}, {}) for key, values in OF_TASKS.items() for value in values),
    *(({}, {key: value}) for key, values in OF_LIMITS.items() for value in values),
)
def test_the_least_and_the_largest_values_are_accepted_by_both_or_by_none(
    refusals: Callable[[str], tuple[str, str]], tasks: dict[str, Any], limits: dict[str, Any]
) -> None:
    task = {"handler": "sample_handlers:tick", "uses": ["ai"], **tasks}
    checked, booted = refusals(with_task(task, limits={"ai": {"concurrency": 5, **limits}}))
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
    # This strategy replaces a part of the valid jobs.yaml with a token.
    | st.builds(lambda at, length, token: GOOD[:at] + token + GOOD[at + length :], st.integers(0, len(GOOD)), st.integers(0, 12), TOKENS)
    | st.builds(in_its_place, st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8), st.sampled_from(["task", "file", "limit"]))
)  # fmt: skip


@settings(max_examples=1000 if os.environ.get("ZEKE_TEST_DEEP") else 120)
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
