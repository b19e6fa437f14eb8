"""Values set beside a file's text; the same checks read them as if the text had them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from zeke_jobs.config.fields import only_model_at
from zeke_jobs.config.models import File

if TYPE_CHECKING:
    from collections.abc import Iterable

Edit = tuple[tuple[str, ...], Any]
"""A path of keys from the top of the file, and its value."""


def edited(value: dict[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """The file's values with the edits applied; missing mappings on the way are made."""
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
