"""JSON output: a script can read every command's answer."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from zeke_jobs.cli.output import print_json

JOB = UUID(int=7)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_spans_are_seconds_money_is_text_and_no_bound_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"took": timedelta(milliseconds=1500), "cost": Decimal("0.10"), "carries": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"took": 1.5, "cost": "0.10", "carries": None}
