"""Values from the environment are never shown."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.each import each
from zeke_jobs.config import check
from zeke_jobs.config.imports import Substitution

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
