from pathlib import Path

import pytest

from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError

NAMES = (
    environment.DATABASE_URL,
    environment.CONFIG,
    environment.DATA,
    environment.LOG_FORMAT,
    environment.LOG_LEVEL,
)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the variables is set."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def test_has_defaults_for_all_but_the_database() -> None:
    assert environment.config_path() == Path("jobs.yaml")
    assert environment.data_dir() == Path(".zeke")
    assert environment.log_format() == "auto"
    assert environment.log_level() == "info"
    assert environment.database_url_or_none() is None


def test_reads_what_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://host/name")
    monkeypatch.setenv("ZEKE_JOBS_CONFIG", "other/jobs.yaml")
    monkeypatch.setenv("ZEKE_JOBS_DATA", "elsewhere")
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "JSON")
    monkeypatch.setenv("ZEKE_JOBS_LOG_LEVEL", "Warning")
    assert environment.database_url() == environment.database_url_or_none() == "postgresql://host/name"
    assert environment.config_path() == Path("other/jobs.yaml")
    assert environment.data_dir() == Path("elsewhere")
    assert environment.log_format() == "json"
    assert environment.log_level() == "warning"


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "")
    assert environment.lookup(name) is None
    test_has_defaults_for_all_but_the_database()


def test_refuses_unknown_log_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEKE_JOBS_LOG_FORMAT", "xml")
    monkeypatch.setenv("ZEKE_JOBS_LOG_LEVEL", "loud")
    with pytest.raises(ConfigurationError, match="FORMAT to be one of auto, console, json, got 'xml'"):
        environment.log_format()
    with pytest.raises(ConfigurationError, match=r"LEVEL to be one of debug, info, .*, got 'loud'"):
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
