"""Strange values for property tests: JSON at the bounds of readability, and times at the ends of the calendar."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from hypothesis import strategies as st

from zeke_jobs.core import bounds

LARGEST_NUMBER = sys.float_info.max

_digits = st.integers(min_value=1, max_value=5000)


def nested(depth: int) -> Any:
    """So many lists inside each other."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


numbers = st.one_of(
    st.integers(),
    st.floats(allow_nan=False),
    st.integers(min_value=-(2**64), max_value=2**64),
    _digits.map(lambda digits: 10**digits),
    st.sampled_from([LARGEST_NUMBER, -LARGEST_NUMBER, 5e-324, -0.0, 1e16, 2**63 - 1, -(2**63)]),
)
"""Numbers that Python has, some of which no row may hold."""

_number_texts = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    _digits.map(lambda digits: "9" * digits),
    _digits.map(lambda digits: f"0.{'3' * digits}"),
    st.tuples(st.integers(-9, 9), st.integers(-6000, 6000)).map(lambda parts: f"{parts[0]}e{parts[1]}"),
    st.sampled_from(["1.7976931348623157e308", "1.7976931348623158e308", "1.8e308", "-1e309", "1.5e400", "1e-5000"]),
)
_scalars = st.one_of(
    _number_texts, st.text(max_size=20).map(json.dumps), st.sampled_from(["null", "true", '"\\u0000"', '"\\ud800"'])
)
_flat = st.recursive(
    _scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]"),
        st.lists(st.tuples(st.text(max_size=5), inner), max_size=4).map(
            lambda items: "{" + ",".join(f"{json.dumps(key)}:{item}" for key, item in items) + "}"
        ),
    ),
    max_leaves=8,
)
_depths = st.one_of(
    *[st.integers(0, 5)] * 6,
    st.integers(bounds.DEEPEST - 4, bounds.DEEPEST + 4),
    st.sampled_from([300, 986, 1500, 5000]),
)
json_texts = st.one_of(
    _scalars,
    _flat,
    st.tuples(_depths, st.one_of(_flat, st.just(""))).map(
        lambda parts: "[" * parts[0] + parts[1] + "]" * parts[0] if parts[0] else parts[1] or "null"
    ),
)
"""JSON as any program may write it: deep, with numbers of thousands of digits, with what jsonb refuses."""

_zones = st.integers(-14 * 60 + 1, 14 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.one_of(
    st.datetimes(timezones=_zones),
    st.sampled_from([bounds.EARLIEST, bounds.LATEST]).flatmap(
        lambda edge: st.builds(
            lambda off, zone: (edge + timedelta(microseconds=off)).astimezone(zone), st.integers(-3, 3), _zones
        )
    ),
)
"""Times of all years and zones, many of them at the bounds."""


class Sent(NamedTuple):
    """What a sender of any kind tries to send: JSON for ``x``, what its handler does with it, and options."""

    door: str
    text: str
    do: str
    options: dict[str, Any]


_spans = st.one_of(
    st.floats(-10, 10),
    st.floats(),
    st.integers(-(10**13), 10**13),
    st.sampled_from(["1 hour", "9000 years", "-1 day", "soon"]),
)
_moments = st.one_of(
    times.map(datetime.isoformat),
    _spans,
    st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "epoch", "now", "294000-01-01", "yesterday"]),
)
_options = st.fixed_dictionaries(
    {},
    optional={
        "run_at": _moments,
        "delay": _spans,
        "expires": _moments,
        "scheduled_for": _moments,
        "priority": st.integers(-3, 0),
        "key": st.text(max_size=5),
        "traceparent": st.one_of(st.text(max_size=60), st.none(), st.integers()),
    },
)
sends = st.builds(
    Sent,
    st.sampled_from(["sql", "python", "stock"]),
    json_texts,
    st.sampled_from(["return", "complete", "progress", "defer", "retry", "reject"]),
    st.one_of(st.just({}), st.just({}), _options),
)
"""Sends through each door, most of which are strange."""
