"""docs/architecture.md names exactly the existing folders, and files that exist; other pages name tests that exist."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "zeke_jobs"
NEWS = ROOT / "actors"
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `([a-z/]+)/` \| [^|]+ \|$", re.MULTILINE)
MOST = 25
#: A test that a page names as the proof of a guarantee, below tests/.
PROOF = re.compile(r"`([\w/]+\.py)::(\w+)`")
CHAOS = re.compile(r"`nox -s chaos -- ([a-z-]+)`")


def modules_of(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_page_names_each_folder() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}
    named = ROW.findall(section("Folders of zeke_jobs"))
    assert sorted(named) == sorted(folder.relative_to(PACKAGE).as_posix() for folder in folders)
    assert sorted(ROW.findall(section("The news pipeline"))) == sorted(
        path.parent.name for path in NEWS.glob("*/__init__.py")
    )


@pytest.mark.parametrize(
    ("heading", "package", "least"), [("Where is it?", PACKAGE, 23), ("The news pipeline", NEWS, 3)]
)
def test_each_answer_is_in_at_most_three_files_that_exist(heading: str, package: Path, least: int) -> None:
    rows = [line for line in section(heading).splitlines() if line.startswith("| ") and "?" in line]
    answers = [re.findall(r"`([^`]+)`", line) for line in rows]
    assert len(answers) >= least
    for files in answers:
        assert 1 <= len(files) <= 3
        assert [file for file in files if not (package / file).is_file()] == []


def test_no_folder_has_more_modules_than_a_reader_can_survey() -> None:
    folders = {path.parent for package in (PACKAGE, ROOT / "actors") for path in package.rglob("*.py")}
    assert [str(folder) for folder in folders if len(modules_of(folder)) > MOST] == []


def test_no_module_reaches_itself_by_its_imports_not_even_for_types() -> None:
    graph = grimp.build_graph("zeke_jobs", "actors", cache_dir=None)
    imported = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imported).prepare()  # a CycleError names the circle


@pytest.mark.parametrize(("page", "least"), [("reliability", 20), ("limits", 15), ("stability", 8)])
def test_the_tests_that_a_page_names_exist(page: str, least: int) -> None:
    named = PROOF.findall((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    assert len(named) >= least
    assert [f"{file}::{test}" for file, test in named if not _has(ROOT / "tests" / file, test)] == []


def _has(file: Path, test: str) -> bool:
    return file.is_file() and re.search(rf"^def {test}\(", file.read_text(encoding="utf-8"), re.MULTILINE) is not None


def test_each_promise_of_a_table_has_a_proof() -> None:
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    tables = page.partition("## What is promised\n")[2].partition("\n## A job that kills")[0]
    rows = [
        line
        for line in tables.splitlines()
        if line.startswith("| ") and not line.startswith(("| promise ", "| event "))
    ]
    assert len(rows) >= 15
    assert [row for row in rows if not PROOF.search(row) and not CHAOS.search(row)] == []
