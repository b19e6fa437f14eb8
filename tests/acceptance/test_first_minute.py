"""zeke_jobs starts for root and other users, also in private and read-only folders; if it cannot start, it says why."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.acceptance.running import NAMELESS, USERS, Place, first_minute, install, is_open, visit

IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root makes such a place")


@pytest.fixture(scope="session")
def base(wheels: dict[str, Path]) -> Iterator[Path]:
    """Make a folder that every user may enter, with the environment ``venv`` inside."""
    usual = tempfile.gettempdir()  # pytest's folder is closed to other users.
    where = usual if is_open(Path(usual, "any")) else "/tmp"
    with tempfile.TemporaryDirectory(prefix="zeke-place-", dir=where) as name:
        Path(name).chmod(0o755)
        install(Path(name) / "here" / "venv", wheels, "zeke-jobs[embedded,news]")
        yield Path(name)


@pytest.fixture
def place(base: Path) -> Iterator[Place]:
    """Make a folder beside the environment. At the end, remove the folder, and the files that its commands made elsewhere."""
    found = Place(base / "here" / "venv", Path(tempfile.mkdtemp(dir=base / "here")))
    found.folder.chmod(0o755)
    found.fill()
    yield found
    found.forget()
    shutil.rmtree(found.folder, ignore_errors=True)


@pytest.fixture
def user(place: Place) -> Place:
    return other(place) if IS_ROOT else place


def other(place: Place, user: str | int = USERS[0]) -> Place:
    python = (place.venv / "bin" / "python").resolve()
    if not is_open(python):
        pytest.skip(f"other users may not run {python}")
    place.user = user if isinstance(user, int) else pwd.getpwnam(user).pw_uid
    place.env |= {"HOME": str(place.folder)}
    place.fill()
    return place


@needs_root
def test_root_in_a_closed_home_with_a_closed_umask(base: Path, place: Place) -> None:
    place.umask = 0o077
    (base / "here").chmod(0o700)
    try:
        text = first_minute(place)
    finally:
        (base / "here").chmod(0o755)
    assert f"not in .zeke: PostgreSQL does not run as root, and other users may not enter {base / 'here'}" in text


@pytest.mark.parametrize(
    "before",
    [("unshare", "--map-root-user"), ("setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid")],
    ids=["by name alone", "without two of its rights"],
)
def test_root_that_cannot_become_another_user_is_told_so(place: Place, before: tuple[str, ...]) -> None:
    place.before = before
    with suppress(FileNotFoundError):
        if not subprocess.run([*before, "true"], capture_output=True, check=False).returncode:
            assert "root to be able to become another user" in place.refusal("up")
            return
    pytest.skip("this machine lets no root be so restricted")


BARE = {"LANG": "C", "LC_ALL": "C", "TMPDIR": "/nowhere", "PATH": "/nowhere"}


def test_a_read_only_checkout_in_a_bare_environment(user: Place) -> None:
    (user.folder / "home").mkdir(mode=0o700)
    if user.user is not None:
        os.chown(user.folder / "home", user.user, user.user)
    user.env |= {**BARE, "HOME": str(user.folder / "home")}
    user.folder.chmod(0o555)
    text = first_minute(user)
    assert f"{user.folder}/home/.local/state/zeke-jobs/" in text
    assert f"not in .zeke: nothing can be written to {user.folder}" in text


@needs_root
def test_a_folder_that_root_made_is_refused_to_a_user_and_one_without_a_name_is_told_so(place: Place) -> None:
    assert f"the user {NAMELESS} to have a name" in other(place, NAMELESS).refusal("up")
    place.user = None
    assert visit(place) == 1
    error = other(place).refusal("up")
    assert f"to be able to write to {place.folder / '.zeke'}, got: Permission denied" in error


def test_a_folder_that_a_user_without_a_home_made_works_for_root_and_then_for_the_user_again(user: Place) -> None:
    user.env |= {**BARE, "HOME": None}
    assert visit(user) == 1
    if IS_ROOT:
        name, user.user = user.user, None
        assert visit(user) == 2
        user.user = name
        assert visit(user) == 3


@needs_root
def test_two_users_on_one_machine(base: Path, place: Place) -> None:
    one = other(place)
    with tempfile.TemporaryDirectory(dir=base / "here") as name:
        Path(name).chmod(0o755)
        two = Place(place.venv, Path(name))
        two.fill()
        two.started = one.started
        other(two, USERS[1])
        one.start("up").wait_for("ready; in another terminal")
        assert visit(two) == 1
        two.folder = one.folder
        assert "to be able to write to" in two.refusal("up")
        assert "got one of another user" in two.refusal("jobs")


@needs_root
def test_a_disk_that_is_full_by_now_is_said_in_a_sentence(place: Place) -> None:
    disk = place.folder / ".zeke"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150m,mode=755", "none", disk], check=False).returncode:
        pytest.skip("this machine lets nobody mount anything")
    try:
        assert visit(place) == 1
        with suppress(OSError), (disk / "rest").open("wb", buffering=0) as rest:
            while rest.write(bytes(4096)):
                pass
        assert "got a full disk" in place.refusal("up")
        (disk / "rest").unlink()
        assert visit(place) == 2
    finally:
        subprocess.run(["umount", disk], check=True)
