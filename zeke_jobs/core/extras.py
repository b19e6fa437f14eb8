"""The message for a package that is missing because its extra is not installed."""

from __future__ import annotations

from zeke_jobs.errors import ConfigurationError


def missing(expected: str, extra: str, *, error: ImportError | None = None, instead: str = "") -> ConfigurationError:
    """The error to raise; its help is the command that installs the extra.

    Args:
        expected: The package, and why it is needed.
        extra: The extra that brings it, e.g. ``zeke-jobs[plot]``.
        error: Why it cannot be imported.
        instead: Another way that works without it.
    """
    got = f"none ({error})" if error else "none"
    other = f"{instead}, or " if instead else ""
    return ConfigurationError(f"expected {expected}, got {got}\n  help: {other}pip install '{extra}'")
