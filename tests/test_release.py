"""Releases are reproducible, complete, and list their changes; ``nox -s audit`` evaluates a report of pip-audit."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests import release
from tests.advisories import verdict
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
    assert release.versions(), "all places name one version"
    assert release.notes(CHANGELOG, "1.2.0.dev0") == release.notes(CHANGELOG, "1.2.0rc1") == "- new\n"
    for version, section in (("1.2.0", "1.2.0"), ("1.2.0rc1", "Unreleased")):
        with pytest.raises(Unfit, match=rf"a section \[{section}\]"):
            release.notes("# Changelog\n\n## [1.1.0]\n\n- one\n", version)


def report(**packages: list[str] | None) -> dict[str, Any]:
    """Make a report of pip-audit with the vulnerabilities of each package, or None for an unknown package."""
    found: list[dict[str, Any]] = []
    for name, faults in packages.items():
        vulns = [{"id": one, "fix_versions": ["1.1"]} for one in faults or ()]
        unknown = {"skip_reason": f"not found: {name}"}
        found.append({"name": name, **(unknown if faults is None else {"version": "1.0", "vulns": vulns})})
    return {"dependencies": found}


def test_a_known_vulnerability_fails_and_what_the_service_does_not_know_is_named() -> None:
    status, lines = verdict(report(fine=[], broken=["CVE-1"]))
    assert status == 1
    assert lines == ["broken 1.0: CVE-1, mended in 1.1", "2 packages audited, 1 known vulnerabilities"]
    fine = ["1 packages audited, no known vulnerabilities", "not audited, since the service does not know them: own"]
    assert verdict(report(fine=[], own=None)) == (0, fine)


def test_where_advisories_cannot_be_reached_that_is_said_and_nothing_is_claimed() -> None:
    said = "nothing was audited: advisories cannot be reached from here ({})"
    assert verdict(None, "Traceback\nConnectionError: no route") == (0, [said.format("ConnectionError: no route")])
    assert verdict(report(one=None, two=None)) == (0, [said.format("not found: one")])
