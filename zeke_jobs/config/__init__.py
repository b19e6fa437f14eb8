"""Reads jobs.yaml into a checked ``Config``, or reports all faults of the file at once, each with its place in the file."""

import json
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache, reduce
from hashlib import sha256
from operator import getitem
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from zeke_jobs.config.document import EXAMPLE, Document, parse, summary
from zeke_jobs.config.entries import Keys
from zeke_jobs.config.limits import Limit, LimitKeys, Rate, Schedule
from zeke_jobs.config.models import Config, File, Task
from zeke_jobs.config.references import check_references
from zeke_jobs.config.validation import Subject, note, only_model_at
from zeke_jobs.core.quoting import Diagnostic, describe
from zeke_jobs.errors import ConfigurationError
from zeke_jobs.payload.faults import KEY, path_in

__all__ = ["Config", "Rate", "Schedule", "Task", "check", "load", "load_text"]

K = TypeVar("K", bound=Keys)
Edit = tuple[tuple[str, ...], Any]
"""A path of keys from the top of the file, and its value."""


def check(
    text: str, name: str, *, handlers: bool = True, edits: Sequence[Edit] = ()
) -> tuple[Config | None, list[Diagnostic]]:
    """Check a jobs.yaml's text. Returns the configuration and no faults, or None and all faults in the text's order.

    Never raises. If ``handlers``, also imports handlers and services, and checks settings and payloads with their
    models. ``edits`` are checked as if they were in the text. Their faults are shown at the nearest place in it.
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
    """Return the document and configuration of a text. ``edits`` are JSON, as ``lru_cache`` cannot use a list."""
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
    """Return the configuration in a text. Raises ConfigurationError, whose text and ``diagnostics`` show all faults."""
    config, found = check(text, name, handlers=handlers, edits=edits)
    if config is None:
        raise ConfigurationError(summary(found), found)
    return config


def load(path: str | PathLike[str], *, handlers: bool = True) -> Config:
    """Return the configuration in a file. Raises ConfigurationError if the file cannot be read or has faults."""
    return load_text(read_text(path), str(path), handlers=handlers)


def digest_of(text: str) -> str:
    """Return the hash that identifies a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_text(path: str | PathLike[str]) -> str:
    """Return the text of a file, without a byte order mark. Raises ConfigurationError if the file is not readable UTF-8."""
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


def read(document: Document, model: type[K], example: str) -> K | None:
    """Validate a document and add the faults to it. Returns the valid values, or None if the document is no mapping."""
    value = document.value
    if not isinstance(value, dict):
        fault = f"expected a mapping with version and tasks, got {describe(value)}"
        document.add(document.root.span, fault, example)
        return None
    try:
        return model.read(value)
    except ValidationError as error:
        note(error, value, Subject(model, (), model.called, spread=LimitKeys.spread), document)
        return _rest(model, value, error)


def resolve(file: File, *, text: str, digest: str) -> Config:
    """Return the configuration of a file. The file's ``defaults`` fill in missing keys of tasks."""
    limits = {name: Limit.model_construct(name=name, **dict(one)) for name, one in file.limits.items()}
    tasks = {}
    for name, written in file.tasks.items():
        own = dict(_inherited(written, file.defaults))
        own["cron"] = _in_zone(written.cron, file.timezone)
        tasks[name] = Task.model_construct(id=name, **own)
    return Config(**{**dict(file), "limits": limits, "tasks": tasks}, text=text, digest=digest)


def edited(value: dict[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """Return the file's values with the edits applied. Missing mappings on the path of an edit are added."""
    result = deepcopy(value)
    for path, new in edits:
        owner = result
        for depth, step in enumerate(path[:-1], start=1):
            inner = owner.get(step)
            if not isinstance(inner, dict):
                short = getattr(only_model_at(File, path[:depth]), "short_form", None)
                inner = {} if inner is None or short is None else {short[0]: inner}
                owner[step] = inner
            owner = inner
        owner[path[-1]] = deepcopy(new)
    return result


def _in_zone(cron: Any, zone: str) -> Any:
    """Return a schedule, or a tuple of schedules. A schedule without a time zone gets the time zone of the file."""
    if isinstance(cron, tuple):
        return tuple(_in_zone(one, zone) for one in cron)
    if cron is None or "timezone" in cron.model_fields_set:
        return cron
    return cron.model_copy(update={"timezone": zone})


def _inherited(own: Keys, base: Keys) -> Keys:
    """Return ``own`` with its missing keys taken from ``base``, also in inner mappings."""
    taken: dict[str, Any] = {}
    for name in type(base).model_fields:
        value, usual = getattr(own, name), getattr(base, name)
        if name not in own.model_fields_set:
            taken[name] = usual
        elif isinstance(usual, Keys):
            taken[name] = _inherited(value, usual)
    return own.model_copy(update=taken)


def _rest(model: type[K], value: Any, error: ValidationError) -> K:
    kept = deepcopy(value)
    while True:
        places = [path_in(kept, one, LimitKeys.spread) for one in error.errors(include_url=False)]
        paths = [tuple(step for step in place if step != KEY) for place in places]
        # If only a part of a mapping is faulty, the other parts are kept and checked.
        around = {path[:depth] for path in paths for depth in range(len(path))}
        for path in dict.fromkeys(reversed(paths)):  # a list's last item is removed first, so that indexes stay correct
            if path == ():
                kept = {}
            elif path not in around:
                del reduce(getitem, path[:-1], kept)[path[-1]]
        try:
            return model.read(kept)
        except ValidationError as further:  # each round removes a value, and no value is required
            error = further
