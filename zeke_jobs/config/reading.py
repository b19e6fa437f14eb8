"""Turns plain values into a configuration. Reports and leaves out faulty values, so that the rest is checked too."""

from collections.abc import Iterable
from copy import deepcopy
from functools import reduce
from operator import getitem
from typing import Any, TypeVar

from pydantic import ValidationError

from zeke_jobs.config.document import Document
from zeke_jobs.config.entries import Keys
from zeke_jobs.config.limits import Limit, LimitKeys
from zeke_jobs.config.models import Config, File, Task
from zeke_jobs.config.validation import Subject, note, only_model_at
from zeke_jobs.core.quoting import describe
from zeke_jobs.payload.faults import KEY, path_in

K = TypeVar("K", bound=Keys)
Edit = tuple[tuple[str, ...], Any]
"""A path of keys from the top of the file, and its value."""


def read(document: Document, model: type[K], example: str) -> K | None:
    """The file without its faulty values, whose faults the document gets; None (``example`` is the help) for no mapping."""
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
    """The configuration of a file; ``defaults`` fills in missing keys of tasks."""
    limits = {name: Limit.model_construct(name=name, **dict(one)) for name, one in file.limits.items()}
    tasks = {}
    for name, written in file.tasks.items():
        own = dict(_inherited(written, file.defaults))
        own["cron"] = _in_zone(written.cron, file.timezone)
        tasks[name] = Task.model_construct(id=name, **own)
    return Config(**{**dict(file), "limits": limits, "tasks": tasks}, text=text, digest=digest)


def edited(value: dict[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """The file's values with the edits applied; makes missing mappings on the way."""
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
    """A cron, or each cron of a list, with the file's time zone unless it has its own."""
    if isinstance(cron, tuple):
        return tuple(_in_zone(one, zone) for one in cron)
    if cron is None or "timezone" in cron.model_fields_set:
        return cron
    return cron.model_copy(update={"timezone": zone})


def _inherited(own: Keys, base: Keys) -> Keys:
    """``own``, with missing keys taken from ``base``, also in inner mappings."""
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
        for path in dict.fromkeys(reversed(paths)):  # the last item of a list first, so that places stay correct
            if path == ():
                kept = {}
            elif path not in around:
                del reduce(getitem, path[:-1], kept)[path[-1]]
        try:
            return model.read(kept)
        except ValidationError as further:  # each round removes a value, and no value is required
            error = further
