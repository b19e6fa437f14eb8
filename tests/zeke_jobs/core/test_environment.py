from collections.abc import Callable
from pathlib import Path

import pytest

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError


def test_log_settings_are_read_in_any_case_and_a_variable_set_to_nothing_is_not_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "JSON")
    monkeypatch.setenv("ZEKE_JOBS_LOG_LEVEL", "Warning")
    assert (environment.log_format(), environment.log_level()) == ("json", "warning")
    for name in ("ZEKE_JOBS_LOG_FORMAT", "ZEKE_JOBS_LOG_LEVEL", "ZEKE_JOBS_CONFIG", "DATABASE_URL"):
        monkeypatch.setenv(name, "")
    assert (environment.log_format(), environment.log_level()) == ("auto", "info")
    assert (environment.config_path(), environment.database_url_or_none()) == (Path("jobs.yaml"), None)


@pytest.mark.parametrize(
    ("variable", "read", "texts", "said"),
    [
        ("LOG_FORMAT", environment.log_format, ["xml"], "to be one of auto, console, json, got 'xml'"),
        ("LOG_LEVEL", environment.log_level, ["loud"], r"to be one of info, debug, .*, got 'loud'"),
        ("METRICS", environment.metrics_address, ["9191", ":9191", "box:", "box:0", "box:65536", "box:http", "box:-1"], "to be HOST:PORT"),
        ("ASYNC", environment.async_places, ["1_0", "+5", "\uff12\uff10", "0", "10001", "2.5", "nan", "-1"], "to be 1 to 10000 jobs, got "),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_in_words(
    monkeypatch: pytest.MonkeyPatch, variable: str, read: Callable[[], object], texts: list[str], said: str
) -> None:
    for text in texts:
        monkeypatch.setenv(f"ZEKE_JOBS_{variable}", text)
        with pytest.raises(ConfigurationError, match=f"expected ZEKE_JOBS_{variable} {said}"):
            read()


def test_an_address_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    for host, port in (("127.0.0.1", 9191), ("[::1]", 80), ("box", 65535)):
        monkeypatch.setenv(environment.METRICS, f"{host}:{port}")
        assert environment.metrics_address() == (host.strip("[]"), port)
