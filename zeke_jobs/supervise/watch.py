"""Notice that code or jobs.yaml changed, by looking at the files' times now and then."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SKIPPED = {"__pycache__", "node_modules", "site-packages"}
_SUFFIXES = (".py", ".sql", ".yaml", ".yml", ".md", ".txt", ".j2")


class Watch:
    """Remembers the files below ``roots`` and their times.

    Args:
        roots: Folders of code (read deeply; hidden folders and caches are left out) and single files.
    """

    def __init__(self, roots: Iterable[Path]) -> None:
        self._roots = tuple(roots)
        self._seen = self._look()

    def changed(self) -> list[Path]:
        """Files that were written, made or removed since the last call, sorted."""
        now = self._look()
        before, self._seen = self._seen, now
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

    def _look(self) -> dict[Path, tuple[int, int]]:
        found = {}
        for root in self._roots:
            for path in _files(root):
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue  # removed between the listing and the look
                found[path] = (status.st_mtime_ns, status.st_size)
        return found


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
        return
    for folder, folders, names in os.walk(root):  # Path.walk came with Python 3.12
        folders[:] = [name for name in folders if name not in _SKIPPED and not name.startswith(".")]
        for name in names:
            if name.endswith(_SUFFIXES):
                yield Path(folder, name)
