"""The handlers record their starts and their use, and a provider on loopback answers 429 beyond its limit."""

import json
import os
import threading
import time
from collections import deque
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.actors.scripted_site import Answer, Asked, Loopback
from zeke_jobs import Context, Payload, Throttled


class Load(Payload):
    tokens: int = 0
    seconds: float = 0.0


def measured(payload: Load, ctx: Context) -> None:
    began = time.time()
    with ctx.db.cursor() as cursor:
        begun = (
            "SELECT q.message_id, q.task, q.key, %s, to_timestamp(%s) FROM zeke_jobs.queue AS q WHERE q.message_id = %s"
        )
        cursor.execute(
            f"INSERT INTO start (job, task, key, tokens, at) {begun}", (payload.tokens, began, str(ctx.job_id))
        )
    time.sleep(payload.seconds)
    if payload.tokens:
        ctx.used(tokens=payload.tokens)


def asking(payload: Load, ctx: Context) -> None:
    request = Request(os.environ["PROVIDER"], data=json.dumps({"tokens": payload.tokens}).encode())
    try:
        with urlopen(request, timeout=10) as answer:
            answer.read()
    except HTTPError as error:
        if error.code == 429:
            raise Throttled("ai", float(error.headers["Retry-After"]), "429") from error
        raise
    ctx.used(tokens=payload.tokens)


class Provider(Loopback):
    """The provider admits ``most`` tokens in any ``window`` seconds; while ``down`` is true, it answers 503."""

    def __init__(self, most: int, window: float, *, takes: float = 0.05) -> None:
        self.most, self.window, self.takes = most, window, takes
        self.down = False
        # Each call has its time, its tokens, and the status of the answer.
        self.calls: list[tuple[float, int, int]] = []
        self._taken: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()
        super().__init__()

    def respond(self, asked: Asked) -> Answer:
        status, wait = self.answer(json.loads(asked.body)["tokens"])
        if status == 200:
            time.sleep(self.takes)
        return Answer(status=status, headers={} if wait is None else {"Retry-After": f"{wait:.3f}"})

    def answer(self, tokens: int) -> tuple[int, float | None]:
        now = time.monotonic()
        with self._lock:
            while self._taken and self._taken[0][0] <= now - self.window:
                self._taken.popleft()
            if self.down:
                status, wait = 503, None
            elif sum(used for _, used in self._taken) + tokens > self.most:
                status, wait = 429, self._taken[0][0] + self.window - now
            else:
                status, wait = 200, None
                self._taken.append((now, tokens))
            self.calls.append((now, tokens, status))
        return status, wait
