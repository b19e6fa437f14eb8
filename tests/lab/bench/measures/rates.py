"""The cost of rates: of jobs, of units, of keys, and past many keys whose jobs may not start yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lab.bench import drain, ours, server
from tests.lab.bench.bench import ratio
from tests.lab.bench.measures.limited import in_turns
from tests.lab.bench.result import Row

if TYPE_CHECKING:
    from tests.lab.bench.bench import Bench
    from tests.lab.bench.drain import Drain

MEASURE = "drain-rates"
# None of these limits is reached: the cost of counting is measured, not the waiting.
_RATE, _UNITS, _KEYED = "generate-brief", "analyze-story", "fetch-content"
_STANZAS: dict[str, dict[str, Any]] = {
    _RATE: {"rate": "100000/s"},
    _UNITS: {"uses": ["provider"], "units": {"tokens": 1500}},
    _KEYED: {"rate": {"per_key": "1/h"}},
    ours.FREE: {},
}
_FREE, _PLAIN, _WEIGHTED, _PER_KEY = "no rate", "a rate", "a rate of units", "a rate per key, new keys"


def measure(bench: Bench) -> list[Row]:
    """Each kind in turns, then new keys past many others."""
    many = 20_000 if bench.quick else 100_000
    installation = bench.installation("rates", _jobs_yaml())
    new_keys = {"tasks": (_KEYED,), "key": "a", "instead": {"key": "'k' || new.id"}, "which": "key LIKE 'k%%'"}
    kinds: dict[str, dict[str, Any]] = {
        _FREE: {"tasks": (ours.FREE,)},
        _PLAIN: {"tasks": (_RATE,)},
        _WEIGHTED: {"tasks": (_UNITS,)},
        _PER_KEY: new_keys,
    }
    with bench.running(installation) as up:
        drains = in_turns(bench, up, kinds)
        old = {"tasks": (_KEYED,), "key": "a", "instead": {"key": "'old' || new.n"}}
        up.drain(many, **old, which="key LIKE 'old%%'")
        up.system.seed(up.conn, many, **old)
        bench.say(f"{many:,} jobs wait for their keys")
        count = drains[_PER_KEY][0].jobs
        past = [up.drain(count, **new_keys) for _ in range(bench.rounds)]
        left = server.scalar(up.conn, "SELECT count(*) FROM zeke_jobs.queue WHERE state = 'queued'")
        assert left >= many - 1, f"expected {many:,} jobs that still wait, got {left:,}"
    bench.say(f"past them {drain.median(past).rate:,.0f}/s")
    return [
        _row(_FREE, drains[_FREE]),
        _row(_PLAIN, drains[_PLAIN], drains[_FREE], _FREE),
        _row(_WEIGHTED, drains[_WEIGHTED], drains[_PLAIN], _PLAIN, 0.8),
        _row(_PER_KEY, drains[_PER_KEY], drains[_FREE], _FREE),
        _row(f"new keys, past {many:,} that wait", past, drains[_PER_KEY], _PER_KEY, 0.5),
    ]


def _jobs_yaml() -> str:
    text = ours.jobs_yaml(_STANZAS)
    return text.replace("limits:\n", "limits:\n  provider: {tokens: {rate: 900000000/s}}\n", 1)


def _row(what: str, drains: list[Drain], others: list[Drain] | None = None, against: str = "", goal: float = 0) -> Row:
    middle = drain.median(drains)
    share = None if others is None else ratio([d.rate for d in drains], [d.rate for d in others])
    return Row(
        MEASURE,
        what,
        middle.rate,
        rounds=tuple(d.rate for d in drains),
        ratio=share,
        against=against,
        target=f"≥ {goal:g}" if goal else "",
        reached=share >= goal if goal and share is not None else None,
        note=f"CPU per job: workers {middle.client:.0f} µs, server {middle.server:.0f} µs",
    )
