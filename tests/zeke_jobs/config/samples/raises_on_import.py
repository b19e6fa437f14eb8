"""A module that cannot be imported because of itself."""

from __future__ import annotations


def _connect() -> None:
    raise RuntimeError("no connection\nat all")


_connect()
