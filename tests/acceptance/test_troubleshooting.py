"""Makes each mistake in docs/troubleshooting.md, and compares the messages with the page."""

from pathlib import Path

import pytest

from tests.acceptance.running import Up, up_in_a_folder
from tests.acceptance.test_tutorial import BLOCK, commands, matches

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(240)]

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
NEW_DATABASE = """if True:
    import os, psycopg2
    url = os.environ["DATABASE_URL"]
    conn = psycopg2.connect(url)
    conn.autocommit = True
    conn.cursor().execute("CREATE DATABASE fresh")
    print(url.replace("/postgres?", "/fresh?"))
"""


def start(up: Up) -> None:
    up.start()
    up.wait_for("Worker process is ready")
    up.env["FRESH"] = up.python(NEW_DATABASE)


def test_the_page_has_twenty_mistakes() -> None:
    assert [f"### {number}. " in PAGE for number in range(1, 22)] == [True] * 20 + [False]


def test_each_mistake_is_told_as_the_page_says() -> None:
    with up_in_a_folder() as up:
        for block in BLOCK.finditer(PAGE):
            if block["title"]:
                (up.folder / block["title"]).write_text(block["body"])
                continue
            for command, output in commands(block["body"]):
                if command == "zeke-jobs up" and not output:
                    start(up)
                    continue
                got = up.run(command)
                assert matches(output, got), f"$ {command}\n{got}"
