"""The Engine and the AI step with the settings in force, for commands while a person waits."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import connection as Connection

from actors import ai
from actors.engine import Settings
from actors.engine.contract import EngineError
from zeke_jobs import config
from zeke_jobs.config import Config
from zeke_jobs.config.services import resolve_model
from zeke_jobs.config.substitution import substitute
from zeke_jobs.core import environment
from zeke_jobs.errors import ConfigurationError, ZekeJobsError
from zeke_jobs.revisions import store as revisions

_DEFAULTS = {"engine": Settings(), "ai": ai.Settings()}
_SETTING = {
    "too_large": "services.engine.feed_bytes in jobs.yaml sets how much is read",
    "timeout": "services.engine.feed_timeout in jobs.yaml sets how long it may take",
    "too_many_redirects": "services.engine.redirects in jobs.yaml sets how many are followed",
    "forbidden": "some sites let readers in that say who they are: services.engine.contact in jobs.yaml",
    "rate_limited": "the site asks for patience; try again later",
}


class CannotRead(ZekeJobsError):
    """An address gives no feed. The message has the reason, and the setting that would change it."""


def in_force(conn: Connection) -> Config | None:
    """The configuration in force, or else that of the local jobs.yaml; None if there is neither."""
    revision = revisions.latest(conn)
    if revision is not None:
        return revision.config(handlers=False)
    return _local()


def here(conn: Connection) -> Config | None:
    """The local jobs.yaml, which need not be in force; else the one in force."""
    return _local() or in_force(conn)


def _local() -> Config | None:
    path = environment.config_path()
    return config.load(path, handlers=False) if path.exists() else None


def service(chosen: Config | None, name: str) -> Any:
    """The settings of a service, the Engine or the AI step; by default those of the local one. Their ``open`` makes it.

    Raises:
        ConfigurationError: a variable in them is not set here, or they are not valid.
    """
    known = None if chosen is None else chosen.services.get(name)
    if known is None:
        return _DEFAULTS[name]
    filled = substitute(known.settings)
    if filled.unset:
        names = ", ".join(sorted({variable for _, variable in filled.unset}))
        raise ConfigurationError(f"expected what services.{name} names in the environment, got nothing: {names}")
    return resolve_model(known.use).model_validate(filled.value)


def task_settings(chosen: Config | None, task: str) -> dict[str, Any]:
    """A task's settings in jobs.yaml, filled in from the environment."""
    known = None if chosen is None else chosen.tasks.get(task)
    filled: dict[str, Any] = {} if known is None else substitute(dict(known.settings or {})).value
    return filled


def cannot_read(url: str, error: EngineError) -> CannotRead:
    """The reason why an address gives no feed, for a person."""
    setting = None if url.startswith("imap:") else _SETTING.get(error.code)
    if "services.engine." in str(error):
        setting = "zeke-jobs apply puts a changed jobs.yaml in force"
    return CannotRead(f"{url} cannot be read: {error}" + (f"\n  help: {setting}" if setting else ""))
