import errno
from pathlib import Path

import pytest

from zeke_jobs.postgres import embedded
from zeke_jobs.postgres.own_server import own_server, place, server_folder, why_elsewhere


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace start and stop of the server by functions that only record the calls."""
    calls: list[str] = []

    def ensure(_folder: Path) -> str:
        calls.append("start")
        return "postgresql://"

    monkeypatch.setattr("zeke_jobs.postgres.server_programs.account", lambda _data: {})
    monkeypatch.setattr(embedded, "ensure", ensure)
    monkeypatch.setattr(embedded, "stop", lambda _folder: calls.append("stop"))
    return calls


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set the folder for files that cannot be in the data folder."""
    monkeypatch.setattr("zeke_jobs.postgres.server_programs.state_folder", lambda: tmp_path / "state")
    return tmp_path / "state"


# ── where the data is


@pytest.mark.usefixtures("no_server")
@pytest.mark.parametrize("name", ["app", "x" * 100, "a \"b\" 'c' $d"])
def test_data_stays_in_its_folder_whatever_its_path(tmp_path: Path, name: str) -> None:
    assert server_folder(tmp_path / name / ".zeke") == tmp_path / name / ".zeke" / "postgres"
    assert why_elsewhere(tmp_path / name / ".zeke") == ""


@pytest.mark.usefixtures("no_server")
def test_a_folder_that_was_moved_finds_its_data_again(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zeke_jobs.postgres.own_server.why_elsewhere", lambda _: "a reason")
    with own_server(tmp_path / "a" / ".zeke", "it"):
        before = place(tmp_path / "a" / ".zeke")
    assert before.parent == state
    (tmp_path / "a").rename(tmp_path / "b")
    assert place(tmp_path / "b" / ".zeke") == before


# ── one command at a time


def test_git_ignores_a_data_folder_that_was_made_for_the_server(tmp_path: Path, no_server: list[str]) -> None:
    with own_server(tmp_path / ".zeke", "it"):
        pass
    assert (tmp_path / ".zeke" / ".gitignore").read_text() == "*\n"


def test_what_goes_wrong_while_it_runs_is_not_taken_for_trouble_with_the_server(
    tmp_path: Path, no_server: list[str]
) -> None:
    with pytest.raises(PermissionError, match="mine"), own_server(tmp_path, "it"):
        raise PermissionError(errno.EACCES, "mine")
    assert no_server == ["start", "stop"]
