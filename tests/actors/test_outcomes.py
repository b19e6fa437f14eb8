"""Each outcome of an item has one definition, and every reader and Engine passes the outcome on unchanged."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from actors.engine.contract import ContentItem, EngineError
from actors.outcomes import REASONS, Outcome

ROOT = Path(__file__).resolve().parents[2]
LAST = '    ABANDONED = "abandoned"'
PROBE = """
from actors.engine.client import _failure
from actors.engine.fetch import Fetched
from actors.engine.contract import ContentItem, EngineError
from actors.engine.readers.pool import Readers

def fail(body):
    raise EngineError("probe", "it is new")

OPERATIONS = {"fail": fail}

def warm_up():
    pass

if __name__ == "__main__":
    readers = Readers("probe")
    try:
        readers.ask("fail", b"", about="a page")
    except EngineError as error:
        print(error.code, error.transient)
    readers.close()
    error = _failure(Fetched('http://engine', 500, {}, b'{"code": "probe"}'))
    print(error.code, error.transient)
    print(ContentItem.model_validate_json('{"id": "1", "obstacle": "probe"}').obstacle)
"""


def test_a_new_outcome_is_named_once_and_comes_through_reader_and_engine_as_itself(tmp_path: Path) -> None:
    copy = tmp_path / "actors"
    shutil.copytree(ROOT / "actors", copy, ignore=shutil.ignore_patterns("__pycache__"))
    outcomes = (copy / "outcomes.py").read_text()
    assert LAST in outcomes
    (copy / "outcomes.py").write_text(
        outcomes.replace(LAST, f'    PROBE = "probe", "failed", "passes obstacle"\n\n{LAST}')
    )
    (tmp_path / "probe.py").write_text(PROBE)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "probe.py"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ran.stdout.split(), ran.stderr) == (["probe", "True", "probe", "True", "probe"], "")


def test_no_reason_is_given_that_is_no_outcome() -> None:
    given = [
        (path.name, node.lineno, argument.value)
        for path in (ROOT / "actors").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "EngineError" and node.args
        for argument in node.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    ]
    assert len(given) > 20
    assert [one for one in given if one[2] not in REASONS] == []


@pytest.mark.parametrize("code", ["blocked?", "stored", "queued"])
def test_what_is_no_reason_is_refused_where_it_is_given(code: str) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        EngineError(code, "no")


def test_only_what_a_page_can_show_is_an_obstacle() -> None:
    assert ContentItem(id="1", obstacle=Outcome.CONSENT).obstacle is Outcome.CONSENT
    with pytest.raises(ValidationError, match="expected one of"):
        ContentItem.model_validate({"id": "1", "obstacle": "timeout"})


def test_an_outcome_says_what_becomes_of_its_item() -> None:
    assert {outcome.status for outcome in Outcome} == {"pending", "completed", "skipped", "failed"}
    assert {trait for outcome in Outcome for trait in outcome.traits} == {"passes", "feed", "obstacle", "again"}
