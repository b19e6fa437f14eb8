"""Figures that tests measure, such as the quality of texts, in a table at the end of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.terminal import TerminalReporter

_NAME = "figure"


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str, float, float], None]:
    """Asserts and shows a figure: ``figure("full text, F1", 0.975, 0.958)`` fails where it is below the last."""

    def measured(what: str, value: float, least: float) -> None:
        request.node.user_properties.append((_NAME, [what, value, least]))
        assert value >= least, f"{what}: expected at least {least}, got {value:.3f}"

    return measured


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
        width = max(len(what) for what, _, _ in found)
        for what, value, least in sorted(found):
            terminalreporter.write_line(f"{what:{width}}  {value:.3f}  (at least {least:g})")
