"""Postgres stores this JSON text unchanged."""

import json
import os
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from psycopg2.extensions import connection as Connection

from tests.fleet import scalar
from tests.zeke_jobs.strange import LARGEST_NUMBER, numbers
from zeke_jobs.core.bounds import LARGEST
from zeke_jobs.payload.json_text import UnfitForJson, encode
from zeke_jobs.payload.model import Payload

values = st.recursive(
    st.none() | st.booleans() | numbers | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


class Colour(StrEnum):
    RED = "red"


class Thing(Payload):
    story_id: UUID


@settings(
    max_examples=1000 if os.environ.get("ZEKE_TEST_DEEP") else 30,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(value=values)
@example(value=LARGEST_NUMBER)
def test_what_is_accepted_comes_back_from_postgres_as_it_was(conn: Connection, value: Any) -> None:
    try:
        text = encode(value)
    except UnfitForJson as error:
        refusal = error.message
    else:
        assert same(json.loads(scalar(conn, "SELECT %s::jsonb::text", text)), value)
        assert scalar(conn, "SELECT zeke_jobs.unfit_payload(jsonb_build_object('x', %s::jsonb))", text) is None
        return
    assert "expected" in refusal


def same(stored: Any, value: Any) -> bool:
    """Compare values; a float may have become an integer with the same digits, which reads as an equal float."""
    if isinstance(value, list):
        return len(stored) == len(value) and all(map(same, stored, value))
    if isinstance(value, dict):
        return stored.keys() == value.keys() and all(same(stored[key], value[key]) for key in value)
    return bool(float(stored) == value if isinstance(value, float) else stored == value)


def test_python_values_become_what_json_has_for_them() -> None:
    for value, text in (
        (UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (datetime(2026, 1, 2, tzinfo=UTC), '"2026-01-02T00:00:00+00:00"'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (Colour.RED, '"red"'),
        ((1, 2), "[1,2]"),
        (Thing(story_id=UUID(int=1)), '{"story_id":"00000000-0000-0000-0000-000000000001"}'),
        ("ünï", '"ünï"'),
        ("\\u0000", '"\\\\u0000"'),
        (2**63 - 1, "9223372036854775807"),
    ):
        assert encode(value) == text


deep: list[Any] = []
for _ in range(100_000):
    deep = [deep]
circle: dict[str, Any] = {}
circle["self"] = circle


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        ({"a": [1, float("inf")]}, "a[1]", "expected a finite number, got inf"),
        ({"a": {"b": "x\0"}}, "a.b", "expected text without NUL"),
        ({"a\0": 1}, "", "expected text without NUL"),
        (["\udc00"], "[0]", "got a lone surrogate at character 0"),
        ({"a": -(2**63) - 1}, "a", "expected an integer of at most 64 bits"),
        ({"a": 10**5000}, "a", "expected an integer of at most 64 bits"),
        ({"a": {1, 2}}, "a", "expected a JSON value, got set"),
        ({(1, 2): 3}, "", "expected text as key, got (1, 2) (tuple)"),
        (deep, "", "expected at most 100 lists and objects inside each other, got more"),
        (circle, "", "expected at most 100 lists and objects inside each other, got more"),
        ("x" * LARGEST, "", "expected at most 1 MiB of JSON, got 1,048,578 bytes"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_place(value: Any, path: str, message: str) -> None:
    with pytest.raises(UnfitForJson) as refused:
        encode(value)
    assert refused.value.path == path
    assert message in refused.value.message
