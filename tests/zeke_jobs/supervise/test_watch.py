import os
from pathlib import Path

import pytest

from zeke_jobs.supervise.reload import Watch


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("__pycache__", ".hidden", "tests", "shop/prompts"):
        (tmp_path / "code" / folder).mkdir(parents=True)
    (tmp_path / "code" / "a.py").write_text("a = 1")
    (tmp_path / "code" / "shop" / "__init__.py").touch()
    (tmp_path / "jobs.yaml").write_text("version: 1")
    return tmp_path


def test_an_edited_a_new_and_a_removed_file_are_named_once(tree: Path) -> None:
    watched = Watch([tree / "code", tree / "jobs.yaml", tree / "later.yaml"])
    assert watched.changed() == []
    (tree / "jobs.yaml").write_text("version: 2")
    os.utime(tree / "jobs.yaml", (1, 1))
    (tree / "code" / "a.py").unlink()
    (tree / "code" / "b.py").touch()
    (tree / "later.yaml").touch()
    assert watched.changed() == [tree / name for name in ("code/a.py", "code/b.py", "jobs.yaml", "later.yaml")]
    assert watched.changed() == []


def test_code_and_texts_of_packages_count_and_no_tests_caches_or_files_that_a_job_may_write(tree: Path) -> None:
    watched = Watch([tree / "code"])
    left_out = ["__pycache__/a.py", ".hidden/c.py", "notes.log", "report.md", "shop/sold.csv"]
    for name in [*left_out, "test_a.py", "a_test.py", "conftest.py", "tests/a.py"]:
        (tree / "code" / name).touch()
    assert watched.changed() == []
    for name in ("contest.py", "shop/prompts/ask.md"):
        (tree / "code" / name).touch()
    assert watched.changed() == [tree / "code" / "contest.py", tree / "code" / "shop" / "prompts" / "ask.md"]
