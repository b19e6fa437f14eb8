import re
from pathlib import Path
from textwrap import dedent

from zeke_jobs import config
from zeke_jobs.backtest import load_file

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
