"""JSON output: a script can read every command's answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from zeke_jobs.cli.output import print_json
from zeke_jobs.cli.queue.why import as_data
from zeke_jobs.diagnosis.reasons import Reason
from zeke_jobs.diagnosis.why import Explanation

if TYPE_CHECKING:
    import pytest

JOB = UUID(int=7)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
FIGURES = {
    "job": JOB,
    "now": NOON,
    "took": timedelta(seconds=1.5),
    "holders": [{"id": JOB, "task": "plain", "host": "box", "pid": 1, "since": NOON}],
    "keepers": [
        {"worker": JOB, "host": "box", "pid": 1, "job": JOB, "task": "plain", "deaths": 1, "since": NOON, "runs": True}
    ],
    "jobs": [{"task": "plain", "status": "created", "jobs": 1, "first": [JOB]}],
}


def test_each_figure_of_why_can_be_written_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    reason = Reason("running", "it runs", "wait", FIGURES)
    print_json(as_data(Explanation(JOB, "plain", "active", (reason,), (reason,))))
    written = json.loads(capsys.readouterr().out)
    assert written["reasons"] == written["history"]
    assert list(written["reasons"][0]) == ["kind", "sentence", "help", *FIGURES]
    assert written["reasons"][0]["holders"][0]["since"] == "2026-03-10T12:00:00Z"


def test_spans_are_seconds_money_is_text_and_no_bound_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"took": timedelta(milliseconds=1500), "cost": Decimal("0.10"), "carries": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"took": 1.5, "cost": "0.10", "carries": None}
