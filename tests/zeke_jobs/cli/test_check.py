"""``zeke-jobs check`` prints the faults of jobs.yaml, or a summary."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from pathlib import Path

import pytest

from tests.zeke_jobs.commands import Cli
from zeke_jobs import config
from zeke_jobs.cli.configuration import check
from zeke_jobs.cli.output import listing, print_json

REPOSITORY = Path(__file__).parents[3]
BROKEN = "version: 1\ntasks:\n  greet:\n    handler: nothing_there:greet\n    timeot: 5m\n"


def test_every_fault_goes_to_stderr_and_the_status_is_2(tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "jobs.yaml"
    path.write_text(BROKEN)
    ran = cli("check", path)
    assert (ran.status, ran.out) == (2, "")
    assert f"{path}:4:14: error: " in ran.err
    assert f"{path}:5:5: error: " in ran.err
    assert ran.err.endswith(f"2 errors in {path}\n")


def test_a_missing_file_is_a_fault_named_in_full_as_by_every_command(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", "other.yaml")
    ran = cli("check")
    assert ran.status == 2
    assert ran.err.startswith(f"error: expected a jobs.yaml at {tmp_path / 'other.yaml'}, got no such file\n")


def test_handlers_are_found_in_the_current_folder(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "handlers_beside_the_file.py").write_text(
        "from zeke_jobs import Context, Payload\ndef run(payload: Payload, ctx: Context) -> None: ...\n"
    )
    stanza = "handler: 'handlers_beside_the_file:run', rate"
    (tmp_path / "jobs.yaml").write_text(
        f"version: 1\ntasks:\n  run-it: {{{stanza}: 2/s, concurrency: {{limit: 5, per_key: 1}}, cron: '@hourly'}}\n"
        f"  at-a-pace: {{{stanza}: 60/m}}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZEKE_JOBS_CONFIG", raising=False)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one not in {"", str(tmp_path)}])
    ran = cli("check")
    assert ran.status == 0
    rows = [re.split(r"\s{2,}", line.strip()) for line in ran.out.splitlines()[:3]]
    assert [row[2] for row in rows] == ["limit", "5, 1 per key, 2/s", "60/m"]
    assert rows[1][-1] == "@hourly (UTC)"
    assert "jobs.yaml is fine: 2 tasks, 1 schedule, 0 shared limits, 0 services" in ran.out


def test_the_next_ticks_are_shown_in_the_schedules_zone() -> None:
    schedule = config.Schedule(at="0 9 * * *", timezone="Asia/Kathmandu")
    shown = check.fires(schedule, datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert shown == "next at Mon 2026-03-02 09:00, Tue 2026-03-03 09:00, Wed 2026-03-04 09:00 (Asia/Kathmandu)"
    assert check.fires(schedule.model_copy(update={"paused": True}), datetime.now(UTC)) == "its schedule is paused"


def test_the_pipelines_own_file_is_fine_and_lists_every_task(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.delenv("ZEKE_JOBS_CONFIG", raising=False)
    ran = cli("check")
    assert (ran.status, ran.err, "19 tasks, 4 schedules" in ran.out) == (0, "", True)


def test_in_a_pipe_no_cell_of_a_table_is_broken(capsys: pytest.CaptureFixture[str]) -> None:
    name = "stories-" + "-".join(["update"] * 12)
    listing([(name, "default")], {"task": itemgetter(0), "queue": itemgetter(1)})
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["task", "queue"], [name, "default"]]


def test_spans_are_seconds_money_is_text_and_no_bound_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"took": timedelta(milliseconds=1500), "cost": Decimal("0.10"), "carries": float("inf")})
    assert json.loads(capsys.readouterr().out) == {"took": 1.5, "cost": "0.10", "carries": None}
