"""The error for a missing package of an extra that is not installed."""

from __future__ import annotations

from zeke_jobs.errors import ConfigurationError


def missing(expected: str, extra: str, *, error: ImportError | None = None, instead: str = "") -> ConfigurationError:
    """The error to raise; its help is the command that installs the extra.

    Args:
        expected: The package and its purpose.
        extra: The extra with this package, such as ``zeke-jobs[plot]``.
        error: The failed import.
        instead: Another way that works without the package.
    """
    got = f"none ({error})" if error else "none"
    other = f"{instead}, or " if instead else ""
    return ConfigurationError(f"expected {expected}, got {got}\n  help: {other}pip install '{extra}'")
