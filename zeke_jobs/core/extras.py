"""The error for a missing package of an extra that is not installed."""

from zeke_jobs.errors import ConfigurationError


def missing(expected: str, extra: str, *, error: ImportError | None = None, instead: str = "") -> ConfigurationError:
    """The error to raise; its help is the command that installs the extra, such as ``zeke-jobs[plot]``, or another way.

    Pip takes the installed distribution, whether it came from an index, a wheel or a checkout.
    """
    got = f"none ({error})" if error else "none"
    other = f"{instead}, or " if instead else ""
    return ConfigurationError(f"expected {expected}, got {got}\n  help: {other}pip install '{extra}'")
