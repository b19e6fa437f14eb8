"""Each valid jobs.yaml gives the expected configuration. No value from the environment is ever shown."""

import sys
import time
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st
from pydantic import BaseModel

from tests.each import each
from tests.zeke_jobs.commands import Patch
from tests.zeke_jobs.config.conftest import SECRET
from zeke_jobs import config
from zeke_jobs.config import Config, Rate, Schedule, catalogue, check
from zeke_jobs.config.entries import EntryError
from zeke_jobs.config.handlers import resolve, resolve_path, service_settings
from zeke_jobs.config.imports import Substitution
from zeke_jobs.config.limits import Concurrency
from zeke_jobs.config.models import Keep, Retry, Service, Task, Unique
from zeke_jobs.errors import ConfigurationError

SMALL = "version: 1\ntasks:\n  greet:\n    handler: sample_handlers:greet\n"
HEAD = "version: 1\ntasks: {t: {handler: 'sample_handlers:tuned', settings: "


def loaded(stanza: str = "", head: str = "") -> Config:
    lines = "".join(f"    {line}\n" for line in stanza.splitlines())
    return config.load_text(SMALL.replace("tasks:", f"{head}tasks:") + lines, "jobs.yaml")


def test_a_task_comes_before_the_files_defaults_and_these_before_ours_key_by_key() -> None:
    limits = "queue: slow, priority: 3, timeout: 1m, max_queued: 9, max_wait: 2m"
    defaults = f"defaults: {{{limits}, retry: {{limit: 7, max_delay: 1h}}, keep: {{failed: 90d}}}}\n"
    task = loaded("retry: {delay: 5s}\nkeep: {completed: 1h}", defaults).tasks["greet"]
    assert (task.queue, task.priority, task.max_queued) == ("slow", 3, 9)
    assert (task.timeout, task.max_wait) == (timedelta(minutes=1), timedelta(minutes=2))
    assert task.retry == Retry(limit=7, delay=timedelta(seconds=5), factor=2, max_delay=timedelta(hours=1), jitter=0.1)
    assert task.keep == Keep(completed=timedelta(hours=1), failed=timedelta(days=90), cancelled=timedelta(days=7))
    found = loaded("queue: fast\ntimeout: 2s\npriority: 0", "defaults: {queue: slow, timeout: 1m, priority: 3}\n")
    task = found.tasks["greet"]
    assert (task.queue, task.priority, task.timeout, found.queues) == ("fast", 0, timedelta(seconds=2), ("fast",))


@each(
    "key written meant",
    ("concurrency", "5", Concurrency(limit=5, per_key=None)),
    ("concurrency", "{limit: 20, per_key: 1}", Concurrency(limit=20, per_key=1)),
    ("concurrency", "{per_key: 2}", Concurrency(limit=None, per_key=2)),
    ("unique", "[user_name]", Unique(fields=("user_name",))),
    ("unique", "{fields: [user_name], while: active}", Unique.model_validate({"fields": ["user_name"], "while": "active"})),
    ("unique", "{while: period, period: 1h}", Unique.model_validate({"while": "period", "period": "1h"})),
    ("cron", "'@daily'", Schedule(at="@daily", timezone="Europe/Paris")),  # The time zone is the one of the file.
    ("cron", "{at: '0 9 * * mon', timezone: Asia/Kathmandu}", Schedule(at="0 9 * * mon", timezone="Asia/Kathmandu")),
)  # fmt: skip
def test_a_short_form_means_what_its_mapping_does(key: str, written: str, meant: object) -> None:
    text = SMALL.replace("greet", "tick") if key == "cron" else SMALL
    text += f"    {key}: {written}\ntimezone: Europe/Paris\n"
    (task,) = config.load_text(text, "jobs.yaml").tasks.values()
    assert getattr(task, key) == meant


def test_a_rate_is_a_count_in_a_time_its_burst_at_most_half_and_a_limit_counts_units_by_their_own_names() -> None:
    for written, count, period in (("10/s", 10, 1), ("60/m", 60, 60), ("7/h", 7, 3600), ("1000/d", 1000, 86400)):
        rate: Any = loaded(f"rate: {written}").tasks["greet"].rate
        assert (rate.limit, rate.beside, str(rate)) == (Rate(count=count, period=timedelta(seconds=period)), 0, written)
    for written in ("{limit: 20/m, burst: 10}", "{limit: 1/s, burst: 1}", "{limit: 3/d, burst: 1}"):
        assert loaded(f"rate: {written}").tasks["greet"].rate is not None
    limits = "limits: {ai: {tokens: {rate: 90/m, burst: 45}, pages: {rate: 10/s}}}\n"
    rows = catalogue.buckets(loaded("uses: [ai]\nunits: {tokens: 5, pages: 1}", limits))
    assert [(one["unit"], one["amount"], one.get("period"), one.get("burst")) for one in rows] == [
        ("jobs", None, None, None),
        ("tokens", 90, "60.0 seconds", 45),
        ("pages", 10, "1.0 seconds", 0),
    ]


def test_plain_scalars_mean_what_people_mean_a_task_has_aliases_and_the_digest_is_of_the_text() -> None:
    settings = "settings: {words: [a, 2026-01-31, 1e3x, 0.5.1, 'no', \"12:30\"], weights: {a: 1e3, b: .5, c: 0x10}}"
    text = SMALL.replace("greet", "tuned") + f"    {settings}\n"
    assert config.load_text(text, "jobs.yaml").tasks["tuned"].settings == {
        "words": ["a", "2026-01-31", "1e3x", "0.5.1", "no", "12:30"],
        "weights": {"a": 1000.0, "b": 0.5, "c": 16},
    }
    found = loaded("aliases: [hello]")
    assert found.task("hello") is found.task("greet") is found.tasks["greet"]
    assert found.task("nobody") is None
    found = config.load_text(SMALL, "jobs.yaml")
    assert (found.text, found.digest) == (SMALL, sha256(SMALL.encode()).hexdigest())
    assert config.load_text(SMALL + "# a comment\n", "jobs.yaml").digest != found.digest
    text = "version: 1\ntasks: {greet: {handler: 'exits_on_import:greet', settings: {a: '${SAMPLE_NOT_SET}'}}}\n"
    assert config.load_text(text, "jobs.yaml", handlers=False).tasks["greet"].settings == {"a": "${SAMPLE_NOT_SET}"}


def test_the_time_of_a_check_grows_with_the_number_of_tasks_and_not_with_its_square() -> None:
    def seconds(count: int) -> float:
        stanza = "handler: sample_handlers:tick, on_failed: told, aliases"
        tasks = "".join(f"  t-{number}: {{{stanza}: [a-{number}]}}\n" for number in range(count))
        text = f"version: 1\ntasks:\n{tasks}  last: {{handler: sample_handlers:told, aliases: [told]}}\n"
        begin = time.process_time()
        assert config.check(text, "jobs.yaml")[1] == []
        return time.process_time() - begin

    seconds(10)
    assert seconds(600) < 6 * 2.5 * seconds(100)


def test_annotations_say_what_a_handler_takes_and_a_mistake_has_a_place(tmp_path: Path, monkeypatch: Patch) -> None:
    handler = resolve_path("sample_handlers:tuned")
    assert (name(handler.payload_model), name(handler.settings_model)) == ("Nothing", "Settings")
    assert (handler.is_async, resolve_path("sample_handlers:later").is_async) == (False, True)
    for path in ("greet", "tick", "optional"):
        assert resolve_path(f"sample_handlers:{path}").settings_model is None
    (tmp_path / "broken_sample.py").write_text("x = 1\ndef broken(:\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EntryError, match="to import, got SyntaxError") as caught:
        resolve_path("broken_sample:run")
    assert "broken_sample.py:2" in caught.value.args[1]
    with pytest.raises(ConfigurationError, match="task greet: expected a name in module sample_handlers, got 'gret'"):
        resolve(Task(id="greet", handler="sample_handlers:gret"))


def name(model: type[BaseModel] | None) -> str:
    """Return a model's name, which tests compare because they cannot import the modules in the folder of samples."""
    return model.__name__ if model else ""


WRAPPED_AND_IN_QUOTES = """
import functools
import zeke_jobs.core.context as c
def noted(function):
    @functools.wraps(function)
    def inner(*arguments): return function(*arguments)
    return inner
@noted
def run(payload: 'P', ctx: 'c.Context[P]') -> None: ...
"""
UNHASHABLE_AND_AT_RUN_TIME = """
import dataclasses, functools
from zeke_jobs.core.context import Context as C
@dataclasses.dataclass
class Noted:
    function: object
    def __post_init__(self): functools.update_wrapper(self, self.function)
    def __call__(self, *arguments): return self.function(*arguments)
@Noted
def run(payload: P, ctx: C[None]) -> 'Nobody': ...
"""


@pytest.mark.parametrize("source", [WRAPPED_AND_IN_QUOTES, UNHASHABLE_AND_AT_RUN_TIME])
def test_annotations_may_be_spelled_in_many_ways(source: str, tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "spelled.py").write_text("from pydantic import BaseModel\nclass P(BaseModel): ...\n" + source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "spelled", raising=False)
    assert name(resolve_path("spelled:run").payload_model) == "P"
    monkeypatch.delitem(sys.modules, "spelled")


def test_settings_are_filled_from_the_environment_at_every_depth_when_they_are_used(monkeypatch: Patch) -> None:
    task = Task(id="tuned", handler="sample_handlers:tuned", settings={"token": "t-${SAMPLE_LATE}", "words": ["$${A}"]})
    monkeypatch.setenv("SAMPLE_LATE", "owl")
    settings: Any = resolve(task).settings(task)
    assert settings.model_dump(include={"token", "words"}) == {"token": "t-owl", "words": ["${A}"]}
    service = Service.read({"use": "sample_services:Settings", "token": "${SAMPLE_SECRET}", "retries": 1})
    opened: Any = service_settings(service)
    assert (opened.retries, opened.token.get_secret_value()) == (1, SECRET)
    assert not any(secret in repr(task) + repr(service) + repr(opened) for secret in ("owl", "hunter2"))
    monkeypatch.setenv("A", "1")
    monkeypatch.setenv("B", "${A}")
    done = Substitution({"a": ["${A}", {"b": "<${A}${A}>"}], "c": "$${A} $A $", "d": 5, "e": "${B}"})
    assert done.value == {"a": ["1", {"b": "<11>"}], "c": "${A} $A $", "d": 5, "e": "${A}"}
    assert {secret.path for secret in done.secrets} == {("a", 0), ("a", 1, "b"), ("e",)}


@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=8, max_size=40).map("~{}".format))
def test_not_even_by_a_validator_that_quotes_it(monkeypatch: Patch, secret: str) -> None:
    monkeypatch.setenv("SAMPLE_SECRET", secret)
    _, found = check(HEAD + '{token: "${SAMPLE_SECRET}"}}}\n', "jobs.yaml")
    for one in found:
        assert secret not in one.message + one.help
    monkeypatch.setenv("SAMPLE_SECRET", "t-good")
    config, found = check(HEAD + '{token: "${SAMPLE_SECRET}"}}}\n', "jobs.yaml")
    assert (found, "t-good" in repr(config)) == ([], False)
