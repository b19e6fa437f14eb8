"""The command that installs an extra leads to where its distribution came from."""

from __future__ import annotations

import json
from importlib.metadata import PathDistribution
from typing import TYPE_CHECKING

import pytest

from zeke_jobs.core import extras

if TYPE_CHECKING:
    from pathlib import Path


def came_from(folder: Path, monkeypatch: pytest.MonkeyPatch, origin: object) -> None:
    if origin is not None:
        (folder / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.setattr(extras, "distribution", lambda _name: PathDistribution(folder))


def test_a_release_is_installed_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    came_from(tmp_path, monkeypatch, None)
    assert extras.install("zeke-jobs[plot]") == "pip install 'zeke-jobs[plot]'"


@pytest.mark.parametrize("name", ["zeke_jobs-1.0.0-py3-none-any.whl", "a checkout"])
def test_a_wheel_or_a_checkout_is_installed_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).touch()
    came_from(tmp_path, monkeypatch, {"url": (tmp_path / name).as_uri()})
    assert extras.install("zeke-jobs[plot]") == f"pip install '{tmp_path / name}[plot]'"
    (tmp_path / name).unlink()
    assert extras.install("zeke-jobs[plot]") == "pip install 'zeke-jobs[plot]'"


def test_an_editable_checkout_stays_editable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    came_from(tmp_path, monkeypatch, {"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    assert extras.install("zeke-jobs[plot]") == f"pip install -e '{tmp_path}[plot]'"


def test_a_distribution_that_is_not_there_is_named() -> None:
    assert extras.install("no-such-thing[plot]") == "pip install 'no-such-thing[plot]'"
