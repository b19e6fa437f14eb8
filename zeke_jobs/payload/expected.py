"""What pydantic's validators accept, in plain words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zeke_jobs.core.quoting import describe

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "string": "text",
    "list": "a list",
    "tuple": "a list",
    "dict": "a mapping",
    "model": "a mapping",
    "time_delta": "a duration",
    "none": "nothing",
    "datetime_past": "a time in the past",
    "datetime_future": "a time in the future",
    "date_past": "a date in the past",
    "date_future": "a date in the future",
    "uuid": "a UUID",
    "datetime": "a date and time",
    "date": "a date",
    "time": "a time",
    "url": "an address",
    "extra": "no such field",
    "typed_dict": "an object",
}

_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
    "multiple_of": ("a multiple of", "multiple_of"),
}
_SIZES = {
    "too_short": ("at least", "min_length", "item"),
    "too_long": ("at most", "max_length", "item"),
    "string_too_short": ("at least", "min_length", "character"),
    "string_too_long": ("at most", "max_length", "character"),
    "url_too_long": ("at most", "max_length", "character"),
}


def expected(error: ErrorDetails) -> str:
    """The values that are accepted."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        bound = context.get(key)
        # pydantic writes an integer bound of a float field as a float; the author wrote an integer.
        bound = int(bound) if isinstance(bound, float) and bound.is_integer() else bound
        return f"{'' if kind == 'multiple_of' else 'a number of '}{words} {describe(bound)}"
    if kind in _SIZES:
        words, key, unit = _SIZES[kind]
        count = context.get(key, 1)
        return f"{words} {count} {unit}{'' if count == 1 else 's'}"
    if kind in {"literal_error", "enum", "union_tag_invalid"}:
        accepted = str(context.get("expected") or context.get("expected_tags"))
        return ("one of " if " or " in accepted else "") + re.sub(r" or (?='[^']*'$)", ", ", accepted)
    if kind == "union_tag_not_found":
        return f"a mapping with {context['discriminator']}"
    if kind == "string_pattern_mismatch":
        return f"text like {context.get('pattern')}"
    if kind == "url_scheme":
        return f"an address that begins with {context['expected_schemes']}"
    if kind == "uuid_version":
        return f"a UUID of version {context['expected_version']}"
    for start, name in _KINDS.items():
        if kind == start or kind.startswith(f"{start}_"):
            return name
    return re.sub(r"^(Input|Value|String|URL|UUID) should (be|have) ", "", error["msg"]).lower()
