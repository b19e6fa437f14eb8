import re
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner

from zeke_jobs import config
from zeke_jobs.backtest import load_file
from zeke_jobs.cli.root import app

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "backtest.md").read_text()


def test_the_load_of_the_docs_is_accepted() -> None:
    example = re.search(r"(?m)^    version: 1\n(?:    .*\n)+", PAGE)
    assert example is not None
    read = load_file.load_text(dedent(example[0]), "load.yaml", config.load(ROOT / "jobs.yaml", handlers=False))
    assert set(read.tasks) == {"ingest-oneoff", "analyze-story"}


def test_each_key_of_a_load_is_documented() -> None:
    for model in (load_file.LoadStanza, load_file.SentStanza, load_file.TakesStanza):
        assert [key for key in model.model_fields if f"`{key}`" not in PAGE and f"{key}:" not in PAGE] == []


@pytest.mark.parametrize("command", ["backtest", "capacity"])
def test_each_option_is_documented(command: str) -> None:
    said = CliRunner().invoke(app(), [command, "--help"], env={"COLUMNS": "200"}).output
    options = set(re.findall(r"--[a-z]+", said)) - {"--help"}
    assert len(options) > 5
    assert {option for option in options if f"`{option}" not in PAGE and f"{option} " not in PAGE} == set()
