"""The configuration turns ``module:function`` into a handler, and never shows a value from the environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydantic import BaseModel

from tests.each import each
from tests.zeke_jobs.config.conftest import SECRET
from zeke_jobs.config import check
from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.handlers import resolve, resolve_path, service_settings
from zeke_jobs.config.imports import Substitution
from zeke_jobs.config.models import Service, Task
from zeke_jobs.errors import ConfigurationError


def test_annotations_say_what_a_handler_takes() -> None:
    handler = resolve_path("sample_handlers:tuned")
    assert (name(handler.payload_model), name(handler.settings_model)) == ("Nothing", "Settings")
    assert (handler.is_async, resolve_path("sample_handlers:later").is_async) == (False, True)
    for path in ("greet", "tick", "optional"):
        assert resolve_path(f"sample_handlers:{path}").settings_model is None


def name(model: type[BaseModel] | None) -> str:
    """Compare models by name, because the tests cannot import the samples directly."""
    return model.__name__ if model else ""


IN_QUOTES = """
import zeke_jobs.core.context as c
def run(payload: 'P', ctx: 'c.Context[P]') -> None: ...
"""
AT_RUN_TIME = """
from zeke_jobs import Context
def run(payload: P, ctx: Context[None]) -> 'Nobody': ...
"""
WRAPPED = """
import functools
from zeke_jobs.core.context import Context as C
def noted(function):
    @functools.wraps(function)
    def inner(*arguments): return function(*arguments)
    return inner
@noted
def run(payload: P, ctx: C) -> None: ...
"""
UNHASHABLE = """
import dataclasses, functools
from zeke_jobs.core.context import Context as C
@dataclasses.dataclass
class Noted:
    function: object
    def __post_init__(self): functools.update_wrapper(self, self.function)
    def __call__(self, *arguments): return self.function(*arguments)
@Noted
def run(payload: P, ctx: C) -> None: ...
"""


@pytest.mark.parametrize("source", [IN_QUOTES, AT_RUN_TIME, WRAPPED, UNHASHABLE])
def test_annotations_may_be_spelled_in_many_ways(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spelled.py").write_text("from pydantic import BaseModel\nclass P(BaseModel): ...\n" + source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "spelled", raising=False)
    assert name(resolve_path("spelled:run").payload_model) == "P"
    monkeypatch.delitem(sys.modules, "spelled")


def test_a_syntax_error_and_a_missing_handler_have_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_sample.py").write_text("x = 1\ndef broken(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EntryError, match="to import, got SyntaxError") as caught:
        resolve_path("broken_sample:run")
    assert "broken_sample.py:2" in caught.value.args[1]
    with pytest.raises(ConfigurationError, match="task greet: expected a name in module sample_handlers, got 'gret'"):
        resolve(Task(id="greet", handler="sample_handlers:gret"))


def test_settings_are_filled_from_the_environment_when_they_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task(id="tuned", handler="sample_handlers:tuned", settings={"token": "t-${SAMPLE_LATE}", "words": ["$${A}"]})
    monkeypatch.setenv("SAMPLE_LATE", "owl")
    settings: Any = resolve(task).settings(task)
    assert settings.model_dump(include={"token", "words"}) == {"token": "t-owl", "words": ["${A}"]}
    service = Service.read({"use": "sample_services:Settings", "token": "${SAMPLE_SECRET}", "retries": 1})
    opened: Any = service_settings(service)
    assert (opened.retries, opened.token.get_secret_value()) == (1, SECRET)
    assert not any(secret in repr(task) + repr(service) + repr(opened) for secret in ("owl", "hunter2"))


HEAD = "version: 1\ntasks: {t: {handler: 'sample_handlers:tuned', settings: "


@each(
    "written",
    [
        '{token: "x${SAMPLE_SECRET}x", mode: "${SAMPLE_SECRET}"}',
        '{place: "${SAMPLE_SECRET}", weights: {a: "${SAMPLE_SECRET}"}}',
        '{place: {x: "${SAMPLE_SECRET}", y: 1}, nested: "${SAMPLE_SECRET}"}',
    ],
)
def test_no_diagnostic_shows_a_value_from_the_environment(written: str) -> None:
    shown = "\n".join(map(str, check(HEAD + written + "}}\n", "jobs.yaml")[1])).lower()
    assert "${sample_secret}" in shown
    assert not any(stretch in shown for stretch in ("hunter2", "correct", "horse"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=8, max_size=40).map("~{}".format))
def test_not_even_by_a_validator_that_quotes_it(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("SAMPLE_SECRET", secret)
    _, found = check(HEAD + '{token: "${SAMPLE_SECRET}"}}}\n', "jobs.yaml")
    for one in found:
        assert secret not in one.message + one.help
    monkeypatch.setenv("SAMPLE_SECRET", "t-good")
    config, found = check(HEAD + '{token: "${SAMPLE_SECRET}"}}}\n', "jobs.yaml")
    assert (found, "t-good" in repr(config)) == ([], False)


def test_substitution_reaches_every_depth_and_its_values_are_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1")
    monkeypatch.setenv("B", "${A}")
    done = Substitution({"a": ["${A}", {"b": "<${A}${A}>"}], "c": "$${A} $A $", "d": 5, "e": "${B}"})
    assert done.value == {"a": ["1", {"b": "<11>"}], "c": "${A} $A $", "d": 5, "e": "${A}"}
    assert {secret.path for secret in done.secrets} == {("a", 0), ("a", 1, "b"), ("e",)}
