"""These functions read the files that a page of the documentation shows, and run programs in a folder."""

import os
import re
import subprocess
import sys
from pathlib import Path


def blocks(page: Path, title: str) -> list[str]:
    pattern = rf'^```\w+ title="{re.escape(title)}"\n(.*?)^```'
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def python(folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, without the environment variables of the test run."""
    ours = ("ZEKE_JOBS", "DATABASE_URL", "PYTEST", "DJANGO")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env={**kept, "PYTHONPATH": ".", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **env},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
