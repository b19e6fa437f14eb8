"""Puts pydantic's errors into an operator's words: "expected X, got Y", then help."""

import re

from pydantic_core import ErrorDetails

from zeke_jobs.config.entries import EntryError
from zeke_jobs.core.quoting import describe, quote, suggest
from zeke_jobs.payload.expected import expected


def message(error: ErrorDetails, *, got: str | None = None) -> tuple[str, str]:
    """The message and the help for one error; the help may be "".

    ``got`` replaces a value that must not be shown.
    """
    shown = got or describe(error["input"])
    kind = error["type"]
    if kind in {"value_error", "assertion_error"}:
        return _raised(error, shown, is_secret=got is not None)
    help_ = "" if got else _help(kind, error)
    return f"expected {expected(error)}, got {shown}", help_


def _raised(error: ErrorDetails, shown: str, *, is_secret: bool) -> tuple[str, str]:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, EntryError):
        return cause.args[0], cause.args[1]
    text = str(cause) if str(cause or "") else re.sub(r"^\w+ (error|failed), ", "", error["msg"])
    text = " ".join(text.split())
    if not text.startswith("expected "):
        return f"expected a value that is accepted, got {shown}: {text}", ""
    value = error["input"]
    if is_secret or not text.startswith("expected a duration") or not isinstance(value, int | float):
        return text, ""
    return text, f"give it a unit: {value}s, {value}m or {value}h" if value else "write 0s"


def _help(kind: str, error: ErrorDetails) -> str:
    value = error["input"]
    is_text = isinstance(value, str)
    if is_text and kind in {"literal_error", "enum"}:
        near = suggest(value, re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected"))))
        return near if near.startswith("did you mean") else ""
    looks_like = {"int_type": r"-?\d+", "float_type": r"-?\d+(\.\d+)?", "bool_type": "true|false"}.get(kind)
    if is_text and looks_like and re.fullmatch(looks_like, value):
        return f"write {value}, without quotes"
    if kind in {"list_type", "tuple_type"} and (is_text or value is None):
        return f"write [{value}]" if is_text else "write [] for none"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f'write "{describe(value)}" if it is text'
    if kind == "int_type" and isinstance(value, float) and value.is_integer():
        return f"write {value:.0f}, in digits alone"
    return ""


def unknown_key(key: str, of: str, accepted: list[str]) -> tuple[str, str]:
    """The message and help for a key that does not exist."""
    return f"expected a key of {of}, got {quote(key)}", suggest(key, accepted, what="there are")
