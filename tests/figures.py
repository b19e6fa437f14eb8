"""Tests measure figures, such as the quality of texts, and a table at the end of a run shows the figures."""

from typing import Any

import pytest
from _pytest.terminal import TerminalReporter

_NAME = "figure"


class Figure:
    """Check a figure and show it in the table.

    ``figure("full text, F1", 0.975, 0.958)`` fails below 0.958, and ``most`` is an upper bound. ``before`` is the
    same figure at commit ed24dd87 (2026-11-29), which the table shows for comparison.
    """

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def __call__(
        self,
        what: str,
        value: float,
        least: float | None = None,
        *,
        most: float | None = None,
        before: float | None = None,
    ) -> None:
        self._properties.append((_NAME, [what, value, least, most, before]))
        assert least is None or value >= least, f"{what}: expected at least {least}, got {value:.3f}"
        assert most is None or value <= most, f"{what}: expected at most {most}, got {value:.3f}"


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Figure:
    return Figure(request.node.user_properties)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    found: list[list[Any]] = [
        value
        for kind in ("passed", "failed")
        for report in terminalreporter.getreports(kind)
        for name, value in report.user_properties
        if name == _NAME and report.when == "call"
    ]
    if found:
        terminalreporter.section("figures")
        width = max(len(what) for what, *_ in found)
        terminalreporter.write_line(f"{'':{width}} {'before':>9} {'now':>9}  bound")
        for what, value, least, most, before in sorted(found, key=lambda one: str(one[0])):
            bound = f"≥ {least:g}" if least is not None else f"≤ {most:g}" if most is not None else ""
            terminalreporter.write_line(f"{what:{width}} {_shown(before):>9} {_shown(value):>9}  {bound}")


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)
