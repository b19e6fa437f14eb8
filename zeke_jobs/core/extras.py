"""The error for a missing package of an extra that is not installed."""

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from shlex import quote
from urllib.parse import unquote, urlparse

from zeke_jobs.errors import ConfigurationError


def missing(expected: str, extra: str, *, error: ImportError | None = None, instead: str = "") -> ConfigurationError:
    """The error to raise; its help is the command that installs the extra, such as ``zeke-jobs[plot]``, or another way."""
    got = f"none ({error})" if error else "none"
    other = f"{instead}, or " if instead else ""
    return ConfigurationError(f"expected {expected}, got {got}\n  help: {other}{install(extra)}")


def install(extra: str) -> str:
    """The command that installs an extra: from the wheel or checkout of its distribution, if that is still there."""
    name, bracket, rest = extra.partition("[")
    try:
        said = distribution(name).read_text("direct_url.json")  # as PEP 610 has it
    except PackageNotFoundError:
        said = None
    origin = json.loads(said) if said else {}
    path = unquote(urlparse(origin.get("url", "")).path)
    if not origin.get("url", "").startswith("file:") or not Path(path).exists():
        return f"pip install {quote(extra)}"
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}{quote(path + bracket + rest)}"
