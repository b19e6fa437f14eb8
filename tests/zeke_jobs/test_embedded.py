from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zeke_jobs import embedded
from zeke_jobs.postgres import connect

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's tmp_path: the unprivileged user of the server could not enter it when the tests run as root.
    path = Path(tempfile.mkdtemp(prefix="zeke-embedded-"))
    yield path
    embedded.stop(path, mode="immediate")
    shutil.rmtree(path)


def pid_of(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def answers(url: str) -> bool:
    with closing(connect(url)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT 41 + 1")
        return cursor.fetchone() == (42,)


def test_the_server_listens_only_on_a_socket_in_a_closed_folder(folder: Path) -> None:
    with closing(connect(embedded.ensure(folder))) as conn, conn.cursor() as cursor:
        cursor.execute("SHOW listen_addresses")
        assert cursor.fetchone() == ("",)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700


def test_a_running_server_is_found_and_not_started_twice(folder: Path) -> None:
    first = embedded.ensure(folder)
    pid = pid_of(folder)
    assert embedded.ensure(folder) == first
    assert pid_of(folder) == pid


def test_a_killed_server_is_started_again(folder: Path) -> None:
    url = embedded.ensure(folder)
    os.kill(pid_of(folder), signal.SIGKILL)
    assert embedded.ensure(folder) == url
    assert answers(url)


def test_a_pid_file_that_names_a_stranger_harms_neither(folder: Path) -> None:
    url = embedded.ensure(folder)
    embedded.stop(folder)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (folder / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{folder / 'data'}\n")
        assert embedded.ensure(folder) == url
        assert answers(url)
        assert stranger.poll() is None
        stranger.kill()


def test_three_starts_at_once_give_one_server(folder: Path) -> None:
    program = f"from pathlib import Path; from zeke_jobs import embedded; print(embedded.ensure(Path({str(folder)!r})))"
    starts = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    urls = {start.communicate()[0].strip() for start in starts}
    assert [start.returncode for start in starts] == [0, 0, 0]
    assert len(urls) == 1
    assert answers(urls.pop())


def test_a_path_too_long_for_a_socket_is_refused(folder: Path) -> None:
    with pytest.raises(RuntimeError, match="expected a folder of at most"):
        embedded.ensure(folder / ("x" * 100))
