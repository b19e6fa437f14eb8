import os
from pathlib import Path

import pytest

from zeke_jobs.supervise.reload import Watch


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "code" / "__pycache__").mkdir(parents=True)
    (tmp_path / "code" / "a.py").write_text("a = 1")
    (tmp_path / "jobs.yaml").write_text("version: 1")
    return tmp_path


def watch(tree: Path) -> Watch:
    return Watch([tree / "code", tree / "jobs.yaml"])


def test_nothing_changed_is_an_empty_list(tree: Path) -> None:
    assert watch(tree).changed() == []


def test_an_edited_file_is_named_once(tree: Path) -> None:
    watched = watch(tree)
    (tree / "jobs.yaml").write_text("version: 2")
    os.utime(tree / "jobs.yaml", (1, 1))
    assert watched.changed() == [tree / "jobs.yaml"]
    assert watched.changed() == []


def test_a_new_and_a_removed_file_are_changes(tree: Path) -> None:
    watched = watch(tree)
    (tree / "code" / "b.py").write_text("")
    (tree / "code" / "a.py").unlink()
    assert watched.changed() == [tree / "code" / "a.py", tree / "code" / "b.py"]


def test_a_file_that_appears_later_is_noticed(tree: Path) -> None:
    watched = Watch([tree / "later.yaml"])
    (tree / "later.yaml").write_text("")
    assert watched.changed() == [tree / "later.yaml"]


def test_caches_and_other_files_are_not_looked_at(tree: Path) -> None:
    watched = watch(tree)
    (tree / "code" / "__pycache__" / "a.py").write_text("")
    (tree / "code" / "notes.log").write_text("")
    (tree / "code" / ".hidden").mkdir()
    (tree / "code" / ".hidden" / "c.py").write_text("")
    assert watched.changed() == []


def test_tests_are_not_looked_at(tree: Path) -> None:
    watched = watch(tree)
    (tree / "code" / "tests").mkdir()
    for name in ("test_a.py", "a_test.py", "conftest.py", "tests/a.py"):
        (tree / "code" / name).write_text("")
    assert watched.changed() == []
    (tree / "code" / "contest.py").write_text("")
    assert watched.changed() == [tree / "code" / "contest.py"]


def test_of_other_files_those_of_packages_count_and_none_that_a_job_may_write(tree: Path) -> None:
    package = tree / "code" / "shop"
    (package / "prompts").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    watched = watch(tree)
    (tree / "code" / "report.md").write_text("")
    (package / "prompts" / "ask.md").write_text("")
    assert watched.changed() == [package / "prompts" / "ask.md"]
