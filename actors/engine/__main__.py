"""``python -m actors.engine``: serve the local engine."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence

from pydantic import ValidationError

from actors.engine import Settings
from actors.engine.server import PORT, EngineServer
from zeke_jobs.core.environment import lookup

TOKEN = "ENGINE_TOKEN"  # noqa: S105 (the name of a variable)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C. If ``ENGINE_TOKEN`` is set, callers must send its token."""
    parser = argparse.ArgumentParser(prog="python -m actors.engine", description=main.__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")
    parser.add_argument("--settings", default="{}", help="settings of the local engine, as JSON")
    options = parser.parse_args(arguments)
    try:
        settings = Settings.model_validate({**json.loads(options.settings), "kind": "local"})
    except (ValueError, TypeError) as error:
        reasons = error.errors(include_url=False) if isinstance(error, ValidationError) else [{"msg": str(error)}]
        for reason in reasons:
            where = ".".join(map(str, reason.get("loc", ())))
            print(f"error: --settings: {where + ': ' if where else ''}{reason['msg']}", file=sys.stderr)  # noqa: T201
        return 2
    with EngineServer(settings.open(), options.host, options.port, token=lookup(TOKEN)) as server:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        print(f"engine: http://{options.host}:{server.server_port}", flush=True)  # noqa: T201
        stop.wait()
        server.shutdown()
        thread.join()
    return 0


if __name__ == "__main__":
    sys.exit(main())
