"""A payload model that its handler imports for the type checker only."""

from __future__ import annotations

from zeke_jobs import Payload


class Welcome(Payload):
    """Whom to welcome."""

    user_name: str
