"""``zeke-jobs metrics``: what the database holds, for Prometheus."""

from __future__ import annotations

import signal
from typing import Annotated

import typer

from zeke_jobs.cli import database


def metrics(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Serve at http://HOST:PORT/metrics instead.", show_default=False)
    ] = "",
) -> None:
    """Print what the database holds in Prometheus's text format; with --listen, serve it until Ctrl-C or SIGTERM."""
    from zeke_jobs import environment, logs
    from zeke_jobs.metrics import exporter

    url = database.choose()
    if not listen:
        typer.echo(exporter.text(url), nl=False)
        return
    logs.configure()
    address = environment.address("--listen", listen)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # which PID 1 of a container would ignore
    try:
        server, thread = exporter.serve(url, address)
    except OSError as error:
        raise typer.BadParameter(f"expected an address to listen on, got {listen}: {error.strerror}") from error
    logs.get_logger("zeke_jobs.metrics").info("serving metrics", address=str(address))
    try:
        thread.join()
    except KeyboardInterrupt:
        server.shutdown()
        server.server_close()
