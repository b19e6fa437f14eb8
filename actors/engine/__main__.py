"""Serves the local Engine, as ``python -m actors.engine``."""

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from pydantic import ValidationError

from actors.engine import Settings
from actors.engine.server import PORT, EngineServer
from zeke_jobs.core.environment import lookup

TOKEN = "ENGINE_TOKEN"  # noqa: S105 (the name of a variable)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the Engine until SIGTERM or Ctrl-C. If ``ENGINE_TOKEN`` is set, callers must send it as their bearer token."""
    parser = argparse.ArgumentParser(prog="python -m actors.engine", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")
    parser.add_argument("--settings", default="{}", help="settings of the local engine, as JSON")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.model_validate_json(options.settings).model_copy(update={"kind": "local"})
    except ValidationError as error:
        for reason in error.errors(include_url=False):
            where = ".".join(map(str, reason["loc"]))
            print(f"error: --settings: {where + ': ' if where else ''}{reason['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with EngineServer(settings.open(), options.host, options.port, token=lookup(TOKEN)) as server:
        print(f"engine: http://{options.host}:{server.server_port}", flush=True)  # noqa: T201
        with suppress(KeyboardInterrupt):
            server.serve_forever(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
