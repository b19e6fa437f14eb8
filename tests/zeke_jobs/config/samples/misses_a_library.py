"""A module that cannot be imported because of another."""

from __future__ import annotations

import library_that_is_not_installed  # type: ignore[import-not-found]  # noqa: F401
