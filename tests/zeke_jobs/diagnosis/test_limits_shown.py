"""why, doctor, limits, top and metrics show units, budgets, rates per key, throttling and breakers."""

import json
import os
from typing import Any
from uuid import UUID

import pytest

from tests.zeke_jobs.commands import Cli
from tests.zeke_jobs.diagnosis.conftest import Scene
from tests.zeke_jobs.diagnosis.test_doctor import found
from tests.zeke_jobs.metrics.conftest import samples
from zeke_jobs.top import panes

TOP = """
limits:
  ai: {concurrency: 8, tokens: {rate: 90000/m}, budget: 5.00 USD/d}
  calls: {rate: 30/m}
  site: {breaker: {failures: 1, within: 1m, pause: 10s}}
"""
TASKS = """
  ask: {handler: 'H:echo', uses: [ai], units: {tokens: 30000, USD: 0.30}}
  free: {handler: 'H:echo', uses: [ai], units: {tokens: 1}}
  polite: {handler: 'H:echo', rate: {per_key: 2/m}}
  dear: {handler: 'H:echo', budget: 2.00 USD/d, units: {USD: 0.75}}
  call: {handler: 'H:echo', uses: [calls]}
  frail: {handler: 'H:echo', uses: [site]}
"""


class Shown:
    """Jobs are claimed under the limits in TASKS and TOP, and several commands show how far each limit is used."""

    def __init__(self, scene: Scene, cli: Cli) -> None:
        self.scene, self.cli = scene, cli
        scene.use(TASKS, TOP)
        self.worker = scene.serve()

    def claim(self, task: str, count: int) -> list[dict[str, Any]]:
        self.scene.add(task, count)
        claims = self.scene.claim(self.worker, 100, [task])
        assert len(claims) == count
        return claims

    def waits(self, task: str, **options: Any) -> UUID:
        (job,) = self.scene.add(task, options=json.dumps(options))
        assert not self.scene.claim(self.worker, 1, [task])
        return job

    def limits(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in self.cli("limits", "--json").json}

    def printed(self) -> str:
        return " ".join(self.cli("limits").out.split())

    def row(self, name: str) -> list[str]:
        pane, read = panes.PANES["limits"], panes.read(self.scene.conn)
        (one,) = (one for one in pane.rows(read) if one.name == name)
        return [column.cell(one, read) for column in pane.columns]

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        return {
            (one.name.removeprefix("zeke_jobs_limit_"), *list(one.labels.values())[1:]): one.value
            for one in samples(os.environ["DATABASE_URL"])
            if one.labels.get("limit") == name and one.name.startswith("zeke_jobs_limit_")
        }


@pytest.fixture
def shown(scene: Scene, cli: Cli) -> Shown:
    return Shown(scene, cli)


def test_the_rate_of_a_key_and_a_budget(shown: Shown) -> None:
    shown.scene.add("polite", options='{"key": "k"}')
    shown.scene.complete(shown.worker, shown.scene.claim(shown.worker, 9, ["polite"]))
    job = shown.waits("polite", key="k")
    words = "its key 'k' is at its rate of 2 starts within 1m; the next may start 2026-03-10 12:00:30 UTC (in 30s)"
    assert shown.scene.reasons(job) == {"key-at-rate": words}
    (other,) = shown.scene.add("polite", options='{"key": "other"}')
    assert "key-at-rate" not in shown.scene.reasons(other)
    shown.claim("dear", 3)
    job = shown.waits("dear")
    spent = "2.25 of 2"
    words = f"its task dear has used up its USD, {spent} today; it begins anew at midnight in UTC"
    assert shown.scene.reasons(job) == {"budget-spent": words}
    (finding,) = found(shown.scene.conn, "budget-spent")
    assert finding.subject == "task/dear"
    assert f"{spent} USD" in finding.sentence
    assert shown.limits()["task/dear"]["tasks"] == ["dear"]
    assert {one["id"]: one["budget"] for one in shown.cli("tasks", "--json").json}["dear"] == "2.00 USD/d"
    assert f"{spent} USD today" in shown.printed()
    assert shown.row("task/dear")[2] == "2.25/2 USD"
    assert shown.samples("task/dear") == {("active",): 3.0, ("unit_used", "USD"): 2.25, ("unit", "USD"): 2.0}
    (claim,) = shown.claim("ask", 1)
    shown.scene.used(claim, USD=4.9)
    shown.waits("ask")
    assert [one.subject for one in found(shown.scene.conn, "budget-spent")] == ["task/dear"]
    shown.scene.used(claim, USD=0.1)  # Spent to the cent, it holds jobs without an estimate too.
    words = "the shared limit ai has used up its USD, 5 of 5 today; it begins anew at midnight in UTC"
    assert shown.scene.reasons(shown.waits("free"))["budget-spent"] == words


def test_units(shown: Shown) -> None:
    (first,) = shown.claim("ask", 1)
    limit = {"name": "ai", "tasks": ["ask", "free"], "active": 1, "concurrency": 8, "concurrency_now": 8, "rate": None}
    found = shown.limits()["ai"]
    assert {name: found[name] for name in limit} == limit
    shown.claim("call", 1)
    calls = shown.limits()["calls"]
    assert calls.pop("next_on")[:19] == "2026-03-10T12:00:01"
    unset = dict.fromkeys(("concurrency", "concurrency_now", "closed_by", "closed_until", "closed_why", "closed"))
    limit = {"name": "calls", "tasks": ["call"], "active": 1, "rate": "30/m", "paused": False, "units": []}
    assert calls == limit | unset
    lines = [line.split() for line in shown.cli("limits").out.splitlines()]
    assert (lines[1][:3], lines[2]) == (["ai", "1", "8"], ["calls", "1", "30/m", "call"])
    job = shown.waits("ask")
    words = "the shared limit ai has used up its tokens, 30,000 of 90,000 within 1m; the next may start 2026-03-10 12:00:20 UTC (in 20s)"
    assert shown.scene.reasons(job) == {"units-used": words}
    shown.scene.used(first, tokens=45000.5)
    assert "45,000.5 of 90,000 tokens in 1m" in shown.printed()
    assert "45,000.5/90,000 tokens" in shown.row("limit/ai")[2]
    assert shown.samples("limit/ai")["unit_used", "tokens"] == 45000.5
    shown.waits("ask")
    assert "45,000.5 of 90,000 within 1m; the next may start 2026-03-10 12:00:30 UTC" in str(shown.scene.reasons(job))


def test_throttling_and_a_breaker(shown: Shown) -> None:
    (claim,) = shown.claim("ask", 1)
    shown.scene.rows("SELECT zeke_jobs.throttle('ai', 12, %s, '429')", claim["message_id"])
    job = shown.waits("ask")
    words = "is throttled by its provider (429); it opens 2026-03-10 12:00:12 UTC (in 12s)"
    assert shown.scene.reasons(job)["throttled"] == f"the shared limit ai {words}"
    (finding,) = found(shown.scene.conn, "limit-closed")
    assert "limit/ai is throttled by its provider (429), until 12:00:12 at least" in finding.sentence
    assert shown.limits()["ai"]["closed"] == "throttled until 2026-03-10 12:00:12 UTC: 429"
    assert shown.row("limit/ai")[1::2] == ["1/4", "throttled until 12:00:12"]
    assert shown.samples("limit/ai")["closed", "throttled"] == 1.0
    (claim,) = shown.claim("frail", 1)
    shown.scene.finish(shown.worker, claim, "retry", breaks=True)
    job = shown.waits("frail")
    words = "the shared limit site is paused by its breaker (1 jobs failed within 00:01:00)"
    assert shown.scene.reasons(job)["breaker-open"] == f"{words}; it opens 2026-03-10 12:00:10 UTC (in 10s)"
    assert shown.row("limit/site")[3] == "breaker until 12:00:10"
    closed = "breaker until 2026-03-10 12:00:10 UTC: 1 jobs failed within 00:01:00"
    assert shown.limits()["site"]["closed"] == closed
    assert closed in shown.printed()
    assert shown.samples("limit/site")["closed", "breaker"] == 1.0
    shown.scene.later(13)
    (probe,) = shown.scene.claim(shown.worker, 9, ["frail"])
    (other,) = {claim["message_id"], job} - {probe["message_id"]}
    assert shown.scene.reasons(other)["breaker-open"] == f"{words}; one job at a time probes"
    (finding,) = found(shown.scene.conn, "limit-closed")
    assert "and one job at a time probes" in finding.sentence
    assert shown.row("limit/site")[3] == "breaker: probes"
    assert shown.limits()["site"]["closed"] == "breaker, one job at a time probes: 1 jobs failed within 00:01:00"
