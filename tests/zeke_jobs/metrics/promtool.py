"""Prometheus's promtool, if installed, says whether an alert fires for given scrapes."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml
from prometheus_client.samples import Sample

from tests.zeke_jobs.metrics.exported import ALL
from zeke_jobs.core.wording import parse_duration

PROMTOOL = shutil.which("promtool")
RULES = Path(__file__).parents[3] / "docker" / "prometheus" / "alerts.yaml"
LABELS = {family.name: family.labels for family in ALL}
PHASE = 40  # Each scrape is repeated for PHASE minutes.


def check(*arguments: str) -> str:
    """Run promtool, check that it succeeds, and return its output."""
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fires(folder: Path, scrapes: Mapping[str, Sequence[Iterable[Sample] | None]]) -> dict[str, list[bool]]:
    """Say whether each alert fires in the middle of each phase; None is a phase without successful scrapes."""
    one = [{"labels": "{}", "value": 1}]
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in _series(phases).items()],
            "promql_expr_test": [
                {"expr": _asked(alert), "eval_time": f"{_middle(phase)}m", "exp_samples": one}
                for phase in range(len(phases))
            ],
        }
        for alert, phases in scrapes.items()
    ]
    path = folder / "rules_test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    # promtool reports only the times at which a result differs.
    found = re.findall(r"alertname=\W*(\w+).*?time: (\w+),\s+exp: \S+ 1\S*\s+got: nil", said)
    silent = {(alert, _minutes(time)) for alert, time in found}
    assert done.returncode == 0 or silent, said
    counts = {alert: range(len(phases)) for alert, phases in scrapes.items()}
    return {alert: [(alert, _middle(phase)) not in silent for phase in count] for alert, count in counts.items()}


def _asked(alert: str) -> str:
    return f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0'


def _middle(phase: int) -> int:
    return phase * PHASE + PHASE // 2


def _minutes(text: str) -> int:
    return int(parse_duration(text).total_seconds() // 60)


def _series(scrapes: Sequence[Iterable[Sample] | None]) -> dict[str, str]:
    """Write series in promtool's notation, and repeat each scrape's values for the minutes of its phase."""
    series: dict[str, list[str]] = {}
    for number, scrape in enumerate(scrapes):
        values = {'up{job="zeke-jobs"}': 0.0 if scrape is None else 1.0}
        for sample in scrape or ():
            labels = ",".join(f'{key}="{value}"' for key, value in sample.labels.items())
            values[f"{sample.name}{{{labels}}}"] = sample.value
        for name in series.keys() | values.keys():
            so_far = series.setdefault(name, [f"_x{PHASE}"] * number)
            so_far.append(f"{values[name]}x{PHASE - 1}" if name in values else f"_x{PHASE}")
    return {name: " ".join(values) for name, values in series.items()}
