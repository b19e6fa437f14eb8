"""The acceptance tests run these handlers in real worker processes."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pydantic import BaseModel, SecretStr

from tests.zeke_jobs.sql import rows
from zeke_jobs import Context, Payload, Reject, Throttled

#: Handlers write one effect per job, and a trace of every start.
TABLES = """
  CREATE TABLE effect (job uuid PRIMARY KEY, n integer);
  CREATE TABLE trace (job uuid, what text, at timestamptz NOT NULL DEFAULT clock_timestamp())"""
EFFECT = "INSERT INTO effect (job, n) VALUES (%s, %s)"


class Work(Payload):
    n: int = 0
    seconds: float = 0.0
    die: str = ""
    tokens: int = 0
    fails: int = 0
    children: int = 0


def trace(ctx: Context[Any], what: str) -> None:
    rows(ctx.db, "INSERT INTO trace (job, what) VALUES (%s, %s)", str(ctx.job_id), what)


def work(payload: Work, ctx: Context) -> int:
    trace(ctx, "start")
    time.sleep(payload.seconds)
    trace(ctx, "end")
    return payload.n


def effect(payload: Work, ctx: Context) -> None:
    """Sleep, and then write the effect exactly once."""
    trace(ctx, "start")
    time.sleep(payload.seconds)
    with ctx.transaction() as db:
        rows(db, EFFECT, str(ctx.job_id), payload.n)
        ctx.complete(payload.n)


def fragile(payload: Work, ctx: Context) -> None:
    """Write, send and complete in one transaction. The first attempt kills its process at the point that ``die`` names."""

    def die(point: str) -> None:
        if ctx.attempt == 1 and payload.die == point:
            os.kill(os.getpid(), signal.SIGKILL)

    with ctx.transaction() as db:
        rows(db, EFFECT, str(ctx.job_id), payload.n)
        ctx.send("work", {"n": payload.n})
        die("between send and completion")
        ctx.complete({"n": payload.n})
        die("before the commit")
    die("after the commit")


def poison(payload: Work, ctx: Context) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def query(payload: Work, ctx: Context) -> None:
    """Wait inside the database until the statement is cancelled."""
    trace(ctx, "start")
    rows(ctx.db, "SELECT pg_sleep(300)")


def family(payload: Work, ctx: Context) -> None:
    """Send ``children`` jobs, each with one child fewer; fail in the first ``fails`` attempts."""
    time.sleep(payload.seconds)
    for _ in range(payload.children):
        ctx.send("work", {"children": payload.children - 1})
    if ctx.attempt <= payload.fails:
        raise ValueError("not yet")


class ListOfWords(BaseModel):
    words: list[str] = []


def list_words(payload: Work, ctx: Context[ListOfWords]) -> list[str]:
    return ctx.settings.words


class Service(BaseModel):
    url: str = ""
    token: str = ""

    def open(self) -> Self:
        return self


def ask(payload: Work, ctx: Context) -> str:
    return str(ctx.service("web").url)


def grumble(payload: Work, ctx: Context) -> None:
    """Log with the job's logger and with a library's logger, and fail."""
    logging.getLogger("a.library").warning("a library grumbles")
    ctx.logger.warning("the handler grumbles", n=payload.n)
    raise ValueError("no luck")


class Fork(Payload):
    how: str


#: HOW names the ways in which a job starts a process; the process writes its id to a file with the way's name.
HOW = ("fork", "stubborn", "grandchild", "thread")
_SLEEP = "import os, signal, time; open({!r}, 'w').write(str(os.getpid())); {}time.sleep(300)"


def fork(payload: Fork, ctx: Context) -> str:
    """Start a process or a thread that lasts for minutes, and wait for its end."""
    how = payload.how
    match how:
        case "fork":
            pid = os.fork()
            if pid == 0:
                _stay(how)
                os._exit(0)
            os.waitpid(pid, 0)
        case "stubborn":
            code = _SLEEP.format(how, "signal.signal(signal.SIGTERM, signal.SIG_IGN); ")
            subprocess.run([sys.executable, "-c", code], check=False)
        case "grandchild":
            command = ["/bin/sh", "-c", '"$0" -c "$1" & wait', sys.executable, _SLEEP.format(how, "")]
            subprocess.run(command, check=False)
        case "thread":
            # At exit, Python waits for a thread that is not a daemon.
            threading.Thread(target=_stay, args=(how,)).start()
            time.sleep(300)
    return "over"


def _stay(how: str) -> None:
    Path(how).write_text(str(os.getpid()))
    time.sleep(300)


def come_back(payload: Work, ctx: Context) -> int:
    """Fork a child, which also returns from this handler; the parent returns the child's exit status plus 7."""
    pid = os.fork()
    return 0 if pid == 0 else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) + 7


def measured(payload: Work, ctx: Context) -> None:
    began = time.time()
    row = "INSERT INTO start (job, task, key, tokens, at) SELECT message_id, task, key, %s, to_timestamp(%s)"
    rows(ctx.db, f"{row} FROM zeke_jobs.queue WHERE message_id = %s", payload.tokens, began, str(ctx.job_id))
    time.sleep(payload.seconds)
    if payload.tokens:
        ctx.used(tokens=payload.tokens)


def asking(payload: Work, ctx: Context) -> None:
    request = Request(os.environ["PROVIDER"], data=json.dumps({"tokens": payload.tokens}).encode())
    try:
        with urlopen(request, timeout=10) as answer:
            answer.read()
    except HTTPError as error:
        if error.code == 429:
            raise Throttled("ai", float(error.headers["Retry-After"]), "429") from error
        raise
    ctx.used(tokens=payload.tokens)


class Login(Payload):
    user: str
    password: str
    fail: str = ""


class Secrets(BaseModel):
    token: SecretStr


def log_in(payload: Login, ctx: Context[Secrets]) -> dict[str, Any]:
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
