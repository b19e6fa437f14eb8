"""The examples of docs/limits.md are accepted, and run."""

import re
from pathlib import Path

import pytest

from zeke_jobs import Throttled, config
from zeke_jobs.testing import FakeContext

PAGE = (Path(__file__).parents[3] / "docs" / "limits.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_file_is_accepted() -> None:
    (text,) = blocks("yaml")
    handler = "tests.zeke_jobs.worker.handlers:echo"
    text = re.sub(r"handler: my_jobs\S+", f"handler: {handler}", text)
    loaded = config.load_text(f"version: 1\n{text}", "jobs.yaml")
    assert str(loaded.limits["ai"].budget) == "5.00 USD/d"
    assert str(loaded.tasks["fetch-content"].rate) == "10/s, 1/s per key"


def test_the_handler_closes_its_limit() -> None:
    code = next(block for block in blocks("python") if "Throttled" in block)
    found: dict[str, object] = {"__name__": "example"}
    exec(code, found)
    with pytest.raises(Throttled) as raised:
        found["ask"](None, FakeContext())  # type: ignore[operator]
    assert (raised.value.limit, raised.value.retry_after) == ("ai", 12)


def test_a_fake_context_keeps_what_a_handler_says() -> None:
    ctx = FakeContext()
    ctx.used(tokens=900)
    ctx.used(tokens=34)
    ctx.throttled("ai", 12, "slow down")
    assert (ctx.units, ctx.throttles) == ({"tokens": 934}, [("ai", 12.0, "slow down")])
    with pytest.raises(ValueError, match="expected tokens as a number of at least 0, got -1"):
        ctx.used(tokens=-1)
