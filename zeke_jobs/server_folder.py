"""Where the embedded server of ``up`` and the demo keeps its data."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

_LONGEST = 90  # bytes; Linux allows 107 for a socket's path, and PostgreSQL adds to it


def server_folder(data_dir: Path) -> Path:
    """The folder for a server's files: ``postgres`` in ``data_dir``, or one in a usual place.

    A server cannot run there when the path is too long for a unix socket, or when we are root and the unprivileged
    user that PostgreSQL then runs as may not pass a folder above it. The same ``data_dir`` has the same answer each
    time. The other place is one that only this user can write to, never the temporary folder, where a stranger could
    have put a server of his own.
    """
    folder = data_dir.absolute() / "postgres"
    if len(os.fsencode(folder)) <= _LONGEST and (os.geteuid() != 0 or _open_to_all(folder.parent)):
        return folder
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return (Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "state") / f"zeke-{name}"


def _open_to_all(folder: Path) -> bool:
    """Whether any user may pass through ``folder`` and all above it; what does not exist yet will be made so."""
    return all(above.stat().st_mode & stat.S_IXOTH for above in (folder, *folder.parents) if above.exists())
