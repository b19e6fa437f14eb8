# ruff: noqa: RUF001 (dates in their own scripts)
from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from actors.engine.dates import read_date


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Seg, 24 Set 2018 10:00:00 -0300", "2018-09-24T13:00"), ("Seg, 24 Set 2018", "2018-09-24T00:00"),
        ("mer, 16 nov 2016 10:00:00 +0100", "2016-11-16T09:00"),
        ("Çar, 05 Şub 2020 10:00:00 +0300", "2020-02-05T07:00"), ("10 czerwca 2020", "2020-06-10T00:00"),
        ("Donnerstag, 5. März 2020, 18:30 Uhr", "2020-03-05T18:30"), ("5 août 2020 à 10h30", "2020-08-05T10:30"),
        ("segunda-feira, 24 de setembro de 2018", "2018-09-24T00:00"), ("5 марта 2020 г.", "2020-03-05T00:00"),
        ("Κυρ, 11 Ιούλ 2004 12:00:00 EST", "2004-07-11T17:00"), ("2020年1月6日", "2020-01-06T00:00"),
        ("2020年1月6日 10:30", "2020-01-06T10:30"), ("2020년 1월 6일 오후 3:04", "2020-01-06T15:04"),
        ("Thu, 12 Nov 2020 10:00:00 CET", "2020-11-12T09:00"),
        ("Thu, 16 Jul 2020 10:00:00 CEST", "2020-07-16T08:00"),
        ("Thu, 16 Jul 2020 10:00:00 BST", "2020-07-16T09:00"),
        ("Thu, 12 Nov 2020 10:00:00 EST", "2020-11-12T15:00"),
        ("Thu, 12 Nov 2020 10:00:00 IST", "2020-11-12T04:30"),
        ("Thu, 12 Nov 2020 10:00:00 +0530", "2020-11-12T04:30"), ("2020-11-12T10:00:00+05:30", "2020-11-12T04:30"),
        ("2020-11-12T10:00-0330", "2020-11-12T13:30"), ("2020-11-12T10:00:00.123Z", "2020-11-12T10:00"),
        ("20201112T100000Z", "2020-11-12T10:00"), ("01 Jan 04 19:48 GMT", "2004-01-01T19:48"),
        ("Sun Jan  4 16:29:06 PST 2004", "2004-01-05T00:29"),
        ("Mon Sep 24 2018 10:00:00 GMT+0200 (CEST)", "2018-09-24T08:00"),
        ("March 5, 2020 at 3:04 PM EST", "2020-03-05T20:04"), ("13/04/2020", "2020-04-13T00:00"),
        ("Fri, 20 Nov 2026 24:00:00 GMT", "2026-11-21T00:00"),
    ],
)  # fmt: skip
def test_a_date_is_read_in_its_language_and_zone(text: str, moment: str) -> None:
    found = read_date(text)
    assert found is not None
    assert found.replace(second=0) == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "mer, 16 nov", "3/4/2020", "0000-00-00", "-1", "99999999999999", "2026-13-45T99:99", "2020"),
        *("Thu, 31 Jun 2004 19:48:21 GMT", "Mon, 99 Foo 20222 25:61:61", "Thu, 12 Nov 2020 10:00:00 XYZ"),
        "12 Nov 2020 and 13 Nov 2020",
    ],
)
def test_a_date_that_cannot_be_told_is_none(text: str) -> None:
    assert read_date(text) is None


@given(st.text(max_size=150))
def test_no_text_raises(text: str) -> None:
    read_date(text)
