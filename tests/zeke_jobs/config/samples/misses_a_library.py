"""This module cannot be imported, because a library is missing."""

import library_that_is_not_installed  # type: ignore[import-not-found]  # noqa: F401
