"""This model server on loopback enforces the rules of strict schemas and gives the answers that a test scripts."""

import json
import re
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from actors.ai import Settings
from actors.ai.protocol import Begun, CallEnd, CallStart
from tests.actors.ai.provider import Provider, operation_of
from tests.actors.scripted_site import Answer, Asked, Loopback

TWO = "Packages are signed now. A stolen token is not enough."
GOOD: dict[str, dict[str, Any]] = {
    "analyze": {
        "why_it_matters": "A stolen token alone no longer publishes a package.",
        "chili": 3,
        "confidence": 0.8,
        "quotes": ["a stolen token alone is not enough", "this was never said"],
    },
    "brief": {"one_liner": "Packages are signed now.", "two_liner": TWO, "elevator": f"{TWO} Nobody needs to act."},
    "summarize": {"summary": TWO},
    "same_event": {"quote": "", "other": 0, "other_quote": ""},
}
Scripted = Callable[[dict[str, Any]], tuple[int, dict[str, str], Any]]
FORBIDDEN = {"minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "pattern", "default", "format"}


class Books:
    """A ledger in memory records the started calls, the ended calls and the answers."""

    def __init__(self) -> None:
        self.calls: list[CallStart] = []
        self.ended: list[CallEnd] = []
        self.open: set[uuid.UUID] = set()
        self.kept: dict[str, Any] = {}

    def begin(self, call: CallStart, key: str, question: Any = None, *, recalls: bool = True, **__: Any) -> Begun:
        assert not question, "no batch is configured"
        self.calls.append(call)
        self.open.add(begun := uuid.uuid4())
        return Begun(begun, self.kept.get(key) if recalls else None)

    def begin_all(self, calls: dict[int, tuple[CallStart, str]], *, recalls: bool) -> dict[int, Begun]:
        return {at: self.begin(call, key, recalls=recalls) for at, (call, key) in calls.items()}

    def settle_all(self, ends: dict[int, tuple[uuid.UUID, CallEnd, tuple[str, Any] | None]]) -> None:
        for end in ends.values():
            self.settle(*end)

    def settle(self, call: uuid.UUID, end: CallEnd, keep: tuple[str, Any] | None = None) -> None:
        self.open.remove(call)
        self.ended.append(end)
        self.kept.update([keep] if keep else [])
        assert "\\u0000" not in json.dumps(keep, allow_nan=False), "jsonb takes none"
        assert "\x00" not in f"{end.detail} {end.model}", "text takes none"
        assert len(end.model or "") <= 200


class ModelServer(Loopback):
    """The server gives scripted answers and records each request.

    Each callable in ``script`` gets a request and returns (status, headers, body). If ``script`` is empty, the answer
    is the value in ``says`` for the request's operation, or a valid answer. A function in ``says`` gets the prompt.
    """

    root = "/v1"

    def __init__(self) -> None:
        self.script: deque[Scripted] = deque()
        self.says: dict[str, Any] = {}
        self.asked: list[dict[str, Any]] = []
        self.faults: list[str] = []
        self.slow = threading.Event()
        self.vector_size = 1536
        super().__init__()

    def close(self) -> None:
        self.slow.set()
        super().close()

    def respond(self, asked: Asked) -> Answer:
        body = json.loads(asked.body)
        self.asked.append({"path": asked.path, "headers": asked.headers, "body": body})
        status, headers, answer = self.answer(asked.path, body)
        said = answer if isinstance(answer, bytes) else json.dumps(answer)
        return Answer(said, status, "application/json", headers)

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        if self.script:
            return self.script.popleft()(body)
        if path.endswith("/embeddings"):
            vector = [0.5] * body.get("dimensions", self.vector_size)
            return 200, {}, {"model": body["model"], "data": [{"embedding": vector}], "usage": {"prompt_tokens": 20}}
        fault = self._schema_fault(body)
        if fault:
            self.faults.append(fault)
            return 400, {}, {"error": {"message": fault, "code": "invalid_schema"}}
        said = {**GOOD, **self.says}[operation_of(body)]
        return 200, {}, completion(said(str(body["messages"][1]["content"])) if callable(said) else said)

    @staticmethod
    def _schema_fault(body: dict[str, Any]) -> str | None:
        wanted = body.get("response_format", {}).get("json_schema")
        if wanted is None:
            return None
        if wanted.get("strict") is not True or not re.fullmatch(r"[\w-]{1,64}", wanted.get("name", "")):
            return "expected strict: true and a name"
        stack = [wanted["schema"]]
        while stack:
            node = stack.pop()
            if not isinstance(node, dict):
                continue
            if FORBIDDEN & node.keys():
                return f"unsupported: {sorted(FORBIDDEN & node.keys())}"
            if node.get("type") == "object":
                if node.get("additionalProperties") is not False:
                    return "additionalProperties must be false"
                if sorted(node.get("required", [])) != sorted(node["properties"]):
                    return "every key must be required"
                stack += node["properties"].values()
            stack += [node.get("items"), *node.get("$defs", {}).values()]
        return None


def analyst(url: str, **options: Any) -> Any:
    """Make a client of the server at ``url``; the client verifies no answer unless ``options`` say so."""
    given = {"base_url": url, "model": "m", "timeout": "5s", "verify": False, **options}
    return Settings.model_validate({"provider": "openai", "openai": given}).open()


def completion(answer: Any, **choice: Any) -> dict[str, Any]:
    content = answer if isinstance(answer, str) else json.dumps(answer)
    return {
        "model": "model-1-2026",
        "choices": [{"message": {"content": content}, "finish_reason": "stop", **choice}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100},
    }


def answer(
    status: int = 200, headers: dict[str, str] | None = None, body: Any = None, content: Any = None, **choice: Any
) -> Scripted:
    """Make an answer for a script: ``answer(429, headers, body)`` or ``answer(content=…, finish_reason=…)``."""
    return lambda _: (status, headers or {}, completion(content, **choice) if body is None else body)


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running
