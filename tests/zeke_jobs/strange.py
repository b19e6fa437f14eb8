"""Property tests use strange values: JSON at the limits of what workers read, and times at the ends of the calendar."""

import json
import sys
from datetime import timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from zeke_jobs.core import bounds

LARGEST_NUMBER = sys.float_info.max

_digits = st.integers(min_value=1, max_value=5000)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


numbers = (
    st.integers()
    | st.floats(allow_nan=False)
    | st.integers(min_value=-(2**64), max_value=2**64)
    | _digits.map(lambda digits: 10**digits)
    | st.sampled_from([LARGEST_NUMBER, -LARGEST_NUMBER, 5e-324, -0.0, 1e16, 2**63 - 1, -(2**63)])
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
_words = st.sampled_from(["null", "true", '"\\u0000"', '"\\ud800"'])
_scalars = st.one_of(_number_texts, st.text(max_size=20).map(json.dumps), _words)
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
_deep = st.integers(bounds.DEEPEST - 4, bounds.DEEPEST + 4)
_depths = st.one_of(*[st.integers(0, 5)] * 6, _deep, st.sampled_from([300, 986, 1500, 5000]))
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
