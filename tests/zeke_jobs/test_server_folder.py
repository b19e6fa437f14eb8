from pathlib import Path

import pytest

from zeke_jobs.server_folder import server_folder


def test_data_stays_in_its_folder_where_a_server_can_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert server_folder(Path("/srv/app/.zeke")) == Path("/srv/app/.zeke/postgres")


def test_a_path_too_long_for_a_socket_is_replaced_by_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/ines")
    folder = server_folder(Path("/srv") / ("x" * 100))
    assert folder.parent == Path("/home/ines/.local/state")
    assert folder == server_folder(Path("/srv") / ("x" * 100))
    assert folder != server_folder(Path("/srv") / ("y" * 100))


def test_root_gets_a_folder_that_an_unprivileged_server_can_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert server_folder(closed / ".zeke").parent == Path("/var/lib")


def test_root_keeps_a_folder_that_everybody_can_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert server_folder(Path("/usr/.zeke")) == Path("/usr/.zeke/postgres")
