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


def test_refuses_unknown_log_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "xml")
    monkeypatch.setenv("ZEKE_JOBS_LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError, match="FORMAT to be one of auto, console, json, got 'xml'"):
        environment.log_format()
    with pytest.raises(ConfigurationError, match=r"LEVEL to be one of info, debug, .*, got 'loud'"):
        environment.log_level()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9191", "127.0.0.1", 9191), ("[::1]:80", "::1", 80), ("box:65535", "box", 65535)],
)
def test_an_address_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch, text: str, host: str, port: int) -> None:
    monkeypatch.setenv(environment.METRICS, text)
    assert environment.metrics_address() == (host, port)


@pytest.mark.parametrize("text", ["9191", ":9191", "box:", "box:0", "box:65536", "box:http", "box:-1"])
def test_anything_else_is_no_address(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(environment.METRICS, text)
    with pytest.raises(ConfigurationError, match="expected ZEKE_JOBS_METRICS to be HOST:PORT"):
        environment.metrics_address()


@pytest.mark.parametrize("text", ["1_0", "+5", "\uff12\uff10", "0", "10001", "2.5", "nan", "-1"])
def test_anything_else_is_no_number_of_jobs(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ZEKE_JOBS_ASYNC", text)
    with pytest.raises(ConfigurationError, match="expected ZEKE_JOBS_ASYNC to be 1 to 10000 jobs, got "):
        environment.async_places()
