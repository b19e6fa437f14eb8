"""The cost of log lines: handlers that log five lines, which `log` keeps with their jobs or not."""

from typing import Any

from tests.lab.bench import drain, ours
from tests.lab.bench.bench import Bench
from tests.lab.bench.measures.limited import in_turns
from tests.lab.bench.result import Row

_SILENT, _NEVER, _DEFAULT, _ALWAYS = "score-relevance", "fetch-content", "analyze-story", "ingest-pull"


def measure(bench: Bench) -> list[Row]:
    """Jobs that log nothing, and jobs that complete and log five lines, under each value of `log`, in turns."""
    talk = {"handler": f"{ours.HANDLERS}:talk"}
    changed: dict[str, dict[str, Any]] = {
        _SILENT: {},
        _NEVER: {**talk, "log": "never"},
        _DEFAULT: talk,
        _ALWAYS: {**talk, "log": "always"},
    }
    with bench.running(bench.installation("logging", ours.jobs_yaml(changed))) as up:
        drains = in_turns(bench, up, {task: {"task": task} for task in changed})
    return [
        drain.row("nothing logged", drains[_SILENT]),
        drain.row("five lines a job, log: never", drains[_NEVER], drains[_SILENT], "nothing logged"),
        drain.row("five lines a job, log: failed", drains[_DEFAULT], drains[_NEVER], "never", 0.9),
        drain.row("five lines a job, log: always", drains[_ALWAYS], drains[_NEVER], "never"),
    ]
