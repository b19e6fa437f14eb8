"""``zeke-jobs metrics``: the database's metrics, printed or served. Workers serve only their own counters."""

import signal
from typing import Annotated

import typer

from zeke_jobs.cli import database
from zeke_jobs.cli.options import option
from zeke_jobs.cli.output import say
from zeke_jobs.cli.run import FAILED, FINE
from zeke_jobs.core import environment, logs
from zeke_jobs.metrics import exporter, exposition


def metrics(
    listen: Annotated[str, option("Serve at http://HOST:PORT/metrics instead.", "HOST:PORT", show_default=False)] = "",
) -> int:
    """Print the database's metrics in Prometheus's text format; with --listen, serve it until Ctrl-C or SIGTERM.

    Exit 1 when the database could not be read.
    """
    logs.configure()
    url = database.choose()
    if not listen:
        text, is_read = exporter.text(url)
        say(text, end="")
        return FINE if is_read else FAILED
    address = environment.address("--listen", listen)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # PID 1 of a container would otherwise ignore SIGTERM
    try:
        exposition.serve(exporter.DatabaseCollector(url).registry, address)
    except OSError as error:
        raise typer.BadParameter(f"expected an address to listen on, got {listen}: {error.strerror}") from error
    except KeyboardInterrupt:
        pass
    return FINE
