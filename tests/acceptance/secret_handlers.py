"""These careless handlers put secrets into exceptions, logs and outputs."""

import logging
import sys
from typing import Any

from pydantic import BaseModel, SecretStr

from zeke_jobs import Context, Payload, Reject


class Login(Payload):
    user: str
    password: str
    fail: str = ""


class Settings(BaseModel):
    token: SecretStr


class Client:
    def __init__(self, token: str) -> None:
        self.token = token


class Service(BaseModel):
    token: str

    def open(self) -> Client:
        return Client(self.token)


def log_in(payload: Login, ctx: Context[Settings]) -> dict[str, Any]:
    """Fail in the way that the payload says, with secrets in the message."""
    token = ctx.service("vault").token
    url = f"https://{payload.user}:{payload.password}@example.org"
    ctx.logger.info("logging in", url=url, header=f"Bearer {token}")
    ctx.progress(1, 2, f"logged in with {payload.password}")
    logging.getLogger("some.library").warning("POST /login password=%s token=%s", payload.password, token)
    print(f"written by hand: {payload.password} {token}", file=sys.stderr)
    if payload.fail == "raise":
        raise RuntimeError(f"401 for {payload.password} with {ctx.settings.token.get_secret_value()}")
    if payload.fail == "chain":
        try:
            int(token)
        except ValueError as error:  # The text of the error contains the token.
            raise KeyError(payload.password) from error
    if payload.fail == "reject":
        raise Reject(f"no {payload.password}", details={"sent": {"token": token, "password": payload.password}})
    return {"user": payload.user, "password": payload.password}
