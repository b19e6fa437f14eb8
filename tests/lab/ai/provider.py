"""A provider over loopback: embeddings of many texts, answers, and batches of questions by both interfaces, as bad as it is told to be."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "The registry now signs every package of series {number} that a maintainer uploads. A stolen token alone is not enough any more."
_NUMBER = re.compile(r"Title: Story (\d+)")
_ANSWERS: dict[str, dict[str, Any]] = {
    "analyze": {
        "why_it_matters": "A stolen token alone is not enough any more.",
        "chili": 3,
        "confidence": 0.8,
        "quotes": ["A stolen token alone is not enough"],
    },
    "brief": dict.fromkeys(("one_liner", "two_liner", "elevator"), "A stolen token alone is not enough any more."),
    "summarize": {"summary": "A stolen token alone is not enough any more."},
    "verify": {
        "checks": [
            {"statement": 1, "follows": True, "sentences": ["A stolen token alone is not enough any more."]},
        ]
    },
}


def title(number: int) -> str:
    """The title by which the provider knows a story."""
    return f"Story {number}"


def is_left_out(number: int) -> bool:
    """Whether a provider that ``leaves_out`` has no vector for a story."""
    return number % 97 == 0


class Provider:
    """Answers, counts, and remembers what it charged for.

    Attributes:
        calls: Number of requests by path.
        texts: Number of vectors that were given, by story.
        refuses: The requests for vectors that are refused with 503, by their number.
        leaves_out: Single texts get no vector.
        spoils: A request with this story is refused with 400.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.texts: Counter[int] = Counter()
        self.refuses: Callable[[int], bool] = lambda _: False
        self.leaves_out = False
        self.spoils = 0
        self.lock = threading.Lock()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def do_GET(self) -> None:
                self._answer(None)

            def _answer(self, body: bytes | None) -> None:
                address = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(address.query).items()}
                status, answer = owner.answer(address.path.removeprefix("/v1"), query, body)
                payload = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *_: Any) -> None: ...

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, path: str, _query: dict[str, str], body: bytes | None) -> tuple[int, Any]:
        """The status and the body for a request."""
        with self.lock:
            self.calls[path] += 1
            call = self.calls[path]
        assert body is not None
        asked = json.loads(body)
        if path == "/embeddings":
            return self._vectors(call, asked)
        return 200, completion(asked)

    def _vectors(self, call: int, asked: dict[str, Any]) -> tuple[int, Any]:
        if self.refuses(call):
            return 503, {"error": {"message": "busy"}}
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        if self.spoils in map(number_of, texts):
            return 400, {"error": {"message": "one input cannot be read"}}
        data = list[dict[str, Any]]()
        for index, text in enumerate(texts):
            number = number_of(text)
            if self.leaves_out and is_left_out(number):
                continue
            with self.lock:
                self.texts[number] += 1
            data.insert(0, {"index": index, "embedding": vector(number)})
        return 200, {"model": asked["model"], "data": data, "usage": {"prompt_tokens": 10 * len(texts)}}


def number_of(text: str) -> int:
    """The number of the story that a text is about."""
    found = _NUMBER.search(text)
    assert found is not None, text
    return int(found[1])


def vector(number: int) -> list[float]:
    """The vector of a story; the sixteen numbers are as far as possible from those of all others."""
    return [1.0 if (number >> bit) & 1 else -1.0 for bit in range(16)]


def completion(asked: dict[str, Any]) -> dict[str, Any]:
    """An answer to a question in the form of chat completions."""
    system = asked["messages"][0]["content"]
    names = {"checks": "verify", "chili": "analyze", "one_liner": "brief"}
    operation = next((name for word, name in names.items() if word in system), "summarize")
    content = json.dumps(_ANSWERS[operation])
    return {
        "model": asked["model"],
        "choices": [{"message": {"content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    }
