"""This module raises when it is imported."""

from __future__ import annotations


def _connect() -> None:
    raise RuntimeError("no connection\nat all")


_connect()
