"""The job at the end of a batch, checked and in the form that the database reads."""

import json
from collections.abc import Mapping
from typing import Any

from zeke_jobs.client import task_cache
from zeke_jobs.client.plans import Database
from zeke_jobs.core.batch import COUNTS


async def batch_options(database: Database, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with ``then`` as the database reads it. Its payload is checked with 0 in place of each number."""
    if options.get("then") is None:
        return dict(options)
    if not isinstance(options["then"], tuple) or len(options["then"]) != 2:
        raise TypeError(f"expected then as a task and its payload, got {options['then']!r}")
    task, payload = options["then"]
    known = await task_cache.find(database, task)
    if not isinstance(payload, Mapping):
        return {**options, "then": {"task": known.id, "payload": json.loads(known.accept(payload))}}
    places = {
        name: value["$batch"]
        for name, value in payload.items()
        if isinstance(value, Mapping) and value.keys() == {"$batch"}
    }
    if unknown := set(places.values()) - {"id", *COUNTS}:
        raise ValueError(f"expected $batch with id, {', '.join(COUNTS)}, got {', '.join(map(str, unknown))}")
    filled = {**payload, **{name: options["batch"] if what == "id" else 0 for name, what in places.items()}}
    accepted = json.loads(known.accept(filled))
    wanted = {known.payload.field(name) or name: {"$batch": what} for name, what in places.items()}
    return {**options, "then": {"task": known.id, "payload": accepted | wanted}}
