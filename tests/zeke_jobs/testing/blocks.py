"""The files that a page of the documentation shows."""

import re
from pathlib import Path


def blocks(page: Path, title: str) -> list[str]:
    """The code blocks of a file, in order."""
    pattern = rf'^```\w+ title="{re.escape(title)}"\n(.*?)^```'
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
