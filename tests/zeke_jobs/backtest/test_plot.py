import sys
from pathlib import Path

import pytest

from zeke_jobs.backtest import plot
from zeke_jobs.errors import ConfigurationError


def test_without_matplotlib_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ConfigurationError, match=r"expected matplotlib to draw with, got none(?s:.*)pip install (?:-e )?'\S+\[plot\]'"
    ):
        plot.check(tmp_path / "out.png")


@pytest.mark.parametrize(
    ("name", "said"), [("out.gif", "expected a picture that ends in"), ("no/out.png", "expected a folder")]
)
def test_what_cannot_be_drawn_is_refused_before_the_work(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        plot.check(tmp_path / name)
