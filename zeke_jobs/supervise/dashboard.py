"""pg-boss's dashboard, an npm package, as one more command beside workers and scheduler: it shows our database in a browser."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from zeke_jobs.errors import ConfigurationError
from zeke_jobs.supervise.supervisor import Command

#: The version that was tried.
PACKAGE = "@pg-boss/dashboard@1.9.0"
_PROGRAM = "pg-boss-dashboard"


def program() -> list[str]:
    """Its command line: from ``node_modules`` in this folder or one above, or from the PATH.

    Raises:
        ConfigurationError: Node.js or the package is missing.
    """
    node = shutil.which("node")
    if node is None:
        raise ConfigurationError(
            "expected Node.js on the PATH for the dashboard, got none\n"
            "  help: https://nodejs.org/en/download, or zeke-jobs up without --dashboard"
        )
    here = Path.cwd()
    beside = (str(folder / "node_modules" / ".bin" / _PROGRAM) for folder in (here, *here.parents))
    found = next((one for one in beside if Path(one).is_file()), None) or shutil.which(_PROGRAM)
    if found is None:
        raise ConfigurationError(
            f"expected the npm package of the dashboard in node_modules, got none\n  help: npm install {PACKAGE}"
        )
    return [node, found]


def command(argv: list[str], env: Mapping[str, str], *, port: int, schema: str) -> Command:
    """Its command, for this machine only, and read-only unless ``env`` has ``PGBOSS_DASHBOARD_READ_ONLY=0``.

    ``schema`` has our views in the words of pg-boss.
    """
    fixed = {"HOST": "127.0.0.1", "PORT": str(port), "PGBOSS_SCHEMA": schema}
    return Command("dashboard", argv, {"PGBOSS_DASHBOARD_READ_ONLY": "1", **env, **fixed})
