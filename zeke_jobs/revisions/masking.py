"""Masks the sensitive fields of schedules' payloads in values of jobs.yaml."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from zeke_jobs.config.models import Config
from zeke_jobs.core.redaction import MASK, is_sensitive, masked

Fields = defaultdict[str, set[str]]


def fields_of(*configs: Config | None) -> Fields:
    """The sensitive fields of each task in any of these."""
    found: Fields = defaultdict(set)
    for config in configs:
        for task in config.tasks.values() if config else ():
            for name in (task.id, *task.aliases):
                found[name].update(task.sensitive)
    return found


def hide(value: Any, fields: Mapping[str, set[str]], path: Sequence[str] = (), *, services: bool = False) -> Any:
    """The value at a path of jobs.yaml as plans may show it; with ``services``, as readers may: without services' settings."""
    if (
        services
        and len(path) > {"services": 2, "middleware": 1}.get(path[0] if path else "", len(path))
        and path[-1] != "use"
    ):
        return MASK
    if tuple(path[:1]) == ("tasks",) and tuple(path[2:4]) == ("cron", "payload"):
        task = fields.get(path[1], set())
        if len(path) > 4 or not isinstance(value, dict):
            return MASK if task else value  # an override of a part
        return masked(value, task)
    if isinstance(value, dict):
        return {key: hide(inner, fields, (*path, key), services=services) for key, inner in value.items()}
    return [hide(inner, fields, path, services=services) for inner in value] if isinstance(value, list) else value


def hide_flat(key: str, value: Any, fields: set[str]) -> Any:
    """The value of a task's dotted key as plans may show it."""
    steps = key.split(".")
    # A schedule, or a field of a payload, may be called payload.
    places = [steps[at + 1 :] for at in (1, 2) if steps[0] == "cron" and steps[at : at + 1] == ["payload"]]
    return MASK if fields and value is not None and any(is_sensitive(place, fields) for place in places) else value
