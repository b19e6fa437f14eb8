"""The examples of the README run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.running import up_in_a_folder
from tests.fleet import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_the_example_has_twelve_lines_and_both_commands_work_alone() -> None:
    code = "\n".join(blocks("(?:python|yaml)"))
    assert sum(1 for line in code.splitlines() if line.strip()) <= 12
    commands = [line for block in blocks("sh") for line in block.splitlines() if "nox -s" in line]
    assert [line.rpartition(" ")[2] for line in commands] == ["demo", "tests"]
    for line in commands:
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -q nox && .venv/bin/nox -s ")


@pytest.mark.acceptance
@pytest.mark.parametrize("is_own", [False, True], ids=["without a Postgres", "on one's own Postgres"])
def test_the_example_runs(is_own: bool, new_database: Callable[..., str]) -> None:
    handler, caller = blocks("python")
    (stanza,) = blocks("yaml")
    (start,) = (block for block in blocks("sh") if block == "zeke-jobs up\n")
    (send,) = (block for block in blocks("sh") if block.startswith("zeke-jobs send "))
    (promised,) = re.findall(r"# (Hello.*)", caller)
    env = {"DATABASE_URL": new_database()} if is_own else {}
    with up_in_a_folder({"greet.py": handler, "jobs.yaml": stanza}, **env) as up:
        up.start(*start.split()[2:])
        up.wait_for("Worker process is ready")
        assert up.run(send).splitlines()[-1] == f'"{promised}"', up.text
        assert up.python(caller) == promised


def test_links_lead_to_files_and_the_index_names_every_page() -> None:
    def linked(page: Path) -> set[str]:
        return set(re.findall(r"\]\((?!<?https?:)([^)#]+)", page.read_text(encoding="utf-8")))

    assert [target for target in linked(ROOT / "README.md") if not (ROOT / target).is_file()] == []
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages - linked(ROOT / "docs" / "index.md") == set()
