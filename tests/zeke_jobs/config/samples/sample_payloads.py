"""The handler imports this payload model for the type checker only."""

from __future__ import annotations

from zeke_jobs import Payload


class Welcome(Payload):
    user_name: str
