"""The handler imports this payload model for the type checker only."""

from zeke_jobs import Payload


class Welcome(Payload):
    user_name: str
