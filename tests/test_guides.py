"""Commands that the guides name exist, the retries that they promise follow from the policy, and the first page is short."""

import re
from pathlib import Path

import pytest
import typer.main

from zeke_jobs import config
from zeke_jobs.cli.root import app

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = ("handlers", "looking", "running", "operations", "changing", "index", "troubleshooting")
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in GUIDES}


def test_the_policy_means_what_the_page_says() -> None:
    assert "`retry: {limit: 5, delay: 10s}` tries again after about 10, 20, 40, 80 and 160 s" in PAGES["handlers"]
    text = 'version: 1\ntasks: {fetch: {handler: "pages:fetch", retry: {limit: 5, delay: 10s}}}'
    retry = config.load_text(text, "jobs.yaml", handlers=False).tasks["fetch"].retry
    delays = [retry.delay.total_seconds() * retry.factor**n for n in range(retry.limit)]
    assert delays == [10, 20, 40, 80, 160]
    assert retry.jitter == 0.1


@pytest.mark.parametrize("name", GUIDES)
def test_each_command_exists(name: str) -> None:
    commands = getattr(typer.main.get_command(app()), "commands")  # noqa: B009 (typer does not export click's group)
    named = set(re.findall(r"zeke-jobs ([a-z]+)", PAGES[name]))
    assert named - set(commands) <= {"up", "s"}, named - set(commands)


def test_the_first_page_has_few_lines_of_code() -> None:
    code = re.findall(r'^```(?:python|yaml)(?: title="[^"]+")?\n(.*?)^```', PAGES["index"], re.MULTILINE | re.DOTALL)
    assert sum(1 for block in code for line in block.splitlines() if line.strip()) <= 10
