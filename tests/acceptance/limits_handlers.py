"""The handlers record their starts and their use, and a provider on loopback answers 429 beyond its limit."""

import json
import os
import threading
import time
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
        row = "INSERT INTO start (job, task, key, tokens, at) SELECT message_id, task, key, %s, to_timestamp(%s)"
        which = (payload.tokens, began, str(ctx.job_id))
        cursor.execute(f"{row} FROM zeke_jobs.queue WHERE message_id = %s", which)
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

    def __init__(self, most: int, window: float) -> None:
        self.most, self.window, self.down = most, window, False
        # Each call has its time, its tokens, and the status of the answer.
        self.calls: list[tuple[float, int, int]] = []
        self._lock = threading.Lock()
        super().__init__()

    def respond(self, asked: Asked) -> Answer:
        tokens, now = json.loads(asked.body)["tokens"], time.monotonic()
        with self._lock:
            taken = [(at, used) for at, used, status in self.calls if status == 200 and at > now - self.window]
            if self.down:
                answer = Answer(status=503)
            elif sum(used for _, used in taken) + tokens > self.most:
                answer = Answer(status=429, headers={"Retry-After": f"{taken[0][0] + self.window - now:.3f}"})
            else:
                answer = Answer()
            self.calls.append((now, tokens, answer.status))
        time.sleep(0.05 if answer.status == 200 else 0)
        return answer
