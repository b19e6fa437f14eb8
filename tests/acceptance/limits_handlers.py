"""Handlers that write when they start and what they use, and a provider on loopback that answers 429 beyond its limit."""

import json
import os
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from zeke_jobs import Context, Payload, Throttled


class Load(Payload):
    tokens: int = 0
    seconds: float = 0.0


def measured(payload: Load, ctx: Context) -> None:
    """Write down when it began, then work."""
    began = time.time()
    with ctx.db.cursor() as cursor:
        cursor.execute(
            "INSERT INTO start (job, task, key, tokens, at) SELECT q.message_id, q.task, q.key, %s, to_timestamp(%s) "
            "FROM zeke_jobs.queue AS q WHERE q.message_id = %s",
            (payload.tokens, began, str(ctx.job_id)),
        )
    time.sleep(payload.seconds)
    if payload.tokens:
        ctx.used(tokens=payload.tokens)


def asking(payload: Load, ctx: Context) -> None:
    """Ask the provider, which may refuse."""
    request = Request(os.environ["PROVIDER"], data=json.dumps({"tokens": payload.tokens}).encode())
    try:
        with urlopen(request, timeout=10) as answer:
            answer.read()
    except HTTPError as error:
        if error.code == 429:
            raise Throttled("ai", float(error.headers["Retry-After"]), "429") from error
        raise
    ctx.used(tokens=payload.tokens)


class Provider:
    """Lets ``most`` tokens through in any ``window`` seconds; ``down`` answers 503 to all.

    Attributes:
        calls: When which call came, its tokens, and the answer's status.
    """

    def __init__(self, most: int, window: float, *, takes: float = 0.05) -> None:
        self.most, self.window, self.takes = most, window, takes
        self.down = False
        self.calls: list[tuple[float, int, int]] = []
        self._taken: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, wait = provider.answer(body["tokens"])
                if status == 200:
                    time.sleep(provider.takes)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if wait is not None:
                    self.send_header("Retry-After", f"{wait:.3f}")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

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

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
