"""The noxfile names files that exist. A session first says how long it takes, and lists tests that pass only alone."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import Mock

import nox
import pytest

from tests.fleet import ROOT


@pytest.fixture(scope="module")
def noxfile(tmp_path_factory: pytest.TempPathFactory) -> Any:
    module = ModuleType("noxfile")
    exec((ROOT / "noxfile.py").read_text(), module.__dict__)
    module.__dict__["CACHE"] = tmp_path_factory.mktemp("cache")
    return module


def test_each_named_file_is_there_and_every_test_of_the_command_lines_is_in_them(noxfile: Any) -> None:
    named = (*noxfile.ACCEPTANCE, *noxfile.ON_DEBIANS_SERVER, *noxfile.ON_DRAMATIQ_2)
    files = [one.partition("::")[0] for one in named if one.startswith("tests/")]
    assert [one for one in files if not (ROOT / one).exists()] == []
    tests = {*(ROOT / "tests").rglob("*.py")} - {Path(__file__)}
    marked = [path for path in tests if "pytest.mark.acceptance" in path.read_text()]
    assert len(marked) >= 5  # The conftest of the acceptance tests marks all of them.
    for path in marked:
        assert any(path.is_relative_to(ROOT / place) for place in noxfile.ACCEPTANCE), path


def test_the_first_words_say_what_it_is_and_how_long_it_takes(noxfile: Any) -> None:
    for session, words in noxfile.FIRST_WORDS.items():
        command = [sys.executable, "noxfile.py", "-s", session]  # nox reads the file before it makes an environment.
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stderr == f"{session}: {words}\n"


def test_a_session_runs_in_the_environment_of_nox_with_nothing_to_install(noxfile: Any) -> None:
    session = Mock(virtualenv=nox.virtualenv.PassthroughEnv())
    noxfile.install(session, "ruff")
    session.run_install.assert_not_called()


class Session:
    """In this fake nox session the first run of pytest fails, and later runs pass if ``passes_alone`` is true."""

    name = "tests"

    def __init__(self, *posargs: str, passes_alone: bool) -> None:
        self.posargs, self.said, self.runs = posargs, [""], 0
        self._passes_alone = passes_alone
        self.log = self.warn = self.said.append

    def run(self, *command: str, env: dict[str, str] | None = None) -> None:
        self.runs += 1
        if "pytest" in command and "--last-failed" not in command:
            (cache,) = (Path(word.removeprefix("cache_dir=")) for word in command if word.startswith("cache_dir="))
            (cache / "v" / "cache").mkdir(parents=True, exist_ok=True)
            (cache / "v" / "cache" / "lastfailed").write_text('{"tests/test_clock.py::test_it_ticks": true}')
        elif self._passes_alone:
            return
        raise nox.command.CommandFailed

    def error(self, message: str) -> None:
        raise RuntimeError(message)


def test_a_test_that_passes_only_alone_is_named_and_refused_if_asked(noxfile: Any) -> None:
    session = Session(passes_alone=True)
    noxfile._run(session, "unit")
    assert session.said[-1] == "flaky, passed only alone: tests/test_clock.py::test_it_ticks"
    with pytest.raises(RuntimeError, match="--strict refuses"):
        noxfile._run(Session("--strict", passes_alone=True), "unit")


def test_a_part_or_a_check_that_fails_does_not_hide_the_next(noxfile: Any) -> None:
    session = Session(passes_alone=False)
    with pytest.raises(RuntimeError, match=r"^failed: unit, acceptance$"):
        noxfile._run(session, "unit", "acceptance")
    assert session.runs == 4
    session = Session(passes_alone=False)
    with (
        subprocess.Popen([sys.executable, "-c", "exit(1)"]) as types,
        pytest.raises(RuntimeError, match=r"^failed: ruff check, mypy, unit$"),
    ):
        noxfile._run(session, "unit", checks=["ruff check"], types=types)
    assert session.runs == 4


def test_the_measures_of_quality_run_with_the_code_unless_the_quick_part_is_asked_for(noxfile: Any) -> None:
    for session, has_quality in (("tests", True), ("tests-3.12", True), ("unit", False)):
        arguments, _ = noxfile._selected(SimpleNamespace(name=session), "unit")
        assert ("not quality" in arguments[1]) is not has_quality
