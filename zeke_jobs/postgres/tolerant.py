"""Replaces values that Python cannot read by the nearest readable one, so that one bad row does not hide all others."""

import json
from datetime import datetime
from typing import Any

import psycopg2
from psycopg2.extensions import PYDATETIMETZ, new_type, register_type
from psycopg2.extensions import cursor as Cursor

from zeke_jobs.core.bounds import DEEPEST, EARLIEST, LATEST
from zeke_jobs.payload.json_text import is_too_deep, shown

_TIMESTAMPTZ, _JSON, _JSONB = 1184, 114, 3802


def tolerate(cursor: Cursor) -> None:
    """Let a psycopg2 cursor read times and JSON that it would otherwise refuse."""
    for caster in _CASTERS:
        register_type(caster, cursor)


def value_of(text: str) -> Any:
    """The value of a JSON text; for an unreadable one, an object with the reason."""
    if is_too_deep(text):
        return {"unreadable": f"more than {DEEPEST} lists and objects inside each other"}
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return {"unreadable": str(error)}


def payload_of(text: str) -> dict[str, Any]:
    """The same for a payload, which must be an object."""
    value = value_of(text)
    return value if isinstance(value, dict) else {"unreadable": f"expected an object, got {shown(value)}"}


def _moment(text: Any, cursor: Cursor) -> datetime | None:
    if text is None:
        return None
    try:
        moment: datetime = PYDATETIMETZ(text, cursor)
    except (ValueError, psycopg2.Error):
        return EARLIEST if text.endswith("BC") else LATEST
    return min(max(moment, EARLIEST), LATEST)


_CASTERS = (
    new_type((_TIMESTAMPTZ,), "TIMESTAMPTZ", _moment),
    new_type((_JSON, _JSONB), "JSON", lambda text, _: None if text is None else value_of(str(text))),
)
