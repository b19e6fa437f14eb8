"""Releases are reproducible, complete, and list their changes."""

import zipfile
from pathlib import Path

import pytest

from tests import release
from tests.distributions import FOLDERS
from tests.release import Unfit

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [1.1.0] - 2027-01-02\n\n### Added\n\n- one\n\n## [1.0.0] - 2027-01-01\n\n- first\n"


@pytest.mark.parametrize("name", FOLDERS)
def test_two_builds_are_equal_and_hold_what_they_should(name: str, tmp_path: Path) -> None:
    first, second = (release.build(FOLDERS[name], tmp_path / part) for part in ("one", "two"))
    for one, other in zip(first, second, strict=True):
        release.same(one, other)
        release.check(name, one)


def test_a_file_that_does_not_belong_there_is_found(tmp_path: Path, wheels: dict[str, Path]) -> None:
    for strange in ("zeke_jobs/tests/secrets.py", "actors/__init__.py"):
        copy = tmp_path / wheels["zeke-jobs"].name
        copy.write_bytes(wheels["zeke-jobs"].read_bytes())
        with zipfile.ZipFile(copy, "a") as wheel:
            wheel.writestr(strange, "")
        with pytest.raises(Unfit, match=f"got {strange} too"):
            release.check("zeke-jobs", copy)
        with pytest.raises(Unfit, match="got different ones"):
            release.same(wheels["zeke-jobs"], copy)


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    assert release.notes(CHANGELOG, "1.1.0") == "### Added\n\n- one\n"
    assert release.notes(CHANGELOG, "1.0.0") == "- first\n"
    assert release.notes(CHANGELOG, "1.2.0.dev0") == release.notes(CHANGELOG, "1.2.0rc1") == "- new\n"
    for version, section in (("1.2.0", "1.2.0"), ("1.2.0rc1", "Unreleased")):
        with pytest.raises(Unfit, match=rf"a section \[{section}\]"):
            release.notes("# Changelog\n\n## [1.1.0]\n\n- one\n", version)


def test_all_places_name_one_version() -> None:
    assert release.versions()
