"""Answers as JSON: whatever a command has to say, a script can read it."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest

from zeke_jobs.cli.output import print_json
from zeke_jobs.cli.queue.why import as_data
from zeke_jobs.diagnosis import ends, room
from zeke_jobs.diagnosis.facts import Holder, SentRow
from zeke_jobs.diagnosis.keepers import Keeper
from zeke_jobs.diagnosis.reasons import Reason
from zeke_jobs.diagnosis.why import Explanation

JOB = UUID(int=7)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SAMPLES: dict[Any, Any] = {
    str: "said",
    int: 3,
    bool: True,
    UUID: JOB,
    datetime: NOON,
    timedelta: timedelta(seconds=1.5),
    list[UUID]: [JOB],
}
# A dataclass with slots is a second class of its name; the last one is used.
KINDS = list({one.kind: one for one in Reason.__subclasses__()}.values())


def sample(hint: Any) -> Any:
    """A value of a type; where it may be left out, one that is there."""
    if get_origin(hint) in {Union, UnionType}:
        return sample(next(one for one in get_args(hint) if one is not NoneType))
    if get_origin(hint) is tuple:
        return (sample(get_args(hint)[0]),)
    return SAMPLES[hint] if hint in SAMPLES else filled(hint)


def filled(cls: Any) -> Any:
    known = {one.__name__: one for one in (UUID, datetime, timedelta, Holder, Keeper, SentRow)}
    hints = get_type_hints(cls, localns=known)
    return cls(**{field.name: sample(hints[field.name]) for field in fields(cls)})


def test_the_reasons_of_all_modules_are_tried() -> None:
    assert {ends.Completed, ends.Running, room.AtRate} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda one: str(one.kind))
def test_each_reason_of_why_can_be_written_as_json(kind: type[Reason], capsys: pytest.CaptureFixture[str]) -> None:
    reason = filled(kind)
    print_json(as_data(Explanation(JOB, "plain", "active", (reason,), (reason,))))
    written = json.loads(capsys.readouterr().out)
    assert written["reasons"] == written["history"]
    assert written["reasons"][0]["sentence"] == reason.sentence


def test_spans_are_seconds_money_is_text_and_no_bound_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"took": timedelta(milliseconds=1500), "cost": Decimal("0.10"), "carries": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"took": 1.5, "cost": "0.10", "carries": None}
