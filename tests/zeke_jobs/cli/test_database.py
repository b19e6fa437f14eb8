from pathlib import Path

import pytest

from zeke_jobs.cli.database import choose
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.postgres.own_server import server_folder


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ZEKE_JOBS_DATA", str(tmp_path / ".zeke"))
    return tmp_path / ".zeke"


def test_a_stopped_server_of_the_folder_is_named_with_what_starts_it(data: Path) -> None:
    server_folder(data).mkdir(parents=True)
    with pytest.raises(ConfigurationError, match=r"one that is stopped\n  help: zeke-jobs up starts it again"):
        choose()


@pytest.mark.usefixtures("data")
def test_where_there_never_was_one_the_address_or_a_start_is_asked_for() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"address in DATABASE_URL, got nothing\n  help: start `zeke-jobs up` in this folder, or ",
    ):
        choose()
