"""This module raises when it is imported."""

raise RuntimeError("no connection\nat all")
