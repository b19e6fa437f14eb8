import os
from pathlib import Path

import pytest

from zeke_jobs import embedded
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.own_server import own_server, server_folder, why_elsewhere


def test_data_stays_in_its_folder_where_a_server_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert server_folder(Path("/srv/app/.zeke")) == Path("/srv/app/.zeke/postgres")
    assert why_elsewhere(Path("/srv/app/.zeke")) == ""


def test_a_path_too_long_for_a_socket_is_replaced_by_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ines")
    folder = server_folder(Path("/srv") / ("x" * 100))
    assert folder.parent == Path("/home/ines/.local/state")
    assert folder == server_folder(Path("/srv") / ("x" * 100))
    assert folder != server_folder(Path("/srv") / ("y" * 100))
    assert why_elsewhere(Path("/srv") / ("x" * 100)) == "its path is too long for a unix socket"


def test_root_gets_a_folder_that_an_unprivileged_server_can_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("zeke_jobs.own_server._LONGEST", 4096)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert server_folder(closed / ".zeke").parent == Path("/var/lib")
    outermost = next(above for above in reversed((closed, *closed.parents)) if not above.stat().st_mode & 0o001)
    assert (
        why_elsewhere(closed / ".zeke") == f"PostgreSQL does not run as root, and other users may not enter {outermost}"
    )


def test_root_keeps_a_folder_that_everybody_can_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert server_folder(Path("/usr/.zeke")) == Path("/usr/.zeke/postgres")


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    calls: list[str] = []

    def ensure(_folder: Path) -> str:
        calls.append("start")
        return "postgresql://"

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr(embedded, "ensure", ensure)
    monkeypatch.setattr(embedded, "stop", lambda _folder: calls.append("stop"))
    return calls


def test_a_second_command_is_refused_the_same_server(tmp_path: Path, no_server: list[str]) -> None:
    with own_server(tmp_path, "the first"), pytest.raises(ZekeJobsError) as refused, own_server(tmp_path, "the second"):
        pass
    assert f"got the first (process {os.getpid()}), which runs already" in str(refused.value)
    assert no_server == ["start", "stop"]


def test_git_ignores_a_data_folder_that_was_made_for_the_server(tmp_path: Path, no_server: list[str]) -> None:
    with own_server(tmp_path / ".zeke", "it"):
        pass
    assert (tmp_path / ".zeke" / ".gitignore").read_text() == "*\n"


def test_a_folder_that_was_there_gets_no_gitignore(tmp_path: Path, no_server: list[str]) -> None:
    with own_server(tmp_path, "it"):
        pass
    assert not (tmp_path / ".gitignore").exists()


def test_the_server_is_stopped_whatever_happens(tmp_path: Path, no_server: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), own_server(tmp_path, "it"):
        raise KeyboardInterrupt
    assert no_server == ["start", "stop"]
