"""A group of processes with a fixed amount of memory, if the kernel allows it."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.chaos.scenarios.possible import Impossible

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path("/sys/fs/cgroup")
#: Where groups are, and the file with their limit: of cgroup v1, and of v2.
_KINDS = ((_ROOT / "memory", "memory.limit_in_bytes"), (_ROOT, "memory.max"))


@contextmanager
def limited_group(megabytes: int) -> Iterator[tuple[str, ...]]:
    """A prefix for a command that limits the memory of it and its children; the kernel kills a process that takes more.

    Raises:
        Impossible: no such group can be made here.
    """
    made = None
    for root, limit in _KINDS:
        group = root / f"zeke-chaos-{uuid.uuid4().hex[:8]}"
        try:
            group.mkdir()
            made = group
            (group / limit).write_text(str(megabytes * 2**20))
            break
        except OSError:
            if made is not None:
                made.rmdir()
            made = None
    if made is None:
        raise Impossible("no memory limit can be set here: it needs root and a writable /sys/fs/cgroup")
    try:
        yield ("/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"', os.fspath(made / "cgroup.procs"))
    finally:
        with suppress(OSError):  # a process of it still ends
            made.rmdir()
