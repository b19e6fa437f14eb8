"""Errors describe the values that models refuse, in payloads and in jobs.yaml."""

from datetime import date, datetime
from typing import Any

import pytest
from pydantic import UUID4, FutureDatetime, HttpUrl, PastDate, TypeAdapter, ValidationError

from zeke_jobs.payload.faults import expected


@pytest.mark.parametrize(
    ("accepted", "value", "words"),
    [
        (HttpUrl, "ftp://a.org", "an address that begins with 'http' or 'https'"),
        (HttpUrl, "a.org", "an address"),
        (HttpUrl, f"http://a.org/{'a' * 3000}", "at most 2083 characters"),
        (PastDate, date(2999, 1, 1), "a date in the past"),
        (FutureDatetime, datetime(1999, 1, 1), "a time in the future"),  # noqa: DTZ001 (it needs no zone)
        (UUID4, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "a UUID of version 4"),
    ],
)
def test_words_tell_the_rule_that_a_value_breaks(accepted: Any, value: object, words: str) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(accepted).validate_python(value)
    assert expected(raised.value.errors()[0]) == words
