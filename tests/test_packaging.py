"""The tests check packages and releases: contents, imports, versions, licences, changes, and files not to ship."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
import zipfile
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests import licences, release
from tests.advisories import verdict
from tests.distributions import FOLDERS, PACKAGES, ROOT, project
from tests.release import Unfit

HEAVY = ("feedparser", "trafilatura", "httpx", "lxml", "dramatiq", "rich", "wordllama", "actors")
LIMIT = 0.3  # LIMIT is in seconds.
#: Packages in THEIRS are imported only if a user's program has imported them.
THEIRS = {"sentry_sdk", "sqlalchemy"}


def test_both_distributions_have_one_licence_and_the_same_pythons_and_need_their_own_version() -> None:
    jobs, news = project("zeke-jobs"), project("zeke-news")
    for key in ("license", "requires-python", "authors"):
        assert jobs[key] == news[key], key
    assert "<" not in jobs["requires-python"], "no Python is refused because it is new"
    assert f"zeke-jobs=={jobs['version']}" in news["dependencies"]
    assert (ROOT / "actors/LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def asked(name: str) -> list[str]:
    """Return all requirements of a distribution, also those of its extras."""
    about = project(name)
    return [*about["dependencies"], *itertools.chain(*about["optional-dependencies"].values())]


def test_each_import_is_of_a_declared_distribution_or_of_one_that_it_brings() -> None:
    declared = set[str]()
    for name in PACKAGES:
        for text in asked(name):
            needed = Requirement(text)
            with suppress(metadata.PackageNotFoundError):
                brought = [Requirement(one) for one in metadata.requires(needed.name) or ()]
                declared |= {one.name for one in brought if one.marker is None or one.marker.evaluate({"extra": ""})}
            declared.add(needed.name)
    known = {canonicalize_name(name) for name in declared}
    homes = metadata.packages_distributions()
    undeclared = {
        name: str(path.relative_to(ROOT))
        for package in PACKAGES.values()
        for path in (ROOT / package).rglob("*.py")
        for name in imported(path) - sys.stdlib_module_names - set(PACKAGES.values()) - THEIRS
        if not known & {canonicalize_name(home) for home in homes.get(name, [name])}
    }
    assert undeclared == {}


def imported(path: Path) -> set[str]:
    names = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


def test_importing_zeke_jobs_takes_under_300_ms_and_loads_nothing_heavy() -> None:
    code = "from zeke_jobs import send, status, wait; import sys, time; print(time.process_time(), *sys.modules)"
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout for _ in range(3)]
    assert {name.partition(".")[0] for name in runs[0].split()[1:]} & set(HEAVY) == set()
    # CPU time is used, because elapsed time grows on a busy machine.
    assert min(float(run.split()[0]) for run in runs) < LIMIT


def test_no_tracked_file_names_a_path_of_this_machine_or_a_package_index() -> None:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=False, capture_output=True, text=True).stdout
    if not names:
        pytest.skip("not a git checkout")
    homes = re.compile(rb"(?<![\w.~$}])/(?:root|home/(?!ines\b)\w+|Users/\w+)/")
    index = rb"https?://[^\s\"']+/(?:simple|packages)(?:/|[\s\"']|$)|^\s*-?-?(?:extra-)?index-url"
    indexes = re.compile(index, flags=re.MULTILINE)
    for path in (ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()):
        raw = path.read_bytes()
        assert str(ROOT).encode() not in raw, path
        assert b"\0" in raw or not (homes.search(raw) or indexes.search(raw)), path


def constraints() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_constraints_are_exact_versions_and_what_deployments_install_has_hashes_and_the_same_versions() -> None:
    for requirements in constraints().values():
        for requirement in requirements:
            assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement
    text = (ROOT / "constraints-hashes.txt").read_text().replace("\\\n", " ")
    hashed = [line.partition("--hash=") for line in text.splitlines()]
    assert hashed
    pinned = {str(pin) for pins in constraints().values() for pin in pins}
    versions = {str(pin).partition(";")[0].strip() for pin in map(Requirement, pinned)}
    for line, _, hashes in hashed:
        assert re.match(r"sha256:[0-9a-f]{64}\b", hashes), line
        assert str(Requirement(line)).partition(";")[0].strip() in versions, f"{line}; run: nox -s constraints"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_constraints_hold_a_fitting_version_of_each_requirement_on_each_python(python: str) -> None:
    declared = [line for one in PACKAGES for line in asked(one) if Requirement(line).name not in PACKAGES]
    declared += tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["dev"]
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux"}
    pinned = constraints()
    for line in declared:
        wanted = Requirement(line)
        pins = pinned.get(canonicalize_name(wanted.name), [])
        here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
        assert len(here) == 1, f"{line} on {python}; run: nox -s constraints"
        (version,) = here[0].specifier
        assert wanted.specifier.contains(version.version, prereleases=True), line


def test_an_upper_bound_has_a_reason_beside_it() -> None:
    bounded = []  # The two distributions require each other's version.
    for name, folder in FOLDERS.items():
        lines = (folder / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        for text in asked(name):
            needed = Requirement(text)
            is_bounded = any(part.operator in ("<", "<=", "==", "~=") for part in needed.specifier)
            if needed.name not in PACKAGES and is_bounded:
                bounded += [line for line in lines if f'"{text}"' in line]
    assert bounded
    assert [line for line in bounded if " # " not in line] == []
    [line] = [line for line in metadata.requires("dramatiq-pg") or () if Requirement(line).name == "dramatiq"]
    assert f"`{line}`" in (ROOT / "docs" / "from-dramatiq.md").read_text(encoding="utf-8")


def test_every_installed_package_is_listed_with_a_licence_that_is_accepted() -> None:
    rows = [line.strip("| ").split(" | ") for line in licences.PAGE.read_text(encoding="utf-8").splitlines()]
    listed = {package: row[0] for row in rows if len(row) == 2 for package in row[1].split(", ")}
    brought = {package: licences.licence(package) for package in licences.brought()}
    assert brought.items() <= listed.items(), "run: python -m tests.licences"
    assert [package for package, licence in brought.items() if not licences.is_accepted(licence)] == []
    # AND needs all its licences to be accepted, and OR needs one.
    assert licences.is_accepted("MIT AND (GPL-3.0-only OR Apache-2.0)")
    assert not licences.is_accepted("MIT AND AGPL-3.0-only")
    assert not licences.is_accepted("unknown")


CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [1.1.0] - 2027-01-02\n\n### Added\n\n- one\n\n## [1.0.0] - 2027-01-01\n\n- first\n"


@pytest.mark.parametrize("name", FOLDERS)
def test_two_builds_are_equal_and_hold_the_files_of_the_package_and_nothing_else(name: str, tmp_path: Path) -> None:
    first, second = (release.build(FOLDERS[name], tmp_path / part) for part in ("one", "two"))
    for one, other in zip(first, second, strict=True):
        release.same(one, other)
        release.check(name, one)
    assert ROOT / PACKAGES[name] / "py.typed" in release.shipped(name)


def test_a_file_that_does_not_belong_there_is_found(tmp_path: Path, wheels: dict[str, Path]) -> None:
    for strange in ("zeke_jobs/tests/secrets.py", "actors/__init__.py"):
        copy = tmp_path / wheels["zeke-jobs"].name
        copy.write_bytes(wheels["zeke-jobs"].read_bytes())
        with zipfile.ZipFile(copy, "a") as wheel:
            wheel.writestr(strange, "")
        with pytest.raises(Unfit, match=f"differs by {strange}"):
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


def test_a_known_vulnerability_fails_and_what_cannot_be_reached_or_is_unknown_is_said() -> None:
    fault = {"id": "CVE-1", "fix_versions": ["1.1"]}
    fine, broken = ({"name": name, "version": "1.0", "vulns": bad} for name, bad in (("fine", []), ("broken", [fault])))
    own = {"name": "own", "skip_reason": "not found: own"}
    status, lines = verdict({"dependencies": [fine, broken]})
    assert status == 1
    assert lines == ["broken 1.0: CVE-1, mended in 1.1", "2 packages audited, 1 known vulnerabilities"]
    said = ["1 packages audited, no known vulnerabilities", "not audited, since the service does not know them: own"]
    assert verdict({"dependencies": [fine, own]}) == (0, said)
    nothing = "nothing was audited: advisories cannot be reached from here ({})"
    assert verdict(None, "Traceback\nConnectionError: no route") == (0, [nothing.format("ConnectionError: no route")])
    assert verdict({"dependencies": [own, own]}) == (0, [nothing.format("not found: own")])
