import errno
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
from psycopg2.extras import wait_select

from tests.fleet import is_at_work, open_folder
from tests.zeke_jobs.commands import Patch
from tests.zeke_jobs.sql import value
from zeke_jobs.errors import ZekeJobsError
from zeke_jobs.postgres import embedded, server_programs
from zeke_jobs.postgres.own_server import own_server, place, server_folder, why_elsewhere
from zeke_jobs.postgres.pool import connect

START = "import sys, pathlib; from zeke_jobs.postgres import embedded as e; print(e.ensure(pathlib.Path(sys.argv[1])))"


@pytest.fixture(scope="module")
def used() -> Iterator[Path]:
    """Make a folder whose server has run and stopped."""
    with open_folder("embedded") as path:
        embedded.ensure(path / "used")
        embedded.stop(path / "used")
        yield path / "used"


@pytest.fixture
def folder(used: Path) -> Iterator[Path]:
    """Copy the folder of a stopped server."""
    with open_folder("embedded") as path:
        subprocess.run(["cp", "-a", used, path / "here"], check=True)
        yield path / "here"
        embedded.stop(path / "here", mode="immediate")


def pid_of(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def answers(url: str) -> bool:
    with closing(connect(url)) as conn:
        return bool(value(conn, "SELECT 41 + 1") == 42)


def test_what_a_killed_server_left_working_ends_before_another_starts(folder: Path) -> None:
    url = embedded.ensure(folder)
    spin = "DO $$ BEGIN WHILE clock_timestamp() < now() + interval '2 s' LOOP END LOOP; END $$"
    with closing(psycopg2.connect(url, async_=True)) as conn:
        wait_select(conn)
        backend = conn.info.backend_pid
        conn.cursor().execute(spin)
        os.kill(pid_of(folder), signal.SIGKILL)
        assert is_at_work(backend)
        assert embedded.ensure(folder) == url
    assert not is_at_work(backend)
    assert answers(url)


def test_no_odd_pid_file_is_an_obstacle_and_a_start_can_be_interrupted_or_come_while_the_earlier_server_stops(
    folder: Path, monkeypatch: Patch
) -> None:
    def start_the_next(_: float) -> None:
        monkeypatch.undo()
        embedded.ensure(folder)

    with subprocess.Popen(["sleep", "60"]) as stranger:
        for left in ("12345", "garbage", f"{stranger.pid}\n{folder / 'data'}\n"):
            (folder / "data" / "postmaster.pid").write_text(left)
            assert answers(embedded.ensure(folder))
            embedded.stop(folder, mode="immediate")
        assert stranger.poll() is None
        stranger.kill()
    with monkeypatch.context() as patch:
        patch.setattr(psycopg2, "connect", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            embedded.ensure(folder)
    embedded.stop(folder)
    assert (embedded.running(folder), (folder / "data" / "postmaster.pid").exists()) == (None, False)
    embedded.ensure(folder)
    monkeypatch.setattr(time, "sleep", start_the_next)
    embedded.stop(folder)
    assert embedded.running(folder)


def test_a_start_waits_for_the_initdb_of_one_that_was_killed_and_three_at_once_give_one_server() -> None:
    with open_folder("embedded") as above:
        start = [sys.executable, "-c", START, str(above / "here")]
        with subprocess.Popen(start) as starting:
            while not (above / "here" / "half" / "PG_VERSION").exists():
                assert starting.poll() is None
            starting.kill()
        starts = [subprocess.Popen(start, stdout=subprocess.PIPE, text=True) for _ in range(3)]
        try:
            urls = {one.communicate()[0].strip() for one in starts}
            assert [one.returncode for one in starts] == [0, 0, 0]
            assert len(urls) == 1
            assert answers(urls.pop())
        finally:
            embedded.stop(above / "here", mode="immediate")


def test_any_path_will_do_and_the_socket_is_private_all_the_same() -> None:
    name = 'it\'s "$(touch x)`", Ängström, 日本, back\\slash, percent%20' + "x" * 50
    with open_folder("embedded") as above:
        try:
            url = embedded.ensure(above / name)
            assert answers(url)
            socket = Path(parse_qs(urlsplit(url).query)["host"][0])
            assert stat.S_IMODE(socket.stat().st_mode) == 0o700
            assert above not in socket.parents
        finally:
            embedded.stop(above / name, mode="immediate")
        assert not socket.exists()


def test_a_copied_folder_has_a_server_of_its_own_and_the_folder_of_a_killed_servers_socket_goes(folder: Path) -> None:
    far, copy = (folder.with_name(letter * 90) for letter in "fc")
    folder.rename(far)
    try:
        url = embedded.ensure(far)
        first = Path(parse_qs(urlsplit(url).query)["host"][0])
        subprocess.run(["cp", "-a", far, copy], check=True)
        assert embedded.running(copy) is None
        assert embedded.ensure(copy) != url
        assert answers(url)
        os.kill(pid_of(far), signal.SIGKILL)
        assert answers(embedded.ensure(far))
        assert not first.exists()
    finally:
        for one in (far, copy):
            embedded.stop(one, mode="immediate")


def test_why_it_does_not_start_is_said_and_its_socket_is_private(folder: Path, monkeypatch: Patch) -> None:
    words = r"^expected the embedded server to start, got: .*no_such_thing.*\n  help: its log is "
    with pytest.raises(ZekeJobsError, match=words):
        embedded.ensure(folder, settings={"no_such_thing": "x"})
    others = {"PGPORT": "6543", "PGDATA": "/nowhere", "PGHOST": "nowhere.invalid", "LOCPATH": "/nowhere"}
    for name, said in others.items():
        monkeypatch.setenv(name, said)
    with closing(connect(embedded.ensure(folder))) as conn:
        assert value(conn, "SHOW listen_addresses") == ""
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, folder / "data")] == [0o700] * 2


def test_programs_whose_path_a_shell_would_misread_are_copied(monkeypatch: Patch) -> None:
    monkeypatch.setattr(server_programs, "_copy", lambda _: Path("/copy"))
    for path, found in ((Path("/plain"), Path("/plain")), (Path("/odd $d"), Path("/copy"))):
        monkeypatch.setattr(server_programs, "binaries", lambda path=path: path)
        assert server_programs.runnable(None, {}) == found


@pytest.fixture
def no_server(monkeypatch: Patch) -> list[str]:
    """Replace start and stop of the server by functions that only record the calls."""
    calls: list[str] = []
    monkeypatch.setattr("zeke_jobs.postgres.server_programs.account", lambda _data: {})
    monkeypatch.setattr(embedded, "ensure", lambda _folder: calls.append("start"))
    monkeypatch.setattr(embedded, "stop", lambda _folder: calls.append("stop"))
    return calls


@pytest.mark.parametrize("name", ["app", "x" * 100, "a \"b\" 'c' $d"])
def test_data_stays_in_its_folder_and_git_ignores_it(tmp_path: Path, no_server: list[str], name: str) -> None:
    data = tmp_path / name / ".zeke"
    with pytest.raises(PermissionError, match="mine"), own_server(data, "it"):
        raise PermissionError(errno.EACCES, "mine")  # The error is not taken for trouble with the server.
    assert no_server == ["start", "stop"]
    assert (server_folder(data), why_elsewhere(data)) == (data / "postgres", "")
    assert (data / ".gitignore").read_text() == "*\n"


@pytest.mark.usefixtures("no_server")
def test_a_folder_that_was_moved_finds_its_data_again(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr("zeke_jobs.postgres.server_programs.state_folder", lambda: tmp_path / "state")
    monkeypatch.setattr("zeke_jobs.postgres.own_server.why_elsewhere", lambda _: "a reason")
    with own_server(tmp_path / "a" / ".zeke", "it"):
        before = place(tmp_path / "a" / ".zeke")
    assert before.parent == tmp_path / "state"
    (tmp_path / "a").rename(tmp_path / "b")
    assert place(tmp_path / "b" / ".zeke") == before
