"""Reads jobs.yaml into a checked ``Config``, or reports all its faults at once, each with its place."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from os import PathLike
from pathlib import Path

from zeke_jobs.config.document import EXAMPLE, Document, parse, summary
from zeke_jobs.config.limits import Rate, Schedule
from zeke_jobs.config.models import Config, File, Task
from zeke_jobs.config.reading import Edit, edited, read, resolve
from zeke_jobs.config.references import check_references
from zeke_jobs.core.quoting import Diagnostic
from zeke_jobs.errors import ConfigurationError

__all__ = ["Config", "Rate", "Schedule", "Task", "check", "load", "load_text"]


def check(
    text: str, name: str, *, handlers: bool = True, edits: Sequence[Edit] = ()
) -> tuple[Config | None, list[Diagnostic]]:
    """Check a text: the configuration and no faults, or None and all faults in the order of the text. Never raises.

    With ``handlers``, this imports handlers and services, and checks settings and payloads against them. ``edits`` are
    values that are read as if the text had them; the fault of an edit is shown at the nearest place in the text.
    """
    read_once, config = _read(text, json.dumps(edits))
    document = replace(read_once, found=dict(read_once.found))
    if handlers and config is not None:
        from zeke_jobs.config.code import check_code

        check_code(document, config)
    found = document.diagnostics(name)
    return (None if found else config), found


@lru_cache(maxsize=4)
def _read(text: str, edits: str) -> tuple[Document, Config | None]:
    """The document and the configuration of a text with edits (in JSON). A command reads each only once."""
    document = parse(text)
    if edits != "[]" and isinstance(document.value, dict):
        document.value = edited(document.value, json.loads(edits))
    file = read(document, File, EXAMPLE) if document.is_whole else None
    if file is None:
        return document, None
    config = resolve(file, text=text, digest=digest_of(text))
    check_references(document, config)
    return document, config


def load_text(text: str, name: str, *, handlers: bool = True, edits: Sequence[Edit] = ()) -> Config:
    """The configuration in a text. Raises ConfigurationError with all faults of the text, also in its ``diagnostics``."""
    config, found = check(text, name, handlers=handlers, edits=edits)
    if config is None:
        raise ConfigurationError(summary(found), found)
    return config


def load(path: str | PathLike[str], *, handlers: bool = True) -> Config:
    """The configuration in a file. Raises ConfigurationError if the file cannot be read or has faults."""
    return load_text(read_text(path), str(path), handlers=handlers)


def digest_of(text: str) -> str:
    """The hash that identifies a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_text(path: str | PathLike[str]) -> str:
    """The text of a file, without a byte order mark. Raises ConfigurationError if it cannot be read, or is not UTF-8."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        help_ = "run this where jobs.yaml is, name the file in ZEKE_JOBS_CONFIG, or write a first one: zeke-jobs init"
        fault = f"expected a jobs.yaml at {Path(path).absolute()}, got no such file\n  help: {help_}"
        raise ConfigurationError(fault) from None
    except OSError as error:
        raise ConfigurationError(f"expected a readable file at {path}, got {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        fault = f"expected UTF-8, got the byte 0x{content[error.start]:02x}"
        found = Diagnostic(str(path), line, column, fault, "save the file as UTF-8")
        raise ConfigurationError(summary([found]), [found]) from error
