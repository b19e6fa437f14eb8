"""Every text is accepted, or refused with messages about existing places in the text."""

import json
import os
from typing import Any

from hypothesis import HealthCheck, example, given, settings, strategies as st

from zeke_jobs.config import check
from zeke_jobs.config.syntax import split_lines

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
    # The next strategy replaces a part of the valid file.
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
